import { SystemClock } from './system.js';
import { Lane } from './lane.js';

/** A task that ends on command. */
function task() {
  let end: (how: 'well' | 'badly') => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = (how) => (how === 'well' ? resolve() : reject(new Error('failed')));
  });
  let started = false;
  return {
    run: () => {
      started = true;
      return ended;
    },
    end,
    get started() {
      return started;
    },
  };
}

describe('a lane', () => {
  it('runs so many at once, lets so many wait, turns away the rest, and keeps their order', async () => {
    const lane = new Lane(new SystemClock(), { running: 2, waiting: 3 });
    const tasks = Array.from({ length: 6 }, task);
    expect(tasks.map((one) => lane.admit(one.run))).toEqual([true, true, true, true, true, false]);
    expect(tasks.map((one) => one.started)).toEqual([true, true, false, false, false, false]);
    expect([lane.busy, lane.waiting]).toEqual([2, 3]);
    tasks[1]?.end('badly');
    await new Promise(setImmediate);
    expect(tasks.map((one) => one.started)).toEqual([true, true, true, false, false, false]);
    for (const one of tasks) one.end('well');
    await lane.idle();
    expect([lane.busy, lane.waiting]).toEqual([0, 0]);
    expect(tasks[5]?.started).toBe(false);
  });

  it('is idle when nothing runs, and notifies the callers that wait for it', async () => {
    const lane = new Lane(new SystemClock(), { running: 1, waiting: 10 });
    await lane.idle();
    const one = task();
    lane.admit(one.run);
    let idle = false;
    const waiting = lane.idle().then(() => (idle = true));
    await new Promise(setImmediate);
    expect(idle).toBe(false);
    one.end('well');
    await waiting;
  });

  it('does not grow with what has passed through', async () => {
    const lane = new Lane(new SystemClock(), { running: 1, waiting: 100_000 });
    let ran = 0;
    for (let i = 0; i < 50_000; i++) {
      lane.admit(async () => {
        ran += 1;
      });
    }
    await lane.idle();
    expect(ran).toBe(50_000);
  });
});
