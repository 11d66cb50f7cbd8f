/**
 * The times of a transaction are the register's, where it has a row, and never before the events they follow.
 */
import type { Incarnation, TransactionId } from '@concordat/protocol';
import { Instants } from './instants.js';
import { Clock, type StandingDecision } from './ports/index.js';

const ROW: StandingDecision = {
  transaction: 't' as TransactionId,
  decision: 'commit',
  branches: [],
  finisher: 'f' as Incarnation,
  decidedAtMs: 50_000,
  heuristics: [],
};

class SetClock extends Clock {
  monotonic = 100;
  wall = 50_003;

  override now(): number {
    return this.monotonic;
  }

  override wallNow(): number {
    return this.wall;
  }

  override after(): () => void {
    throw new Error('nothing here waits');
  }

  pass(ms: number): void {
    this.monotonic += ms;
    this.wall += ms;
  }
}

describe('The instants of a transaction', () => {
  let clock: SetClock;
  let instants: Instants;

  beforeEach(() => {
    clock = new SetClock();
    instants = new Instants(clock);
  });

  it('are its owner’s where no decision is on record', () => {
    expect(instants.ofDecision()).toEqual({ at: 100, atMs: 50_003 });
    clock.pass(7);
    expect(instants.ofEnd()).toBe(50_010);
  });

  it('are those of the row on record, not of the moment at which it is read', () => {
    instants.stands(ROW, 95);
    clock.pass(4);
    expect(instants.ofDecision()).toEqual({ at: 104, atMs: 50_000 });
  });

  it('are those of an abort on record, whenever its branches have received it', () => {
    instants.stands({ ...ROW, decision: 'abort', endedAtMs: 50_000 });
    clock.pass(30);
    expect(instants.ofEnd()).toBe(50_000);
  });

  it('stay: the end that is noted is the end that is reported', () => {
    instants.stands(ROW, 95);
    clock.pass(10);
    const noted = instants.endsAfterMs();
    clock.pass(10);
    expect(instants.ofEnd()).toBe(50_000 + noted);
  });

  it.each([
    ['a clock that agrees', 50_003, 50_014],
    ['one that is an hour behind', 50_003 - 3_600_000, 50_010],
    ['one that is an hour ahead', 50_003 + 3_600_000, 50_015],
  ])('are as far from the decision as the monotonic clock says, by %s', (_, wall, end) => {
    instants.stands(ROW, 95); // Asked at 95, answered at 100.
    clock.wall = wall;
    clock.pass(10);
    expect(instants.ofEnd()).toBe(end);
  });

  it('of a commit that was taken over: its end is not before its decision', () => {
    instants.stands(ROW);
    clock.wall = 40_000;
    expect(instants.ofEnd()).toBe(50_000);
  });
});
