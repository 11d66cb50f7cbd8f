/**
 * Settles a batch: insert all, then read what blocked the rest. Guards protocol §3: an
 * answer leaves only when the server said it is durable; a batch that fails for one bad row is split
 * until that row fails alone; everything else that fails is unknown.
 *
 * Crash windows: before the insert is flushed, nothing is on record and no client has an answer. Flushed but
 * the answer lost: the decision is on record, the caller gets "unknown", asks again and finds its own row.
 */
import {
  RegisterUnknown,
  type Clock,
  type Decided,
  type Proposal,
  type StandingDecision,
} from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import { ProposalRefused } from '../refusals.js';
import type { BatchWriter, SettleOne } from './decision-batcher.js';
import type { DecisionConnection } from './decision-connection.js';
import { standingOf, type DecisionRow } from './decision-row.js';
import { FIND_STANDING, INSERT_DECISIONS } from './decision.sql.js';
import type { WrittenProposal } from './proposal.js';
import { isAboutTheData, isDeadlock, sqlState, unknown } from './unknown.js';

/** The holder of a key, or a blocking row, can be pruned between two statements; not without end. */
const ROUNDS_MAX = 5;

export interface WriterCounters {
  unknowns: number;
  refused: number;
  splits: number;
}

/** Decides that became unknown one after another, with none between them that was answered. */
export interface Failing {
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly error: Error;
}

interface Inserted {
  readonly transaction: TransactionId;
  readonly decided_at_ms: number;
}

type Found = { readonly asked: TransactionId; readonly below_mark: boolean } & (
  | DecisionRow
  | { readonly transaction: null }
);

export class DecisionWriter implements BatchWriter {
  readonly counters: WriterCounters = { unknowns: 0, refused: 0, splits: 0 };
  lastUnknown?: Error;
  /** By the monotonic clock; absent once the database has answered again. */
  failing?: Failing;

  constructor(
    private readonly connection: DecisionConnection,
    private readonly clock: Clock,
  ) {}

  async settle(batch: readonly WrittenProposal[], settle: SettleOne): Promise<void> {
    // One order for all coordinators, so that batches wait for each other but rarely deadlock.
    const ordered = [...batch].sort((a, b) =>
      a.proposal.transaction < b.proposal.transaction ? -1 : 1,
    );
    await this.settlePart(ordered, settle);
  }

  private async settlePart(part: readonly WrittenProposal[], settle: SettleOne): Promise<void> {
    let open = part;
    try {
      for (let round = 1; open.length > 0; round++) {
        open = await this.insert(open, settle);
        if (open.length > 0) open = await this.findStanding(open, settle);
        if (round === ROUNDS_MAX && open.length > 0) {
          throw new RegisterUnknown('what is on record kept changing while it was read. Ask again');
        }
      }
    } catch (error) {
      await this.judge(error, open, settle);
    }
  }

  /** Inserts, settles what was inserted, and returns the rest. */
  private async insert(
    open: readonly WrittenProposal[],
    settle: SettleOne,
  ): Promise<WrittenProposal[]> {
    const rows = await this.connection.query<Inserted & Record<string, unknown>>(
      'concordat-decide',
      INSERT_DECISIONS,
      [rowsOf(open)],
    );
    this.failing = undefined;
    const at = new Map(rows.map((row) => [row.transaction, row.decided_at_ms]));
    return open.filter((one) => {
      const { transaction } = one.proposal;
      const decidedAtMs = at.get(transaction);
      if (decidedAtMs === undefined) return true;
      const decided: Decided = { kind: 'on-record', standing: made(one, decidedAtMs), byUs: true };
      settle(transaction, { decided });
      return false;
    });
  }

