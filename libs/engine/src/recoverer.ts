/**
 * The recoverer: finishes commits on record whose finisher is not alive, at start and periodically, and looks
 * for ends of its own coordinator that were noted without force and are lost. Guards protocol §5. A wrong
 * guess about which coordinator is alive costs repeated messages, never a wrong outcome: the decision is
 * already on record, and commits are idempotent.
 */
import { finishersToTakeOver, type Incarnation } from '@concordat/protocol';
import { isWorthTrying, type Liveness } from './liveness.js';
import { RegisterUnknown, type Clock, type DecisionRegister } from './ports/index.js';
import type { TransactionManager } from './transaction-manager.js';

export interface RecovererPorts {
  readonly register: DecisionRegister;
  readonly liveness: Liveness;
  readonly clock: Clock;
}

export interface RecovererOptions {
  readonly incarnation: Incarnation;
  readonly periodMs: number;
  /** Commits claimed at once. */
  readonly batch: number;
  /** Claiming pauses while this many transactions are live here. */
  readonly liveMax?: number;
}

export interface RecoveryPass {
  readonly atMs: number;
  readonly claimed: number;
  /** Finishers found dead in this pass. */
  readonly dead: number;
}

export class Recoverer {
  private cancel?: () => void;
  private running?: Promise<{ claimed: number }>;
  private stopped = true;
  private last?: RecoveryPass;
  /** A claim whose answer was lost may have succeeded: those commits are ours now, unknown to us. */
  private doubtfulClaim = false;

  constructor(
    private readonly ports: RecovererPorts,
    private readonly manager: TransactionManager,
    private readonly options: RecovererOptions,
  ) {}

  /** Begins with a pass at once, then one every period. */
  start(): void {
    this.stopped = false;
    void this.tick();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.running;
  }

  lastPass(): RecoveryPass | undefined {
    return this.last;
  }

  /** One pass over all unfinished commits. Never rejects for a register that does not answer. */
  pass(): Promise<{ claimed: number }> {
    this.running ??= this.passOnce().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async tick(): Promise<void> {
    await this.pass();
    if (this.stopped) return;
    this.cancel = this.ports.clock.after(this.options.periodMs, () => void this.tick());
  }

  private async passOnce(): Promise<{ claimed: number }> {
    let claimed = 0;
    let dead: Incarnation[] = [];
    try {
      if (this.doubtfulClaim) claimed += await this.recoverOwnClaims();
      const finishers = await this.ports.register.unfinishedFinishers();
      if (finishers.includes(this.options.incarnation)) claimed += await this.recoverLostEnd();
      dead = await this.findDead(finishers);
      for (const from of dead) claimed += await this.takeOverAll(from);
      await this.manager.proveEnds();
    } catch (error) {
      if (!(error instanceof RegisterUnknown)) throw error; // The next pass asks again.
    }
    this.last = { atMs: this.ports.clock.wallNow(), claimed, dead: dead.length };
    return { claimed };
  }

  private async findDead(finishers: readonly Incarnation[]): Promise<Incarnation[]> {
    const alive = new Set<Incarnation>();
    await Promise.all(
      finishers.map(async (one) => {
        if (!isWorthTrying(await this.ports.liveness.of(one))) alive.add(one);
      }),
    );
    return finishersToTakeOver(finishers, alive);
  }

  private async takeOverAll(from: Incarnation): Promise<number> {
    const { batch, liveMax = 10_000 } = this.options;
    let claimed = 0;
    while (this.manager.liveCount() < liveMax) {
      // Crash after the claim: the claim names this incarnation, and the next coordinator finds it
      // dead and claims again. Nothing but time is lost.
      const batchClaimed = await this.claim(from, batch);
      claimed += batchClaimed;
      if (batchClaimed < batch) break;
    }
    return claimed;
  }

  private async claim(from: Incarnation, limit: number): Promise<number> {
    try {
      const { incarnation } = this.options;
      const claimed = await this.ports.register.claimUnfinished(from, incarnation, limit);
      for (const standing of claimed) this.manager.adopt(standing);
      return claimed.length;
    } catch (error) {
      if (error instanceof RegisterUnknown) this.doubtfulClaim = true;
      throw error;
    }
  }

  /** Finds what a lost answer hid: commits claimed by this incarnation that are not live here. */
  private async recoverOwnClaims(): Promise<number> {
    const { incarnation, batch } = this.options;
    const claimed = await this.claim(incarnation, batch + this.manager.liveCount());
    this.doubtfulClaim = false;
    return claimed;
  }

  /**
   * An end is noted without forcing it: a register that crashed or failed over may have lost the note
   * of a commit that this incarnation, alive, has long forgotten. The oldest unfinished commit shows
   * it, and one more round ends it again; the next pass looks at what is the oldest then.
   */
  private async recoverLostEnd(): Promise<number> {
    const oldest = await this.ports.register.oldestUnfinished();
    if (oldest === undefined || this.manager.view(oldest)) return 0;
    const standing = await this.ports.register.standing(oldest);
    return standing?.finisher === this.options.incarnation ? this.recoverOwnClaims() : 0;
  }
}
