/**
 * The resolver: finds the branches that this participant's database holds in doubt and inquires what
 * became of them. At start, when the broker or a coordinator comes back, and every period. Guards
 * protocol §5: a participant never decides alone; without an answer it keeps waiting.
 */
import {
  branchesToInquire,
  formatGid,
  type ClusterId,
  type GidParts,
  type ParticipantName,
} from '@concordat/protocol';
import type { BranchManager } from './branch-manager.js';
import { forEachAtMost } from './pause.js';
import type { Clock, CoordinatorChannel, HeuristicReport, Resource } from './ports/index.js';

export interface ResolverPorts<Session> {
  readonly resource: Pick<Resource<Session>, 'listPrepared'>;
  readonly coordinators: CoordinatorChannel;
  readonly clock: Clock;
}

export interface ResolverOptions {
  readonly cluster: ClusterId;
  readonly participant: ParticipantName;
  readonly periodMs: number;
  /** How long the usual round two is awaited before a branch is asked about. */
  readonly graceMs: number;
  /** Inquiries under way at once. */
  readonly concurrency: number;
  /** Called with why a pass could not look at the database, or why a report is not believed. */
  readonly onFailure?: (why: string) => void;
  /** Called with each branch that stays in doubt after an inquiry, and why. */
  readonly onWaiting?: (branch: GidParts, why: string) => void;
}

export interface ResolverReport {
  readonly inDoubt: number;
  readonly oldestAgeMs: number;
  readonly slotsUsed: number;
  readonly slotsMax: number;
  /** Branches whose decision is no longer known: an operator must look. */
  readonly forgotten: readonly string[];
  readonly lastError?: string;
  /** Passes that failed in a row, and since when (Unix milliseconds). Absent: the last one succeeded. */
  readonly failing?: { readonly passes: number; readonly sinceMs: number };
  /** Unix milliseconds of the last completed look at the database. */
  readonly lookedAtMs?: number;
}

export interface ResolverPass {
  readonly found: number;
  readonly resolved: number;
}

/** A heuristic outcome that no coordinator has confirmed to have recorded yet. */
interface Unreported {
  readonly report: HeuristicReport;
  /** Why it was not believed, when that was said last. */
  disbelieved?: { readonly code: string; readonly reason: string };
}

export class Resolver<Session> {
  private cancel?: () => void;
  private running?: Promise<ResolverPass>;
  private again = false;
  /** What was met here, by gid. */
  private readonly unreported = new Map<string, Unreported>();
  private stopped = true;
  private stopping = false;
  private state: ResolverReport = {
    inDoubt: 0,
    oldestAgeMs: 0,
    slotsUsed: 0,
    slotsMax: 0,
    forgotten: [],
  };

  constructor(
    private readonly ports: ResolverPorts<Session>,
    private readonly manager: BranchManager<Session>,
    private readonly options: ResolverOptions,
  ) {}

  /** Begins with a pass at once, then one every period. */
  start(): void {
    this.stopped = false;
    this.stopping = false;
    this.nudge();
  }

