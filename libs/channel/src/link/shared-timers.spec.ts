/** Long timers share a few of Node's; none is early, none is lost, and each can be cancelled. */
import { Clock } from '@concordat/engine';
import { AsyncLocalStorage } from 'node:async_hooks';
import { SharedTimersClock, SHARED_FROM_MS, SLICE_MS } from './shared-timers.js';
import { SystemClock } from './system.js';

class ManualClock extends Clock {
  private time = 1_000.3;
  private timers: { at: number; task: () => void }[] = [];
  armedSoFar = 0;
  override now(): number {
    return this.time;
  }
  override wallNow(): number {
    return this.time;
  }
  override after(ms: number, task: () => void): () => void {
    const timer = { at: this.time + ms, task };
    this.armedSoFar += 1;
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }
  get armed(): number {
    return this.timers.length;
  }
  /** Lets time pass; a timer that is armed for a moment in between fires at that moment. */
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((one) => one !== next);
      this.time = Math.max(this.time, next.at);
      next.task();
    }
    this.time = end;
  }
}

function setUp() {
  const own = new ManualClock();
  const clock = new SharedTimersClock(own);
  const due: [string, number][] = [];
  const set = (name: string, ms: number) => clock.after(ms, () => due.push([name, clock.now()]));
  return { own, clock, due, set };
}

describe('Timers that are shared', () => {
  it('are never early and at most a slice late', () => {
    const { own, clock, due, set } = setUp();
    const from = clock.now();
    const all = [SHARED_FROM_MS, 250.5, 1_000, 1_007, 9_999.99, 10_000];
    for (const ms of all) set(String(ms), ms);
    own.pass(20_000);
    expect(due.map(([name]) => name)).toEqual(all.map(String));
    for (const [name, at] of due) {
      expect(at - from).toBeGreaterThanOrEqual(Number(name));
      expect(at - from).toBeLessThanOrEqual(Number(name) + SLICE_MS);
    }
  });

  it('of a thousand requests a second take fewer than a hundred of Node’s', () => {
    const { own, due, set } = setUp();
    const cancels: (() => void)[] = [];
    for (let ms = 0; ms < 1_000; ms++) {
      cancels.push(set(`${ms}`, 10_000));
      own.pass(1);
    }
    expect(own.armedSoFar).toBeLessThan(100);
    for (const cancel of cancels) cancel();
    expect(own.armed).toBe(0);
    own.pass(60_000);
    expect(due).toEqual([]);
  });

  it('that are short have one of their own', () => {
    const { own, due, set } = setUp();
    set('a', SHARED_FROM_MS - 1);
    set('b', SHARED_FROM_MS - 1);
    expect(own.armed).toBe(2);
    own.pass(SHARED_FROM_MS - 1);
    expect(due.map(([name]) => name)).toEqual(['a', 'b']);
  });

  it('are cancelled alone, also by one of the same slice, and once', () => {
    const { own, clock, due, set } = setUp();
    const cancelled = set('cancelled', 1_000);
    set('stays', 1_000);
    cancelled();
    cancelled();
    const cancels: (() => void)[] = [];
    clock.after(1_000, () => cancels.forEach((cancel) => cancel()));
    cancels.push(set('cancelled by the one before', 1_000));
    own.pass(2_000);
    expect(due.map(([name]) => name)).toEqual(['stays']);
    cancels[0]?.(); // After its time it changes nothing.
    set('later', 1_000);
    cancels[0]?.();
    own.pass(2_000);
    expect(due.map(([name]) => name)).toEqual(['stays', 'later']);
  });

  it('may be set again by what they call', () => {
    const { own, clock } = setUp();
    let rounds = 0;
    const again = (): void => {
      rounds += 1;
      if (rounds < 5) clock.after(1_000, again);
    };
    clock.after(1_000, again);
    own.pass(10_000);
    expect(rounds).toBe(5);
    expect(own.armed).toBe(0);
  });

  it('run all, though one of them fails, which is as uncaught as ever', () => {
    const { own, clock, due, set } = setUp();
    clock.after(1_000, () => {
      throw new Error('on purpose');
    });
    set('after it', 1_000);
    set('last', 1_000);
    expect(() => own.pass(2_000)).toThrow('on purpose');
    own.pass(1);
    expect(due.map(([name]) => name)).toEqual(['after it', 'last']);
  });

  it('call nothing in the context of another request', async () => {
    const clock = new SharedTimersClock(new SystemClock());
    const request = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const both = ['first', 'second'].map((name) =>
      request.run(
        name,
        () =>
          new Promise<void>((resolve) => {
            clock.after(SHARED_FROM_MS, () => {
              seen.push(request.getStore());
              resolve();
            });
          }),
      ),
    );
    await Promise.all(both);
    expect(seen).toEqual([undefined, undefined]);
  });
});
