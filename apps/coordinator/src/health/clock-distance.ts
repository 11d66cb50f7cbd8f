/**
 * How far this machine's clock is from the decision database's. Guards "one register, one time": while
 * the two are further apart than a bound, one of them is wrong, and which one is not known here, so
 * nothing begins and nothing is forgotten. Looked at whenever somebody asks, without asking the
 * database: a clock that is set shows at once, and one that is right again is taken at once.
 */
import type { RegisterClock } from '@concordat/decision-log';
import { durationText } from '@concordat/words';
import type { Dependency, DependencyState, ProbeLog } from './readiness.js';

export class ClockDistance implements Dependency {
  readonly name = 'clock';
  readonly code = 'clock-off';
  readonly seenThrough = {
    name: 'register',
    lastSeen: 'it agreed when the register answered last',
  } as const;
  private wasOff = false;

  constructor(
    private readonly clock: RegisterClock,
    readonly boundMs: number,
    private readonly logger: ProbeLog,
  ) {}

  /** Milliseconds that this machine's clock is ahead; undefined until the database has reported its time. */
  aheadMs(): number | undefined {
    return this.clock.aheadMs();
  }

  /** What is wrong, as a part of a sentence; undefined while the clocks agree. */
  fault(): string | undefined {
    const aheadMs = this.aheadMs();
    if (aheadMs === undefined) return 'the clock of the decision database is not known yet';
    if (Math.abs(aheadMs) <= this.boundMs) return undefined;
    const { boundMs } = this;
    return `the clock of this coordinator is ${distanceText(aheadMs)} the decision database's, and ${durationText(boundMs)} are allowed`;
  }

  known(): DependencyState {
    const fault = this.fault();
    const isOff = fault !== undefined;
    if (isOff !== this.wasOff) {
      this.wasOff = isOff;
      this.logger.warn(
        isOff
          ? `${fault}: nothing begins and nothing is forgotten here until they agree; set the wrong one right`
          : "the clock agrees with the decision database's",
      );
    }
    return isOff ? { ok: false, detail: fault } : { ok: true, detail: 'it agrees' };
  }

  async probe(): Promise<DependencyState> {
    return this.known();
  }
}

/** `3 s ahead of` or `8 d behind`, as read before the name of the other clock. */
export function distanceText(aheadMs: number): string {
  return `${durationText(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead of'}`;
}
