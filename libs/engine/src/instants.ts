/**
 * When a transaction was decided and when it ended, as everybody tells it: its owner from memory, every
 * other coordinator from the register, and history later. Guards "one transaction, one account of it": the
 * register's row has the database's time of the decision, so that is what is told here too; and the end that
 * is told here is what the row is given. For people and for pruning; no step of the protocol looks at it.
 */
import type { Clock, StandingDecision } from './ports/index.js';

/** What the register's row says, and when, by the monotonic clock, it can have been made. */
interface Standing {
  readonly decidedAtMs: number;
  readonly endedAtMs?: number;
  /** It was made to stand between these two; absent where another one made it. */
  readonly made?: { readonly askedAt: number; readonly answeredAt: number };
}

export class Instants {
  private standing?: Standing;
  private decidedAtMs?: number;
  private endedAtMs?: number;

  constructor(private readonly clock: Clock) {}

  /** Takes what stands; `askedAt` where what was asked then has made it. */
  stands({ decidedAtMs, endedAtMs }: StandingDecision, askedAt?: number): void {
    const answeredAt = this.clock.now();
    this.standing = {
      decidedAtMs,
      ...(endedAtMs === undefined ? {} : { endedAtMs }),
      ...(askedAt === undefined ? {} : { made: { askedAt, answeredAt } }),
    };
  }

  /** The decision, which is known from now on: by the monotonic clock, and in Unix milliseconds. */
  ofDecision(): { readonly at: number; readonly atMs: number } {
    const { clock, standing } = this;
    this.decidedAtMs ??= standing?.decidedAtMs ?? clock.wallNow();
    return { at: clock.now(), atMs: this.decidedAtMs };
  }

  /**
   * The end, in Unix milliseconds; now, at the first call. An abort that stands has ended in the register
   * already. Of a commit that this process made to stand, the monotonic clock says within what bounds of its
   * decision it ends, whatever happens to any other clock.
   */
  ofEnd(): number {
    this.endedAtMs ??= this.standing?.endedAtMs ?? this.now(this.ofDecision().atMs);
    return this.endedAtMs;
  }

  /** How many whole milliseconds lie between the two. */
  endsAfterMs(): number {
    return this.ofEnd() - this.ofDecision().atMs;
  }

  private now(decidedAtMs: number): number {
    const { clock, standing } = this;
    // Rounded up: an end that is told lies after everything that it followed.
    const ms = clock.wallNow() + 1;
    const made = standing?.made;
    if (!made) return Math.max(decidedAtMs, standing ? ms : ms - 1);
    const now = clock.now();
    const lowest = decidedAtMs + Math.floor(now - made.answeredAt);
    const highest = decidedAtMs + Math.ceil(now - made.askedAt);
    return Math.min(highest, Math.max(lowest, ms));
  }
}
