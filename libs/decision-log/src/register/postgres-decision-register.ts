/**
 * The decision register on Postgres: the port's contract, and what the coordinator needs besides it
 * to keep the register small (heartbeats, low-water mark, pruning) and honest (resolving heuristics).
 * Each promise is kept elsewhere in this folder; this class only says who keeps it.
 */
import { DecisionRegister, RegisterUnknown, assertMayPropose, type Clock } from '@concordat/engine';
import type {
  Claimed,
  Decided,
  KeyClaim,
  Pacing,
  Proposal,
  StandingDecision,
} from '@concordat/engine';
import {
  decidedAt,
  ownerOf,
  type BranchId,
  type ClusterId,
  type Decision,
  type HeuristicBranch,
  type Incarnation,
  type TransactionId,
  type TransactionOutcome,
} from '@concordat/protocol';
import type pg from 'pg';
import { NothingToResolve } from '../refusals.js';
import type { SessionOptions } from '../session.js';
import {
  Coordinators,
  type Heartbeat,
  type KnownCoordinator,
  type RegisterName,
} from './coordinators.js';
import { DecisionBatcher, type BatchCounters, type BatchLimits } from './decision-batcher.js';
import { DecisionConnection } from './decision-connection.js';
import { standingOf, type DecisionRow } from './decision-row.js';
import {
  CLAIM_UNFINISHED,
  NOTE_ENDED,
  OLDEST_UNFINISHED,
  READ_DECISIONS,
  READ_HOLDER,
  RECORD_HEURISTIC,
  RESOLVE_HEURISTIC,
  UNFINISHED_FINISHERS,
} from './decision.sql.js';
import { DecisionWriter, type Failing, type WriterCounters } from './decision-writer.js';
import { EndedNotes, type EndedNote } from './ended-notes.js';
import { CLAIM_KEY, UNCLAIM_KEYS } from './key-claim.sql.js';
import { Pruner, type Pruned } from './pruner.js';
import { IS_FORGOTTEN } from './pruning.sql.js';
import type { Whose } from './proposal.js';
import { ask } from './question.js';
import { StandingReads } from './standing-reads.js';

export interface RegisterOptions extends SessionOptions {
  readonly cluster: ClusterId;
  readonly batch: BatchLimits;
  readonly horizonMs: number;
  /** Why nothing may be forgotten now, here or by participants; undefined when it may. */
  readonly mayForget?: () => string | undefined;
  /** Why nothing may be answered from this register now; undefined when it may. */
  readonly mayAnswer?: () => string | undefined;
  readonly whose: Whose;
}

export interface RegisterCounters extends BatchCounters, WriterCounters {
  readonly endedBacklog: number;
}

type ClaimedRow =
  | DecisionRow
  | {
      readonly transaction: null;
      readonly claimed_by: TransactionId;
      readonly claimed_for: string;
    };

export class PostgresDecisionRegister extends DecisionRegister {
  private readonly connection: DecisionConnection;
  private readonly writer: DecisionWriter;
  private readonly batcher: DecisionBatcher;
  private readonly standings: StandingReads;
  private readonly ended: EndedNotes;
  private readonly unclaimed: EndedNotes<KeyClaim>;
  private readonly coordinatorRows: Coordinators;
  private readonly pruner: Pruner;

  constructor(
    private readonly pool: pg.Pool,
    clock: Clock,
    private readonly options: RegisterOptions,
  ) {
    super();
    this.connection = new DecisionConnection(options, options.cluster);
    this.writer = new DecisionWriter(this.connection, clock);
    this.batcher = new DecisionBatcher(this.writer, options.batch, options.whose);
    this.standings = new StandingReads((transactions) => this.readStanding(transactions));
    const gather = { gatherMs: 20, rowsMax: 500 };
    this.ended = new EndedNotes(clock, (notes) => this.writeEnded(notes), gather);
    this.unclaimed = new EndedNotes(clock, (claims) => this.deleteClaims(claims), gather);
    this.coordinatorRows = new Coordinators(pool, clock, options.horizonMs);
    this.pruner = new Pruner(pool, this.coordinatorRows, clock);
  }

  override async decide(proposal: Proposal): Promise<Decided> {
    assertMayPropose(proposal);
    this.assertMayAnswer();
    return this.batcher.decide(proposal);
  }

