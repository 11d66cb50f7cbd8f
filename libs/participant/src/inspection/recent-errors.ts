/**
 * The last errors of an instance, with their times, for operators. Guards "no personal data in
 * reports": a note says what failed, by gid, code or SQLSTATE; the texts of operations'
 * errors stay in the service's own log.
 */
import type { Clock } from '@concordat/engine';

export interface RecentError {
  readonly atMs: number;
  readonly what: string;
  readonly message: string;
}

const KEPT = 10;
const LENGTH_MAX = 500;

export class RecentErrors {
  private readonly kept: RecentError[] = [];

  constructor(private readonly clock: Clock) {}

  /** Keeps the newest; one that only repeats the newest moves its time. */
  note(what: string, message: string): void {
    const error = { atMs: this.clock.wallNow(), what, message: message.slice(0, LENGTH_MAX) };
    const [newest] = this.kept;
    if (newest?.what === what && newest.message === error.message) this.kept.shift();
    this.kept.unshift(error);
    this.kept.length = Math.min(this.kept.length, KEPT);
  }

  /** Newest first. */
  list(): readonly RecentError[] {
    return [...this.kept];
  }
}