  /** Settles what is on record already, and returns what has to be proposed once more. */
  private async findStanding(
    open: readonly WrittenProposal[],
    settle: SettleOne,
  ): Promise<WrittenProposal[]> {
    const rows = await this.connection.query<Found & Record<string, unknown>>(
      'concordat-standing',
      FIND_STANDING,
      [open.map((one) => one.proposal.transaction), open.map((one) => one.key)],
    );
    return open.filter(({ proposal: { transaction } }) => {
      const decided = judgeFound(
        transaction,
        rows.filter((row) => row.asked === transaction),
      );
      if (decided) settle(transaction, { decided });
      return !decided;
    });
  }

  private async judge(
    error: unknown,
    open: readonly WrittenProposal[],
    settle: SettleOne,
  ): Promise<void> {
    // The server rolled all of it back and said so: nothing of this part is on record because of us.
    if (isAboutTheData(error) || (isDeadlock(error) && open.length > 1)) {
      const [only, ...others] = open;
      if (only && others.length === 0) {
        this.counters.refused += 1;
        settle(only.proposal.transaction, { failed: refused(only, error) });
        return;
      }
      this.counters.splits += 1;
      const middle = Math.ceil(open.length / 2);
      await this.settlePart(open.slice(0, middle), settle);
      await this.settlePart(open.slice(middle), settle);
      return;
    }
    this.counters.unknowns += 1;
    this.connection.discard();
    const failed = unknown('decide', error);
    this.lastUnknown = failed;
    const now = this.clock.now();
    this.failing = { sinceMs: this.failing?.sinceMs ?? now, lastMs: now, error: failed };
    for (const one of open) settle(one.proposal.transaction, { failed });
  }
}

/** A batch in its order, as the insert reads it. */
function rowsOf(batch: readonly WrittenProposal[]): string {
  return JSON.stringify(
    batch.map(({ proposal, branches, key, fingerprint, answer, note, principal }) => ({
      transaction: proposal.transaction,
      decision: proposal.proposed,
      finisher: proposal.finisher,
      ...{ branches, key, fingerprint, answer, note, principal },
      ...(proposal.isCopy ? { copy: true } : {}),
    })),
  );
}

function isCommittedThere({ isCopy, proposed }: Proposal): boolean {
  return isCopy === true && proposed === 'commit';
}

/** What is on record because this very proposal was inserted. */
function made(written: WrittenProposal, decidedAtMs: number): StandingDecision {
  const { proposal, key, principal } = written;
  const at = Math.round(decidedAtMs);
  return {
    transaction: proposal.transaction,
    decision: proposal.proposed,
    branches: proposal.proposed === 'commit' ? proposal.branches : [],
    finisher: proposal.finisher,
    ...(principal !== null ? { principal } : {}),
    decidedAtMs: at,
    ...(proposal.proposed === 'abort' ? { endedAtMs: at, outcome: 'aborted' as const } : {}),
    ...(isCommittedThere(proposal) ? { endedAtMs: at, outcome: 'committed' as const } : {}),
    heuristics: [],
    ...(key !== null && proposal.idempotency ? { idempotency: proposal.idempotency } : {}),
    ...(written.answer !== null ? { answer: proposal.answer } : {}),
  };
}

/** Own row first, then the mark, then the key: undefined when none of them blocks it now. */
function judgeFound(transaction: TransactionId, rows: readonly Found[]): Decided | undefined {
  const standing = rows.filter((row): row is Found & DecisionRow => row.transaction !== null);
  const own = standing.find((row) => row.transaction === transaction);
  if (own) return { kind: 'on-record', standing: standingOf(own), byUs: false };
  if (rows.some((row) => row.below_mark)) return { kind: 'forgotten' };
  const [holder] = standing;
  return holder ? { kind: 'key-taken', holder: standingOf(holder) } : undefined;
}

function refused(one: WrittenProposal, error: unknown): ProposalRefused {
  const why = error instanceof Error ? error.message : String(error);
  return new ProposalRefused(
    `the decision database refuses what was proposed for ${one.proposal.transaction} ` +
      `(SQLSTATE ${sqlState(error) ?? 'none'}: ${why}): nothing was decided; correct the proposal`,
    { cause: error },
  );
}
