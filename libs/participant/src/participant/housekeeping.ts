/**
 * What is done now and then: forgetting outcome rows that nobody can ask for, and looking after
 * branches with hooks that another instance may have finished. Guards protocol §3: rows go only below
 * the coordinators' low-water mark *and* past retention.
 */
import { formatGid, type ClusterId } from '@concordat/protocol';
import type { BranchKey, BranchManager, Clock, CoordinatorChannel } from '@concordat/engine';
import type { BranchHooks } from '../branch/branch-hooks.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import type { PostgresSession } from '../postgres/branch-session.js';
import type { ParticipantLog } from './participant-options.js';

export interface HousekeepingPorts {
  readonly resource: PostgresResource;
  readonly coordinators: CoordinatorChannel;
  readonly manager: BranchManager<PostgresSession>;
  readonly hooks: BranchHooks;
  readonly clock: Clock;
  readonly log: ParticipantLog;
}

export interface HousekeepingOptions {
  readonly cluster: ClusterId;
  readonly retentionMs: number;
  readonly prunePeriodMs: number;
  /** How long a branch with hooks may be silent before its outcome is looked up. */
  readonly hookPatienceMs: number;
}

export class Housekeeping {
  private readonly cancels = new Set<() => void>();
  private stopped = false;
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly ports: HousekeepingPorts,
    private readonly options: HousekeepingOptions,
  ) {}

  start(): void {
    this.every(this.options.prunePeriodMs, () => this.prune());
    this.every(this.options.hookPatienceMs, () => this.lookAfterHooks());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const cancel of this.cancels) cancel();
    await Promise.allSettled([...this.underWay]);
  }

  /** Forgets what is below the mark and past retention. Without a coordinator nothing is forgotten. */
  async prune(): Promise<void> {
    const answer = await this.ports.coordinators.lowWaterMark();
    if (answer.kind !== 'answered') return;
    const { retentionMs } = this.options;
    await this.ports.resource.prune({ below: answer.answer.below, retentionMs });
  }

  /** Tells hooks the outcome of branches that other instances finished. */
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

  private every(ms: number, task: () => Promise<void>): void {
    const cancel = this.ports.clock.after(ms, () => {
      this.cancels.delete(cancel);
      const run = task()
        .catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          this.ports.log.warn(`housekeeping waits for a better moment: ${why}`);
        })
        .finally(() => {
          this.underWay.delete(run);
          if (!this.stopped) this.every(ms, task);
        });
      this.underWay.add(run);
    });
    this.cancels.add(cancel);
  }
}
