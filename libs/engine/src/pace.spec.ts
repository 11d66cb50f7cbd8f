/** How work in the background leaves most of the time to those who work. */
import { Pace } from './pace.js';
import { Clock } from './ports/index.js';

/** Time passes only where a test says so, or a rest asks for it. */
class Dial extends Clock {
  ms = 0;
  readonly rests: number[] = [];
  held: (() => void) | undefined;

  override now(): number {
    return this.ms;
  }

  override wallNow(): number {
    return this.ms;
  }

  override after(ms: number, task: () => void): () => void {
    this.rests.push(ms);
    if (this.isHeld) this.held = task;
    else queueMicrotask(task);
    return () => (this.held = undefined);
  }

  constructor(private readonly isHeld = false) {
    super();
  }
}

function taking(dial: Dial, ms: number) {
  return () => {
    dial.ms += ms;
    return Promise.resolve('done');
  };
}

describe('Work in pieces', () => {
  it('rests for three times as long as a piece took, and at most for a second', async () => {
    const dial = new Dial();
    const pace = new Pace(dial);
    for (const ms of [40, 8_000]) {
      expect(await pace.piece(taking(dial, ms))).toBe('done');
      expect(await pace.rest()).toBe(true);
    }
    expect(dial.rests).toEqual([120, 1_000]);
  });

  it('ends soon when it is stopped, in a rest too', async () => {
    const dial = new Dial(true);
    const pace = new Pace(dial);
    await pace.piece(taking(dial, 40));
    const resting = pace.rest();
    pace.stop();
    expect(await resting).toBe(false);
    expect(dial.held).toBeUndefined();
    expect(await pace.rest()).toBe(false);
    expect(dial.rests).toEqual([120]);
  });
});
