import { Clock } from '@concordat/engine';
import { Deadlines } from './deadlines.js';

class ManualClock extends Clock {
  private time = 1_000;
  private timers: { at: number; task: () => void }[] = [];
  now(): number {
    return this.time;
  }
  wallNow(): number {
    return this.time;
  }
  after(ms: number, task: () => void): () => void {
    const timer = { at: this.time + ms, task };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }
  get armed(): number {
    return this.timers.length;
  }
  /** Lets time pass; a timer that was armed for a moment in between fires at that moment. */
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
  /** The process sleeps: no timer fires until the end. */
  sleep(ms: number): void {
    this.time += ms;
  }
}

describe('deadlines', () => {
  const setUp = () => {
    const clock = new ManualClock();
    const due: [string, number][] = [];
    const deadlines = new Deadlines<string>(clock, (item) => due.push([item, clock.now()]));
    return { clock, due, deadlines };
  };

  it('are never early and at most two buckets late', () => {
    const { clock, due, deadlines } = setUp();
    const start = clock.now();
    for (const ms of [1, 15, 16, 17, 100, 999]) deadlines.add(String(ms), ms);
    clock.pass(2_000);
    expect(due.map(([item]) => item)).toEqual(['1', '15', '16', '17', '100', '999']);
    for (const [item, at] of due) {
      expect(at - start).toBeGreaterThanOrEqual(Number(item));
      expect(at - start).toBeLessThanOrEqual(Number(item) + 32);
    }
  });

  it('share one timer, which stops when nothing waits', () => {
    const { clock, due, deadlines } = setUp();
    const buckets = Array.from({ length: 1_000 }, (_, i) => deadlines.add(`${i}`, 60_000 + i));
    expect(clock.armed).toBe(1);
    buckets.forEach((bucket, i) => deadlines.remove(`${i}`, bucket));
    clock.pass(20);
    expect(clock.armed).toBe(0);
    clock.pass(120_000);
    expect(due).toEqual([]);
    deadlines.add('again', 10);
    clock.pass(50);
    expect(due.map(([item]) => item)).toEqual(['again']);
  });

  it('all fire after the process was stopped for an hour', () => {
    const { clock, due, deadlines } = setUp();
    for (const ms of [5, 500, 50_000]) deadlines.add(String(ms), ms);
    deadlines.add('later', 2 * 3_600_000);
    clock.sleep(3_600_000);
    clock.pass(20);
    expect(due.map(([item]) => item)).toEqual(['5', '500', '50000']);
    clock.pass(2 * 3_600_000);
    expect(due.map(([item]) => item)).toContain('later');
  });

  it('may be set again by what a deadline calls', () => {
    const clock = new ManualClock();
    let rounds = 0;
    const deadlines: Deadlines<string> = new Deadlines(clock, (item) => {
      rounds += 1;
      if (rounds < 5) deadlines.add(item, 30);
    });
    deadlines.add('round', 30);
    clock.pass(1_000);
    expect(rounds).toBe(5);
    expect(clock.armed).toBe(0);
  });
});
