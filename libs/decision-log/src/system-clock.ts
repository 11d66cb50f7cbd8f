/** The clock of this process. Timers never keep the process alive: closing writes what they would. */
import { Clock } from '@concordat/engine';

export class SystemClock extends Clock {
  override now(): number {
    return performance.now();
  }

  override wallNow(): number {
    return Date.now();
  }

  override after(ms: number, task: () => void): () => void {
    const timer = setTimeout(task, ms);
    timer.unref();
    return () => clearTimeout(timer);
  }
}