  override async standing(transaction: TransactionId): Promise<StandingDecision | undefined> {
    this.assertMayAnswer();
    return this.standings.of(transaction);
  }

  override async holderOf(key: string): Promise<StandingDecision | undefined> {
    this.assertMayAnswer();
    const [row] = await ask<DecisionRow>(this.pool, 'holder', READ_HOLDER, [key]);
    return row && standingOf(row);
  }

  override async claim(
    { key, fingerprint, claimant }: KeyClaim,
    instead?: TransactionId,
  ): Promise<Claimed> {
    this.assertMayAnswer();
    const values = [key, fingerprint, claimant, instead ?? null];
    const [row] = await ask<ClaimedRow>(this.pool, 'claim-key', CLAIM_KEY, values);
    if (!row) throw new RegisterUnknown('claim-key returned nothing. Ask again');
    if (row.transaction !== null) return { kind: 'stored', standing: standingOf(row) };
    const { claimed_by, claimed_for } = row;
    return { kind: 'claim', claim: { key, fingerprint: claimed_for, claimant: claimed_by } };
  }

  override unclaim(claim: KeyClaim): void {
    this.unclaimed.note(claim.claimant, claim);
  }

  override async recordHeuristic(
    transaction: TransactionId,
    decision: Decision,
    { branch, participant, evidence }: HeuristicBranch,
  ): Promise<void> {
    this.assertMayAnswer();
    await ask(this.pool, 'record-heuristic', RECORD_HEURISTIC, [
      transaction,
      ownerOf(transaction),
      branch,
      participant,
      decision,
      JSON.stringify(evidence),
      this.options.whose(transaction) ?? null,
      decidedAt(transaction) !== undefined,
    ]);
  }

  /**
   * Settles open heuristics of a transaction with a reason: those of `branches`, which somebody has
   * looked at, or all. One that was recorded meanwhile stays open. The evidence stays.
   */
  async resolveHeuristic(
    transaction: TransactionId,
    resolution: {
      readonly by: string;
      readonly reason: string;
      readonly branches?: readonly BranchId[];
    },
  ): Promise<{ readonly branches: readonly BranchId[] }> {
    this.assertMayAnswer();
    const { by, reason, branches = null } = resolution;
    const values = [transaction, by, reason, branches];
    const rows = await ask<{ branch: BranchId }>(
      this.pool,
      'resolve-heuristic',
      RESOLVE_HEURISTIC,
      values,
    );
    if (rows.length === 0) {
      throw new NothingToResolve(
        `${transaction} has no unresolved heuristic: look at it again, it was resolved or never had one`,
      );
    }
    return { branches: rows.map((row) => row.branch) };
  }

  override noteEnded(
    transaction: TransactionId,
    outcome: TransactionOutcome,
    afterMs: number,
  ): void {
    this.ended.note(transaction, { outcome, afterMs });
  }

  /** Writes the noted ends now. False when the database did not take all of them. */
  flushEnded(): Promise<boolean> {
    return this.ended.flush();
  }

  override async unfinishedFinishers(): Promise<Incarnation[]> {
    this.assertMayAnswer();
    const rows = await ask<{ finisher: Incarnation }>(
      this.pool,
      'unfinished-finishers',
      UNFINISHED_FINISHERS,
    );
    return rows.map((row) => row.finisher);
  }

  override async claimUnfinished(
    from: Incarnation,
    to: Incarnation,
    limit: number,
  ): Promise<StandingDecision[]> {
    this.assertMayAnswer();
    const rows = await ask<DecisionRow>(this.pool, 'claim', CLAIM_UNFINISHED, [from, to, limit]);
    return rows.map(standingOf).sort((a, b) => (a.transaction < b.transaction ? -1 : 1));
  }

  override async oldestUnfinished(): Promise<TransactionId | undefined> {
    this.assertMayAnswer();
    const [row] = await ask<{ transaction: TransactionId }>(this.pool, 'oldest', OLDEST_UNFINISHED);
    return row?.transaction;
  }

  /** Says that a coordinator lives and how far back it reaches. */
  heartbeat(heartbeat: Heartbeat): Promise<void> {
    return this.coordinatorRows.heartbeat(heartbeat);
  }

