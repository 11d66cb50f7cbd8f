/**
 * Simulated time: one queue of things to come, played in order of time and then of arrival. Between
 * two of them every promise that can settle does. Also keeps the story of the run, if asked to.
 */
import { Clock } from '@concordat/engine';

/** Unix milliseconds at the beginning of every run. */
export const EPOCH_MS = 1_700_000_000_000;

/** Lets something into a process when it can be run: at once, later, or never. */
export type Admit = (task: () => void, kind?: 'timer' | 'mail') => void;

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
  cancelled: boolean;
}

/** Lets everything that is already under way on the real event loop settle first. */
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Promises settle in generations. Called from a promise's continuation, the next tick comes only when
 * all generations have, and costs a tenth of a turn of the event loop.
 */
const drain = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

export class Timeline {
  now = 0;
  readonly story: string[] = [];
  private readonly heap: Entry[] = [];
  private order = 0;

  /** Without a story a run takes half the time; it is printed when a seed is run again. */
  constructor(readonly isTold = true) {}

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

  tell(line: string | (() => string)): void {
    if (!this.isTold) return;
    const text = typeof line === 'string' ? line : line();
    this.story.push(`${this.now.toFixed(0).padStart(7)} ${text}`);
  }

  /** Plays everything until `until` milliseconds, or until `done` holds. */
  async play(until: number, done: () => boolean = () => false): Promise<void> {
    await macrotask();
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

/**
 * A node's own clock: its rate and its wall time may be wrong, its wall time may jump, its counter may have
 * paused, and its timers end with it.
 */
export class NodeClock extends Clock {
  private readonly admit: Admit;
  private standstillMs = 0;

  constructor(
    private readonly timeline: Timeline,
    alive: () => boolean,
    private readonly rate = 1,
    private wallOffsetMs = 0,
    admit?: Admit,
  ) {
    super();
    this.admit =
      admit ??
      ((task) => {
        if (alive()) task();
      });
  }

  now(): number {
    return (this.timeline.now - this.standstillMs) * this.rate;
  }

  wallNow(): number {
    return EPOCH_MS + this.timeline.now + this.wallOffsetMs;
  }

  after(ms: number, task: () => void): () => void {
    let cancelled = false;
    const due = this.now() + ms;
    let cancel: () => void;
    const wait = (): void => {
      cancel = this.timeline.at((due - this.now()) / this.rate, () =>
        this.admit(() => {
          if (cancelled) return; // Cancelled by what came in before it, after a pause.
          // The counter was paused meanwhile: by this clock it is not yet time.
          if (due - this.now() > 0.001 * this.rate) wait();
          else task();
        }, 'timer'),
      );
    };
    wait();
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.wallOffsetMs += ms;
  }

  /** The machine was suspended: the monotonic counter did not count. */
  standStill(ms: number): void {
    this.standstillMs += ms;
  }
}
