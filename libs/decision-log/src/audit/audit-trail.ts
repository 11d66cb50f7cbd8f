/**
 * The audit: who did what, when, from where and why, added and never changed. Guards "audited before it
 * is carried out": an entry is durable when `append` resolves, and without one the caller must not act. Crash
 * window: after the entry, before the action, or before the entry with its result: the question has no
 * answer, which is exactly what is known.
 */
import type { Clock } from '@concordat/engine';
import type pg from 'pg';
import { CursorRefused } from '../refusals.js';
import { unknown } from '../register/unknown.js';
import { awaitedByStandbys } from '../standby-wait.js';
import { GENESIS, hashOf, type AuditDraft, type AuditRecord } from './audit-entry.js';
import {
  ADD_ENTRIES,
  auditPage,
  HEAD_STANDS,
  HOLD_HEAD,
  MOVE_HEAD,
  type AuditRow,
} from './audit.sql.js';

export interface AuditRequest {
  readonly transaction?: string;
  readonly by?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export interface AuditTrailPage {
  readonly entries: readonly AuditRecord[];
  readonly nextCursor?: string;
  /** Every entry is as its hash says, follows the one before it, and none is missing at the end. */
  readonly chainIntact: boolean;
}

const NEWEST = Number.MAX_SAFE_INTEGER;
const VERIFIED_AT_ONCE = 1_000;

export class AuditTrail {
  private readonly listeners = new Set<(entries: readonly AuditRecord[]) => void>();

  constructor(
    private readonly pool: pg.Pool,
    private readonly readers: pg.Pool,
    private readonly clock: Clock,
  ) {}