  /** Every coordinator that has registered and was not removed. */
  coordinators(): Promise<KnownCoordinator[]> {
    return this.coordinatorRows.list();
  }

  /** The number of the last heartbeat that this process has written; 0 before the first. */
  latestBeat(): number {
    return this.coordinatorRows.latestBeat;
  }

  /**
   * Whether this register holds a heartbeat that a coordinator has written into its own: if not, the
   * two are not one. Rejects with `RegisterUnknown` when it cannot look.
   */
  holdsBeat(incarnation: Incarnation, beat: number): Promise<boolean> {
    return this.coordinatorRows.holdsBeat(incarnation, beat);
  }

  /** What this register is called, for people. Rejects with `RegisterUnknown`. */
  name(): Promise<RegisterName> {
    return this.coordinatorRows.name();
  }

  /**
   * Takes a coordinator out of the low-water mark, once it is proven dead or has drained; with `ifBeat`
   * only while that is still its last heartbeat.
   */
  forgetCoordinator(incarnation: Incarnation, ifBeat?: number): Promise<void> {
    return this.coordinatorRows.forget(incarnation, ifBeat);
  }

  /**
   * No transaction below is live or unended anywhere. Rejects with `RegisterUnknown` also while nothing
   * may be forgotten.
   */
  async lowWaterMark(): Promise<TransactionId> {
    this.assertMayForget();
    return this.coordinatorRows.lowWaterMark();
  }

  /** Whether it is below the pruning mark and no decision is on record: it will never be decided any more. */
  async isForgotten(transaction: TransactionId): Promise<boolean> {
    this.assertMayAnswer();
    const [row] = await ask<{ forgotten: boolean }>(this.pool, 'forgotten', IS_FORGOTTEN, [
      transaction,
    ]);
    return row?.forgotten === true;
  }

  /**
   * Deletes what ended longer than `retentionMs` ago, by the database's clock, and is below the low-water
   * mark; histories already after `historyMs`, where that is shorter. In pieces at the given pace. Rejects with `RegisterUnknown` also
   * while nothing may be deleted.
   */
  async prune(retentionMs: number, historyMs?: number, pace?: Pacing): Promise<Pruned> {
    this.assertMayForget();
    return this.pruner.prune(retentionMs, historyMs, pace);
  }

  counters(): RegisterCounters {
    return {
      ...this.batcher.counters,
      ...this.writer.counters,
      endedBacklog: this.ended.backlog,
    };
  }

  /** Whether decides have been failing since one was last answered. */
  failing(): Failing | undefined {
    return this.writer.failing;
  }

  /** Why the last decide was unknown, for the health page. */
  lastUnknown(): Error | undefined {
    return this.writer.lastUnknown;
  }

  /** Lets running batches be settled and noted ends be written; the pool stays with its owner. */
  async close(): Promise<void> {
    await this.batcher.close();
    await Promise.all([this.ended.close(), this.unclaimed.close()]);
    await this.connection.close();
  }

  /** Unknown, for any question: no caller may conclude anything, and each asks again. */
  private assertMayAnswer(): void {
    const why = this.options.mayAnswer?.();
    if (why !== undefined) throw new RegisterUnknown(`nothing is answered now: ${why}`);
  }

  private assertMayForget(): void {
    this.assertMayAnswer();
    const why = this.options.mayForget?.();
    if (why !== undefined) throw new RegisterUnknown(`nothing is forgotten now: ${why}`);
  }

  private async readStanding(transactions: readonly TransactionId[]): Promise<StandingDecision[]> {
    const rows = await ask<DecisionRow>(this.pool, 'read', READ_DECISIONS, [transactions]);
    return rows.map(standingOf);
  }

  private async deleteClaims(claims: ReadonlyMap<TransactionId, KeyClaim>): Promise<void> {
    const keys = [...claims.values()].map((one) => one.key);
    await ask(this.pool, 'unclaim-keys', UNCLAIM_KEYS, [[...claims.keys()], keys]);
  }

  private async writeEnded(notes: ReadonlyMap<TransactionId, EndedNote>): Promise<void> {
    const values = [...notes.values()];
    await ask(this.pool, 'note-ended', NOTE_ENDED, [
      [...notes.keys()],
      values.map((one) => one.outcome),
      values.map((one) => one.afterMs),
    ]);
  }
}
