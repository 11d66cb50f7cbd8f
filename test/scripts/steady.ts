/** Time and chance without surprises: a network hop takes no time, a backoff is as short as it may be. */
import { NodeClock, Timeline } from '../simulation/timeline.js';
import { Random } from '../simulation/random.js';

/** Ids still differ; every draw is the lowest. */
export class SteadyRandom extends Random {
  override unit(): number {
    return 0;
  }
}

/** The millisecond that the simulated ports need to answer does not show in a story. */
export class SteadyTimeline extends Timeline {
  override at(delayMs: number, task: () => void): () => void {
    return super.at(delayMs <= 1 ? 0 : delayMs, task);
  }
}

/** Unix milliseconds as every process of a story sees them. */
export function wallOf(timeline: Timeline): number {
  return new NodeClock(timeline, () => true).wallNow();
}
