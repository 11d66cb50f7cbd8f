/**
 * The reader: one transaction, or a page of a list, newest first. Guards "the register is the truth":
 * a page is filtered again after both rows are merged, so that a stale story never shows a
 * transaction under a status it no longer has.
 */
import type { Clock } from '@concordat/engine';
import {
  isTransactionId,
  lowestTransactionIdAt,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import type pg from 'pg';
import { candidateQueries } from './candidates.sql.js';
import { makeCursor, readCursor } from './cursor.js';
import {
  LIMIT_DEFAULT,
  LIMIT_MAX,
  type ListRequest,
  type TransactionFilter,
} from './list-filter.js';
import {
  recordOf,
  summaryOf,
  type RecordRow,
  type TransactionRecord,
  type TransactionSummary,
} from './transaction-record.js';
import { ABANDONED, ATTENTION, READ_RECORDS, READ_SUMMARIES } from './transaction.sql.js';

export interface TransactionPage {
  readonly transactions: readonly TransactionSummary[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

export interface Attention {
  readonly unfinishedCommits: number;
  readonly oldestUnfinishedMs: number;
  readonly unresolvedHeuristics: number;
}

/** Sorts after every transaction id. */
const END = '~';
/** Stories that lag behind make a page short; look on, but not for ever. */
const ROUNDS_MAX = 4;

export class TransactionReader {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly stuckAfterMs: number,
  ) {}

  /** Everything known of a transaction, or undefined. */
  async get(transaction: TransactionId): Promise<TransactionRecord | undefined> {
    const { rows } = await this.pool.query<RecordRow>(READ_RECORDS, [[transaction]]);
    const [row] = rows.filter(isKnown);
    return row && recordOf(row);
  }

  /** A page of a list, newest first. Rejects with CursorRefused for a cursor of another list. */
  async list(request: ListRequest): Promise<TransactionPage> {
    const { limit: wanted, cursor, ...filter } = request;
    const limit = Math.min(Math.max(1, Math.trunc(wanted ?? LIMIT_DEFAULT)), LIMIT_MAX);
    let before: string = cursor === undefined ? END : readCursor(filter, cursor);
    const transactions: TransactionSummary[] = [];
    for (let round = 1; ; round++) {
      const missing = limit - transactions.length;
      const ids = await this.candidates(filter, before, missing + 1);
      const page = ids.slice(0, missing);
      transactions.push(...(await this.summaries(page)).filter((one) => fits(one, filter)));
      if (ids.length <= missing) return { transactions };
      const last = page[page.length - 1] as TransactionId;
      if (transactions.length >= limit || round === ROUNDS_MAX) {
        return { transactions, nextCursor: makeCursor(filter, last) };
      }
      before = last;
    }
  }

  /**
   * Undecided transactions that an incarnation left in the journal, oldest first. Once it is proven
   * dead, inquiring about each makes an abort stand and takes them off the list of the stuck.
   */
  async abandonedBy(incarnation: Incarnation, limit: number): Promise<TransactionId[]> {
    const { rows } = await this.pool.query<{ transaction: TransactionId }>(ABANDONED, [
      incarnation,
      limit,
    ]);
    return rows.map((row) => row.transaction);
  }

  /** The counts that alerts look at. */
  async attention(): Promise<Attention> {
    const { rows } = await this.pool.query<{
      unfinished_commits: number;
      oldest_unfinished_ms: number | null;
      unresolved_heuristics: number;
    }>(ATTENTION);
    const [row] = rows;
    return {
      unfinishedCommits: row?.unfinished_commits ?? 0,
      oldestUnfinishedMs: Math.max(0, Math.round(row?.oldest_unfinished_ms ?? 0)),
      unresolvedHeuristics: row?.unresolved_heuristics ?? 0,
    };
  }

  private async candidates(
    filter: TransactionFilter,
    before: string,
    limit: number,
  ): Promise<TransactionId[]> {
    const now = this.clock.wallNow();
    const { olderThanMs } = filter;
    // Ids sort by time, so an age is nothing but another end of the keyset.
    const made = olderThanMs === undefined ? END : lowestTransactionIdAt(now - olderThanMs);
    const queries = candidateQueries(filter, {
      before: before < made ? before : made,
      limit,
      stuckBefore: lowestTransactionIdAt(now - this.stuckAfterMs),
      stuckAfterMs: this.stuckAfterMs,
    });
    const ids = new Set<TransactionId>();
    for (const { text, values } of queries) {
      const { rows } = await this.pool.query<{ transaction: TransactionId }>(text, [...values]);
      for (const row of rows) ids.add(row.transaction);
    }
    return [...ids].sort((a, b) => (a < b ? 1 : -1)).slice(0, limit);
  }

  private async summaries(ids: readonly TransactionId[]): Promise<TransactionSummary[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.pool.query<RecordRow>(READ_SUMMARIES, [[...ids]]);
    const found = new Map(rows.filter(isKnown).map((row) => [row.transaction, summaryOf(row)]));
    return ids.flatMap((id) => found.get(id) ?? []);
  }
}

function isKnown(row: RecordRow): boolean {
  return (
    isTransactionId(row.transaction) &&
    (row.j_status !== null || row.d_decision !== null || row.heuristics !== null)
  );
}

function fits(one: TransactionSummary, filter: TransactionFilter): boolean {
  return filter.status === undefined || one.status === filter.status;
}
