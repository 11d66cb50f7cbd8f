/**
 * The register's time: what the decision database's clock says, counted on by this process's monotonic
 * counter. Guards "one register, one time": ids, marks and everything compared with them follow one
 * clock at every coordinator, and a wall clock that is wrong or is set shows as a distance between the
 * two, at once, instead of in what is written.
 */
import { Clock } from '@concordat/engine';

/** The database's clock, read by a question of this process. */
export interface TimeReading {
  /** Unix milliseconds of the database's clock, read between the two below. */
  readonly databaseMs: number;
  /** Of this process's monotonic counter. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Steps back up to this are waited out, so that ids stay in the order in which they are made. */
const WAITED_OUT_MS = 5_000;

export class RegisterClock extends Clock {
  /** Database's time minus monotonic counter; undefined until the database has reported it. */
  private offsetMs: number | undefined;
  private latestMs = 0;

  constructor(private readonly own: Clock) {
    super();
  }

  override now(): number {
    return this.own.now();
  }

  override after(ms: number, task: () => void): () => void {
    return this.own.after(ms, task);
  }

  /** The register's time; before the database has reported it, this machine's. */
  override wallNow(): number {
    if (this.offsetMs === undefined) return this.own.wallNow();
    const ms = Math.floor(this.own.now() + this.offsetMs);
    const isWaitedOut = ms < this.latestMs && this.latestMs - ms <= WAITED_OUT_MS;
    if (!isWaitedOut) this.latestMs = ms;
    return this.latestMs;
  }

  /**
   * Takes what the database said. It was read at some moment between question and answer, so what was
   * known before is kept where that agrees, and moved no further than it must be where not.
   */
  heard({ databaseMs, askedAt, answeredAt }: TimeReading): void {
    const [lowest, highest] = [databaseMs - answeredAt, databaseMs - askedAt];
    const known = this.offsetMs ?? (lowest + highest) / 2;
    this.offsetMs = Math.min(highest, Math.max(lowest, known));
  }

  /**
   * How far this machine's wall clock is ahead of the register's time, in milliseconds, now; undefined before
   * the database has reported it.
   */
  aheadMs(): number | undefined {
    if (this.offsetMs === undefined) return undefined;
    return Math.round(this.own.wallNow() - (this.own.now() + this.offsetMs));
  }
}
