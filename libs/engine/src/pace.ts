/**
 * Work in the background, a piece at a time, each followed by a rest of three times as long as it took: it so
 * takes a quarter of one session's time at most, however much there is to do, and those who work wait for one
 * piece at most. Nothing depends on it: where it is stopped, the remainder is left for another time.
 */
import type { Clock, Pacing } from './ports/index.js';

const REST_PER_WORK = 3;
const REST_MS_MAX = 1_000;

export class Pace implements Pacing {
  private isStopped = false;
  private owedMs = 0;
  private cutShort: () => void = () => undefined;

  constructor(private readonly clock: Clock) {}

  async piece<T>(work: () => Promise<T>): Promise<T> {
    const from = this.clock.now();
    const result = await work();
    this.owedMs = Math.min((this.clock.now() - from) * REST_PER_WORK, REST_MS_MAX);
    return result;
  }

  async rest(): Promise<boolean> {
    if (this.isStopped) return false;
    await new Promise<void>((resolve) => {
      const cancel = this.clock.after(this.owedMs, resolve);
      this.cutShort = () => {
        cancel();
        resolve();
      };
    });
    return !this.isStopped;
  }

  /** Ends a rest that is under way; nothing follows it. */
  stop(): void {
    this.isStopped = true;
    this.cutShort();
  }
}
