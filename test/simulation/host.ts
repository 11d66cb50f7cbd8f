/**
 * A host: what a process needs to run. It is alive from its making to its crash, and at times it is paused:
 * then nothing reaches the process, its timers and its mail wait, and afterwards it goes on with everything
 * it believed before. What it had sent already is under way all the same.
 */
import type { Admit, Timeline } from './timeline.js';

interface Waiting {
  readonly task: () => void;
  readonly kind: 'timer' | 'mail';
}

export class Host {
  private living = true;
  private still = false;
  private waiting: Waiting[] = [];
  private countdown?: { left: number; readonly then: () => void };

  constructor(
    readonly node: string,
    private readonly timeline: Timeline,
  ) {}

  readonly alive = (): boolean => this.living;

  readonly admit: Admit = (task, kind = 'mail') => {
    if (!this.living) return;
    if (this.still) {
      this.waiting.push({ task, kind });
      return;
    }
    task();
    const { countdown } = this;
    if (countdown && --countdown.left <= 0) {
      this.countdown = undefined;
      countdown.then();
    }
  };

  get paused(): boolean {
    return this.living && this.still;
  }

  /** Calls `then` right after so many more things have reached the process: faults hit between events. */
  afterEvents(count: number, then: () => void): void {
    if (count <= 0) then();
    else this.countdown = { left: count, then };
  }

  crash(): void {
    this.living = false;
    this.waiting = [];
  }

  pause(): void {
    this.still = true;
  }

  /** Goes on. What waited comes in one after another, late timers before the mail or after it. */
  resume(first: 'timer' | 'mail'): void {
    if (!this.still) return;
    this.still = false;
    const { waiting } = this;
    this.waiting = [];
    const early = waiting.filter((one) => one.kind === first);
    const late = waiting.filter((one) => one.kind !== first);
    for (const { task, kind } of [...early, ...late]) {
      this.timeline.at(0, () => this.admit(task, kind));
    }
  }
}
