/**
 * Simulated time: one queue of things to come, played in order of time and then of arrival. Between
 * two of them every promise that can settle does. Also keeps the story of the run.
 */
import { Clock } from '@concordat/engine';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
  cancelled: boolean;
}

/** Promises settle in generations; a macrotask drains them all. */
const drain = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class Timeline {
  now = 0;
  readonly story: string[] = [];
  private readonly heap: Entry[] = [];
  private order = 0;

  at(delayMs: number, task: () => void): () => void {
    const entry = {
      at: this.now + Math.max(0, delayMs),
      order: this.order++,
      task,
      cancelled: false,
    };
    this.push(entry);
    return () => {
      entry.cancelled = true;
    };
  }

  tell(line: string): void {
    this.story.push(`${this.now.toFixed(0).padStart(7)} ${line}`);
  }

  /** Plays everything until `until` milliseconds, or until `done` holds. */
  async play(until: number, done: () => boolean = () => false): Promise<void> {
    await drain();
    for (let next = this.heap[0]; next && next.at <= until && !done(); next = this.heap[0]) {
      this.pop();
      if (next.cancelled) continue;
      this.now = next.at;
      next.task();
      await drain();
    }
    if (!done()) this.now = until;
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry))
        child++;
      if (!before(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A node's own clock: its rate and its wall time may be wrong, and its timers die with it. */
export class NodeClock extends Clock {
  constructor(
    private readonly timeline: Timeline,
    private readonly alive: () => boolean,
    private readonly rate = 1,
    private readonly wallOffsetMs = 0,
  ) {
    super();
  }

  now(): number {
    return this.timeline.now * this.rate;
  }

  wallNow(): number {
    return 1_700_000_000_000 + this.timeline.now + this.wallOffsetMs;
  }

  after(ms: number, task: () => void): () => void {
    return this.timeline.at(ms / this.rate, () => {
      if (this.alive()) task();
    });
  }
}
