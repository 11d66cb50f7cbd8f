/** The register's time: the database's time counted on, whatever this machine's wall clock says. */
import { Clock } from '@concordat/engine';
import { RegisterClock } from './register-clock.js';

const DAY = 24 * 3_600_000;

class SetClock extends Clock {
  monotonicMs = 1_000;
  wallMs = 5_000_000;
  override now(): number {
    return this.monotonicMs;
  }
  override wallNow(): number {
    return this.wallMs;
  }
  override after(): () => void {
    throw new Error('no timers here');
  }
}

describe('The register clock', () => {
  let own: SetClock;
  let clock: RegisterClock;

  beforeEach(() => {
    own = new SetClock();
    clock = new RegisterClock(own);
  });

  /** Asks a database whose clock reads so at the middle of a round trip. */
  const hear = (databaseMs: number, roundTripMs = 10): void =>
    clock.heard({
      databaseMs,
      askedAt: own.monotonicMs - roundTripMs / 2,
      answeredAt: own.monotonicMs + roundTripMs / 2,
    });

  it("is this machine's until the database has reported its own, and says that it does not know", () => {
    expect(clock.wallNow()).toBe(5_000_000);
    expect(clock.aheadMs()).toBeUndefined();
  });

  it('counts on from what the database said, with any setting of the wall clock', () => {
    hear(5_000_000);
    own.wallMs += 8 * DAY;
    own.monotonicMs += 250;
    expect(clock.wallNow()).toBe(5_000_250);
    expect(clock.aheadMs()).toBe(8 * DAY - 250);
    own.wallMs -= 16 * DAY;
    expect(clock.wallNow()).toBe(5_000_250);
    expect(clock.aheadMs()).toBe(-8 * DAY - 250);
  });

  it('is not moved by an answer that agrees within its own round trip', () => {
    hear(5_000_000, 2);
    hear(5_000_000 + 400, 1_000);
    expect(clock.wallNow()).toBe(5_000_000);
    hear(5_000_000 + 2_000, 1_000);
    expect(clock.wallNow()).toBe(5_000_000 + 1_500); // No further than it must be.
  });

  it('never goes back for a small step of the database, and waits until that is over', () => {
    hear(5_000_000, 0);
    hear(5_000_000 - 3_000, 0);
    expect(clock.wallNow()).toBeGreaterThanOrEqual(5_000_000 - 3_000);
    const shown = clock.wallNow();
    own.monotonicMs += 100;
    expect(clock.wallNow()).toBe(shown + 100);
    hear(shown + 100 - 2_000, 0);
    expect(clock.wallNow()).toBe(shown + 100);
    own.monotonicMs += 2_000;
    expect(clock.wallNow()).toBe(shown + 100);
    own.monotonicMs += 1;
    expect(clock.wallNow()).toBe(shown + 101);
  });

  it('follows the database over a large step', () => {
    hear(5_000_000 + 8 * DAY, 0);
    expect(clock.aheadMs()).toBe(-8 * DAY);
    expect(clock.wallNow()).toBe(5_000_000 + 8 * DAY);
    hear(5_000_000, 0);
    expect(clock.wallNow()).toBe(5_000_000);
    expect(clock.aheadMs()).toBe(0);
  });
});