  /** Looks now and without grace: a coordinator that can answer has just come back. */
  nudge(): void {
    if (this.stopped) return;
    if (this.running) {
      this.again = true;
      return;
    }
    void this.round(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.stopping = true;
    this.cancel?.();
    await this.running;
  }

  report(): ResolverReport {
    return this.state;
  }

  /** One look at the database and one inquiry per branch found in doubt. Never rejects. */
  pass(graceMs = this.options.graceMs): Promise<ResolverPass> {
    this.running ??= this.passOnce(graceMs).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async round(graceMs: number): Promise<void> {
    this.cancel?.();
    await this.pass(graceMs);
    if (this.stopped) return;
    if (this.again) {
      this.again = false;
      await this.round(0);
      return;
    }
    this.cancel = this.ports.clock.after(
      this.options.periodMs,
      () => void this.round(this.options.graceMs),
    );
  }

  private async passOnce(graceMs: number): Promise<ResolverPass> {
    const { cluster, concurrency } = this.options;
    const lookedAt = this.ports.clock.now();
    const finishedHere = new Set<string>();
    const forget = this.manager.onFinished((branch, outcome) => {
      // An outcome against the decision has to be reported by the process that finds it.
      if (outcome.kind !== 'heuristic') finishedHere.add(formatGid(branch));
    });
    try {
      const { entries, slotsUsed, slotsMax } = await this.ports.resource.listPrepared(cluster);
      const left = entries.filter(({ gid }) => !finishedHere.has(gid));
      this.manager.reconcile(left, lookedAt);
      const busy = this.manager.busy();
      const found = branchesToInquire(left, { cluster, graceMs, busy });
      const forgotten: string[] = [];
      let resolved = 0;
      await forEachAtMost(concurrency, found, async (parts) => {
        if (this.stopping) return; // The database keeps what is left; the next start finds it.
        // A coordinator that recovers sends what it finds meanwhile: half of a long list needs no inquiry.
        const isFinished = (): boolean => finishedHere.has(formatGid(parts));
        const result = isFinished() ? 'resolved' : await this.resolve(parts, isFinished);
        if (result === 'resolved') resolved += 1;
        if (result === 'forgotten') forgotten.push(formatGid(parts));
      });
      await this.reportHeuristics();
      this.state = {
        inDoubt: left.length - resolved,
        oldestAgeMs: Math.max(0, ...left.map((one) => one.ageMs)),
        slotsUsed,
        slotsMax,
        forgotten,
        lookedAtMs: this.ports.clock.wallNow(),
      };
      return { found: found.length, resolved };
    } catch (error) {
      // The database is away or a standby: nothing is known, so nothing is concluded.
      const lastError = error instanceof Error ? error.message : String(error);
      const { failing } = this.state;
      const passes = (failing?.passes ?? 0) + 1;
      const sinceMs = failing?.sinceMs ?? this.ports.clock.wallNow();
      this.state = { ...this.state, lastError, failing: { passes, sinceMs } };
      this.options.onFailure?.(lastError);
      return { found: 0, resolved: 0 };
    } finally {
      forget();
    }
  }

  /**
   * Crash before the answer: the evidence is only in the database and in this service's log; a branch that
   * was committed manually is found by its outcome row.
   */
  private async reportHeuristics(): Promise<void> {
    for (const [gid, one] of this.unreported) {
      const isUnknown = one.disbelieved?.code === 'unknown-transaction';
      if (isUnknown && !(await this.hasDecision(one))) continue;
      const answer = await this.ports.coordinators.reportHeuristic(one.report);
      if (answer.kind !== 'answered') continue;
      if (answer.answer.recorded) {
        this.unreported.delete(gid);
        continue;
      }
      const { code, reason } = answer.answer;
      if (one.disbelieved?.code !== code) {
        this.options.onFailure?.(
          `the heuristic outcome of ${gid} is not believed (${code}): ${reason}`,
        );
      }
      one.disbelieved = { code, reason };
    }
  }

  /**
   * Whether there is a decision on record to be contradicted. An owner that sends an abort need not write it;
   * if it dies, nothing is on record: the inquiry records the abort in this participant's name.
   */
  private async hasDecision({ report }: Unreported): Promise<boolean> {
    const { transaction, branch, participant } = report;
    const answer = await this.ports.coordinators.inquire({ transaction, branch, participant });
    return answer.kind === 'answered' && answer.answer.kind === 'decided';
  }

  private async resolve(
    parts: GidParts,
    isFinished: () => boolean,
  ): Promise<'resolved' | 'waiting' | 'forgotten'> {
    const { participant } = this.options;
    const { transaction, branch } = parts;
    const answer = await this.ports.coordinators.inquire({ transaction, branch, participant });
    if (answer.kind === 'no-responders') return this.waits(parts, 'no coordinator is there');
    if (answer.kind === 'no-answer') {
      return this.waits(parts, `no coordinator knows the decision: ${answer.why}`);
    }
    switch (answer.answer.kind) {
      case 'undecided':
        return this.waits(parts, 'its transaction is not decided yet');
      case 'forgotten':
        this.waits(
          parts,
          'its transaction is past retention: no coordinator knows the decision any more',
        );
        return 'forgotten';
      case 'decided': {
        if (isFinished()) return 'resolved';
        const key = { ...parts, participant };
        const done = await this.manager.carryOut(key, answer.answer.decision);
        if (done.kind !== 'acknowledged') return this.waits(parts, done.reason);
        if (done.outcome.kind === 'heuristic') {
          const { evidence } = done.outcome;
          const report = { transaction, branch, participant, evidence };
          this.unreported.set(formatGid(key), { report });
        }
        return 'resolved';
      }
    }
  }
  private waits(branch: GidParts, why: string): 'waiting' {
    this.options.onWaiting?.(branch, why);
    return 'waiting';
  }
}
