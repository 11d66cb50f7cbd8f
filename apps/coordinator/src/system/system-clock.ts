/**
 * The machine's clock behind the engine's port: the only place of the coordinator that reads time
 * or sets a timer for the protocol. Guards "safety never rests on a clock": `now` is monotonic and
 * compared only with itself; wall time is for people and for the time-ordered part of ids.
 */
import { Clock } from '@concordat/engine';

/** The longest delay a Node timer takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class SystemClock extends Clock {
  override now(): number {
    return performance.now();
  }

  override wallNow(): number {
    return Date.now();
  }

  override after(ms: number, task: () => void): () => void {
    const delay = Math.min(Math.max(0, Math.ceil(ms)), TIMER_MS_MAX);
    const timer = setTimeout(task, delay);
    return () => clearTimeout(timer);
  }
}
