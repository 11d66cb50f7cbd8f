/**
 * When a transaction was decided and when it ended, the same in every report: its owner reads it from memory,
 * other coordinators from the register, later the history. Guards "one transaction, one account of it": the
 * register's row has the database's time of the decision, so the owner reports that time too, and the end
 * that the owner reports is the one written to the row. For people and for pruning; no step of the protocol
 * reads it.
 */
import type { Clock, StandingDecision } from './ports/index.js';

/** What the register's row says, and when, by the monotonic clock, it can have been made. */
interface Standing {
  readonly decidedAtMs: number;
  readonly endedAtMs?: number;
  /** It was recorded between these two; absent where another coordinator recorded it. */
  readonly made?: { readonly askedAt: number; readonly answeredAt: number };
}

export class Instants {
  private standing?: Standing;
  private decidedAtMs?: number;
  private endedAtMs?: number;

  constructor(private readonly clock: Clock) {}

  /** Takes the decision on record; `askedAt` if the request sent then has recorded it. */
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
   * The end, in Unix milliseconds; now, at the first call. An abort on record has already ended in the
   * register. For a commit that this process recorded, the monotonic clock bounds how long after the decision
   * it ended, independent of any other clock.
   */
  ofEnd(): number {
    this.endedAtMs ??= this.standing?.endedAtMs ?? this.now(this.ofDecision().atMs);
    return this.endedAtMs;
  }

  /** How many whole milliseconds are between the two. */
  endsAfterMs(): number {
    return this.ofEnd() - this.ofDecision().atMs;
  }

  private now(decidedAtMs: number): number {
    const { clock, standing } = this;
    // Rounded up: a reported end is later than everything that it followed.
    const ms = clock.wallNow() + 1;
    const made = standing?.made;
    if (!made) return Math.max(decidedAtMs, standing ? ms : ms - 1);
    const now = clock.now();
    const lowest = decidedAtMs + Math.floor(now - made.answeredAt);
    const highest = decidedAtMs + Math.ceil(now - made.askedAt);
    return Math.min(highest, Math.max(lowest, ms));
  }
}