  /** Calls the listener with what was added here, once it is durable. */
  onAppended(listener: (entries: readonly AuditRecord[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Adds entries, in this order, durably. Rejects with `RegisterUnknown`: then do not act. */
  async append(drafts: readonly AuditDraft[]): Promise<AuditRecord[]> {
    if (drafts.length === 0) return [];
    const client = await this.pool.connect().catch((error: unknown) => {
      throw unknown('audit', error);
    });
    try {
      await client.query('BEGIN');
      const records = await write(client, drafts);
      await awaitedByStandbys(client, () => client.query('COMMIT'));
      client.release();
      for (const listener of this.listeners) listener(records);
      return records;
    } catch (error) {
      client.release(true); // Discarded: it may hold the head, which every entry waits for.
      throw unknown('audit', error);
    }
  }

  /** A page, newest first. Rejects with CursorRefused for a cursor of another list. */
  async page(request: AuditRequest): Promise<AuditTrailPage> {
    const { transaction, by, limit, cursor } = request;
    const below = cursor === undefined ? NEWEST : readCursor(request, cursor);
    const question = auditPage({ below, limit: limit + 1, transaction, by });
    const { rows } = await this.readers.query<AuditRow>(question.text, question.values);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const isWhole = cursor !== undefined || (await this.endStands());
    return {
      entries: shown.map(recordOf),
      chainIntact: isWhole && shown.every(isIntact),
      ...(rows.length > limit && last ? { nextCursor: makeCursor(request, last.sequence) } : {}),
    };
  }

  /** The sequence of the newest entry; 0 when there is none. */
  async newest(): Promise<number> {
    const { rows } = await this.readers.query<{ sequence: number }>(HEAD_STANDS);
    return rows[0]?.sequence ?? 0;
  }

  /** Verifies the newest entries; resolves with how many there were and whether all hold. */
  async verify(): Promise<{ readonly entries: number; readonly chainIntact: boolean }> {
    const began = this.clock.now();
    let entries = 0;
    let cursor: string | undefined;
    do {
      const page: AuditTrailPage = await this.page({ limit: VERIFIED_AT_ONCE, cursor });
      entries += page.entries.length;
      if (!page.chainIntact) return { entries, chainIntact: false };
      cursor = page.nextCursor;
    } while (cursor !== undefined && this.clock.now() - began < VERIFIED_AT_ONCE);
    return { entries, chainIntact: true };
  }

  /** An entry that was added between the two looks is no missing end: look again. */
  private async endStands(): Promise<boolean> {
    const { rows } = await this.readers.query<{
      sequence: number;
      hash: string;
      last: number | null;
      last_hash: string | null;
    }>(HEAD_STANDS);
    const [head] = rows;
    if (!head) return false;
    return head.sequence === (head.last ?? 0) && head.hash === (head.last_hash ?? GENESIS);
  }
}

async function write(client: pg.ClientBase, drafts: readonly AuditDraft[]): Promise<AuditRecord[]> {
  const held = await client.query<{ sequence: number; hash: string; now_ms: number }>(HOLD_HEAD);
  const [head] = held.rows;
  if (!head) throw new Error('concordat.audit_head is empty: restore its row from a backup');
  let previous = head.hash;
  const placed = drafts.map((draft, at) => {
    const sequence = head.sequence + at + 1;
    const before = previous;
    previous = hashOf(draft, { sequence, atMs: head.now_ms, previous: before });
    return { draft, sequence, previous: before, hash: previous };
  });
  const json = (value: unknown): string | null =>
    value === undefined ? null : JSON.stringify(value);
  const column = (read: (one: (typeof placed)[number]) => unknown): unknown[] => placed.map(read);
  const text = (name: keyof AuditDraft): unknown[] => column(({ draft }) => draft[name] ?? null);
  await client.query(ADD_ENTRIES, [
    column((one) => one.sequence),
    column(() => head.now_ms),
    ...(['by', 'role', 'from', 'action', 'transaction', 'branch', 'gid'] as const).map(text),
    ...(['reason', 'ticket', 'phase', 'answers'] as const).map(text),
    column(({ draft }) => json(draft.before)),
    column(({ draft }) => json(draft.after)),
    column((one) => one.previous),
    column((one) => one.hash),
  ]);
  await client.query(MOVE_HEAD, [head.sequence + drafts.length, previous]);
  return placed.map(({ draft, sequence, hash }) => ({
    ...draft,
    id: String(sequence),
    atMs: head.now_ms,
    hash,
  }));
}

function recordOf(row: AuditRow): AuditRecord {
  const given = <T>(name: string, value: T | null) => (value === null ? {} : { [name]: value });
  return {
    id: String(row.sequence),
    atMs: row.at_ms,
    by: row.principal,
    role: row.role,
    ...given('from', row.origin),
    action: row.action,
    ...given('transaction', row.transaction),
    ...given('branch', row.branch),
    ...given('gid', row.gid),
    ...given('reason', row.reason),
    ...given('ticket', row.ticket),
    phase: row.phase,
    ...given('answers', row.answers === null ? null : String(row.answers)),
    ...given('before', row.before),
    ...given('after', row.after),
    hash: row.hash,
  };
}

function isIntact(row: AuditRow): boolean {
  const { sequence, at_ms: atMs, previous, hash, stands_before: before } = row;
  const follows = sequence === 1 ? previous === GENESIS : previous === before;
  return follows && hash === hashOf(recordOf(row), { sequence, atMs, previous });
}

/** A cursor is bound to the list it came from, as those of transactions are. */
function makeCursor({ transaction = '', by = '' }: AuditRequest, last: number): string {
  return Buffer.from(JSON.stringify([last, transaction, by])).toString('base64url');
}

function readCursor({ transaction = '', by = '' }: AuditRequest, cursor: string): number {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw new CursorRefused('this is no cursor of ours: begin again without a cursor');
  }
  const [last, ofTransaction, ofBy] = Array.isArray(parts) ? (parts as unknown[]) : [];
  if (!Number.isSafeInteger(last) || ofTransaction !== transaction || ofBy !== by) {
    throw new CursorRefused(
      'the cursor belongs to a list with another filter: begin again without a cursor',
    );
  }
  return last as number;
}
