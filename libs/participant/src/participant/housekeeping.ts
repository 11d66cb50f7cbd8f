/**
 * Periodic work: deleting outcome rows that no inquiry can need, following up branches with hooks that
 * another instance may have finished, and rolling back probes whose process died at its start. Guards
 * protocol §3: rows go only below the coordinators' low-water mark *and* past retention.
 */
import {
  decidedAt,
  formatGid,
  lowestTransactionIdAt,
  madeAtMs,
  type ClusterId,
  type TransactionId,
} from '@concordat/protocol';
import {
  Pace,
  type BranchKey,
  type BranchManager,
  type Clock,
  type CoordinatorChannel,
} from '@concordat/engine';
import type { BranchHooks } from '../branch/branch-hooks.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import type { PostgresSession } from '../postgres/branch-session.js';
import { sweepProbes } from '../postgres/probe.js';
import type { RecentErrors } from '../inspection/recent-errors.js';
import type { ParticipantLog } from './participant-options.js';

export interface HousekeepingPorts {
  readonly resource: PostgresResource;
  readonly coordinators: CoordinatorChannel;
  readonly manager: BranchManager<PostgresSession>;
  readonly hooks: BranchHooks;
  readonly clock: Clock;
  readonly log: ParticipantLog;
  readonly errors: RecentErrors;
}

export interface HousekeepingOptions {
  readonly cluster: ClusterId;
  readonly retentionMs: number;
  readonly prunePeriodMs: number;
  /** How long a branch with hooks may be silent before its outcome is looked up. */
  readonly hookPatienceMs: number;
}

/** Well before anybody is alarmed by the age of what is prepared. */
const SWEEP_PERIOD_MS = 20_000;

export class Housekeeping {
  private readonly leftProbes = new Set<string>();
  private readonly cancels = new Set<() => void>();
  private stopped = false;
  private isMakingMark = false;
  private readonly underWay = new Set<Promise<void>>();
  private readonly pace: Pace;

  constructor(
    private readonly ports: HousekeepingPorts,
    private readonly options: HousekeepingOptions,
  ) {
    this.pace = new Pace(ports.clock);
  }

  start(): void {
    this.every(this.options.prunePeriodMs, () => this.prune());
    this.ports.resource.onMarkLost(() => this.markLost());
    this.every(this.options.hookPatienceMs, () => this.lookAfterHooks());
    this.every(SWEEP_PERIOD_MS, () => this.sweepProbes());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const cancel of this.cancels) cancel();
    this.pace.stop();
    await Promise.allSettled([...this.underWay]);
  }

  /** Forgets what is below the mark and past retention. Without a coordinator nothing is forgotten. */
  async prune(): Promise<void> {
    const answer = await this.ports.coordinators.lowWaterMark();
    if (answer.kind !== 'answered') return;
    const { retentionMs } = this.options;
    const { below } = answer.answer;
    const byAge = lowestPastRetention(below, retentionMs);
    const { forgottenBelow } = answer.answer;
    const marks = { below: byAge < below ? byAge : below, retentionMs };
    await this.ports.resource.prune(
      { ...marks, ...(forgottenBelow ? { forgottenBelow } : {}) },
      this.pace,
    );
  }

  /** Rolls back what start-up checks left prepared; reports once each one that only another role can. */
  async sweepProbes(): Promise<void> {
    const { resource, log, errors } = this.ports;
    const left = await sweepProbes(resource.secondPhasePool, this.options.cluster);
    for (const { gid, owner } of left) {
      if (this.leftProbes.has(gid)) continue;
      const told = `the probe ${gid} of a start-up check was left prepared by role ${owner}, and this role may not roll it back`;
      log.warn(told);
      errors.note('housekeeping', told);
    }
    this.leftProbes.clear();
    for (const { gid } of left) this.leftProbes.add(gid);
  }

  /** Gives hooks the outcome of branches that other instances finished. */
  async lookAfterHooks(): Promise<void> {
    const { resource, manager, hooks } = this.ports;
    const waiting = hooks.waitingLongerThan(this.options.hookPatienceMs);
    if (waiting.length === 0) return;
    // The list first, the rows second: a branch committed in between is found by its row. The other
    // way round it would be in neither, and taken for aborted.
    const { entries } = await resource.listPrepared(this.options.cluster);
    const open = new Set([...entries.map((one) => one.gid), ...manager.busy()]);
    const outcomes = new Map<string, 'branch' | 'tombstone'>();
    for (const one of await resource.outcomesOf(waiting)) {
      outcomes.set(`${one.transaction}:${one.branch}`, one.kind);
    }
    for (const branch of waiting) {
      if (open.has(formatGid(branch))) continue;
      const isDecided = outcomes.has(`${branch.transaction}:${branch.branch}`);
      // In one phase its COMMIT may be on its way: only a row decides, and a coordinator makes sure that there is one.
      if (!isDecided && decidedAt(branch.transaction) !== undefined) continue;
      hooks.ended(branch, this.endingOf(branch, outcomes));
    }
  }

  private endingOf(
    branch: BranchKey,
    outcomes: ReadonlyMap<string, 'branch' | 'tombstone'>,
  ): 'committed' | 'aborted' {
    const outcome = outcomes.get(`${branch.transaction}:${branch.branch}`);
    return outcome === 'branch' ? 'committed' : 'aborted';
  }

  /** Makes the mark of one phase again, which was met gone: once at a time, and not without a coordinator. */
  private markLost(): void {
    if (this.stopped || this.isMakingMark) return;
    this.isMakingMark = true;
    void this.run(() => this.makeMark()).finally(() => (this.isMakingMark = false));
  }

  private async makeMark(): Promise<void> {
    const { coordinators, resource, log, errors } = this.ports;
    const answer = await coordinators.lowWaterMark();
    if (answer.kind !== 'answered' || !(await resource.restoreMark(answer.answer.below))) return;
    const told = `the row of concordat_closed was gone, and is there again: nothing below ${answer.answer.below} commits in one phase. Leave the tables concordat_* out of what empties this database`;
    log.warn(told);
    errors.note('housekeeping', told);
  }

  private every(ms: number, task: () => Promise<void>): void {
    const cancel = this.ports.clock.after(ms, () => {
      this.cancels.delete(cancel);
      void this.run(task).finally(() => {
        if (!this.stopped) this.every(ms, task);
      });
    });
    this.cancels.add(cancel);
  }

  /** Never rejects. */
  private run(task: () => Promise<void>): Promise<void> {
    const run = task()
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.ports.log.warn(`housekeeping waits for a better moment: ${why}`);
      })
      .finally(() => this.underWay.delete(run));
    this.underWay.add(run);
    return run;
  }
}

/**
 * Ids below this are past retention by the register's clock, which the mark carries. The database says by its
 * own how old a row is: one of the two may be wrong, and then nothing is deleted early.
 */
export function lowestPastRetention(mark: TransactionId, retentionMs: number): TransactionId {
  return lowestTransactionIdAt(Math.max(0, madeAtMs(mark) - retentionMs + 1));
}
