/**
 * What a coordinator does besides transactions: writes its heartbeat and how far back it reaches, settles
 * what departed coordinators left undecided, removes them from the list, prunes past retention. Guards
 * protocol §3: what participants may forget depends on the low-water mark, so a coordinator is removed only
 * when the database has seen no heartbeat for a while *and* the broker reports no responders under its name.
 * Settling does not need to wait that long: the register keeps it safe.
 *
 * Crash windows: every step can be lost or repeated. A lost heartbeat leaves an older floor, which holds the
 * mark further back; a coordinator is removed only after its transactions were settled, so a crash in between
 * leaves it on the list; pruning raises the mark before it deletes.
 */
import {
  ONLY_BRANCH,
  decidedAt,
  forgottenEvidence,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import { mayBeThere, type Liveness } from './liveness.js';
import { Pace } from './pace.js';
import type {
  AbandonedTransactions,
  Clock,
  CoordinatorList,
  InquiryAnswer,
  PrunedRecords,
} from './ports/index.js';
import type { TransactionManager } from './transaction-manager.js';

export interface HousekeepingPorts {
  readonly list: CoordinatorList;
  readonly abandoned: AbandonedTransactions;
  readonly manager: Pick<TransactionManager, 'oldestLive' | 'inquire' | 'recordFound'>;
  readonly liveness: Liveness;
  readonly clock: Clock;
}

export interface HousekeepingOptions {
  readonly incarnation: Incarnation;
  readonly heartbeatMs: number;
  readonly pruneEveryMs: number;
  readonly retentionMs: number;
  /** Of stories, where they are kept for less long than decisions. */
  readonly historyMs?: number;
  /**
   * For how long the database must have seen no heartbeat of a coordinator before its transactions are
   * settled.
   */
  readonly quietMs: number;
  /** The same, before it may be removed from the list. */
  readonly silentMs: number;
}

/** What is worth a line in a log. */
export interface HousekeepingListener {
  pruned(what: PrunedRecords): void;
  struckOff(incarnation: Incarnation): void;
  /** It is tried again in the next round; a register that is away delays housekeeping and nothing else. */
  failed(what: string, error: unknown): void;
}

const ABANDONED_AT_ONCE = 100;

export class Housekeeping {
  private cancel: () => void = () => undefined;
  private running: Promise<void> = Promise.resolve();
  private caring?: Promise<void>;
  private isStopped = false;
  private prunedAt = Number.NEGATIVE_INFINITY;
  private readonly pace: Pace;

  constructor(
    private readonly ports: HousekeepingPorts,
    private readonly options: HousekeepingOptions,
    private readonly listener: HousekeepingListener,
  ) {
    this.pace = new Pace(ports.clock);
  }

  /**
   * Resolves once this coordinator is on the list: nothing may begin before. Rejects with
   * `RegisterUnknown` when it could not be put there.
   */
  async start(): Promise<void> {
    await this.heartbeat();
    this.schedule();
  }

  /** Stops; a coordinator that has ended all its transactions takes itself off the list. */
  async stop(hasEndedAll: boolean): Promise<void> {
    this.isStopped = true;
    this.cancel();
    this.pace.stop();
    await this.running;
    await this.caring;
    if (!hasEndedAll) return; // It stays, and holds the mark back until another proves it gone.
    await this.attempt('leave', () => this.ports.list.forgetCoordinator(this.options.incarnation));
  }

  private schedule(): void {
    if (this.isStopped) return;
    this.cancel = this.ports.clock.after(this.options.heartbeatMs, () => {
      this.running = this.tick().finally(() => this.schedule());
    });
  }

  private async tick(): Promise<void> {
    await this.attempt('heartbeat', () => this.heartbeat());
    // Beside the beats: a coordinator that is asked and silent must not delay them.
    this.caring ??= this.care().finally(() => {
      this.caring = undefined;
    });
  }

  private async care(): Promise<void> {
    await this.attempt('settle', () => this.settleOthers());
    if (this.ports.clock.now() - this.prunedAt < this.options.pruneEveryMs) return;
    this.prunedAt = this.ports.clock.now();
    await this.attempt('prune', async () => {
      const { retentionMs, historyMs } = this.options;
      const pruned = await this.ports.list.prune(retentionMs, historyMs, this.pace);
      if (pruned.decisions + pruned.history > 0) this.listener.pruned(pruned);
    });
  }

  private async heartbeat(): Promise<void> {
    const { incarnation } = this.options;
    const oldestLive = this.ports.manager.oldestLive();
    await this.ports.list.heartbeat({ incarnation, ...(oldestLive ? { oldestLive } : {}) });
  }

  private async settleOthers(): Promise<void> {
    const { list, liveness } = this.ports;
    const { incarnation: self, quietMs, silentMs } = this.options;
    const quiet = (await list.coordinators()).filter(
      (one) => one.incarnation !== self && one.seenAgoMs >= quietMs,
    );
    await Promise.all(
      quiet.map(async ({ incarnation, seenAgoMs, beat }) => {
        const sign = await liveness.of(incarnation);
        if (mayBeThere(sign)) return; // Silence proves nothing, however long it lasts.
        await this.settleAbandoned(incarnation);
        if (seenAgoMs < silentMs) return;
        await list.forgetCoordinator(incarnation, beat); // Unless it has come back.
        this.listener.struckOff(incarnation);
      }),
    );
  }

  /**
   * What it left undecided can never commit any more, or its participant says that it has: makes that certain, and
   * visible. One that cannot be asked about now keeps none behind it from that. Throws then, at the end.
   */
  private async settleAbandoned(incarnation: Incarnation): Promise<void> {
    const { abandoned } = this.ports;
    let undecided = 0;
    for (let after: TransactionId | undefined; ;) {
      const left = await abandoned.abandonedBy(incarnation, ABANDONED_AT_ONCE, after);
      const answers = await Promise.all(left.map((id) => this.settle(id)));
      undecided += answers.filter((one) => one.kind === 'undecided').length;
      if (left.length < ABANDONED_AT_ONCE) break;
      after = left.at(-1);
    }
    if (undecided === 0) return;
    throw new Error(
      `${undecided} transactions of ${incarnation} stay undecided: the register is away, or a participant that decides`,
    );
  }

  /**
   * What its participant has forgotten will never be known: that is put on record, for an operator, before the note of
   * it is past retention too.
   */
  private async settle(transaction: TransactionId): Promise<InquiryAnswer> {
    const { manager } = this.ports;
    const answer = await manager.inquire({ transaction });
    const participant = decidedAt(transaction);
    if (answer.kind === 'forgotten' && participant !== undefined) {
      const evidence = forgottenEvidence(participant, 'it is past retention, there or here');
      await manager.recordFound({ transaction, branch: ONLY_BRANCH, participant, evidence });
    }
    return answer;
  }

  private async attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.listener.failed(what, error);
    }
  }
}
