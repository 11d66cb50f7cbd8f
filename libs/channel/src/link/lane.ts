/**
 * A lane: bounded concurrency for one kind of message. Guards "round two is never starved": commits
 * and aborts have a lane of their own, so a thousand prepares that wait for locks cannot delay the
 * very commits that would release those locks.
 */
import type { Clock } from '@concordat/engine';

export interface LaneLimits {
  /** Handlers at work at once. */
  readonly running: number;
  /** Messages that may wait for one; more are refused at once. */
  readonly waiting: number;
}

interface Waiting {
  readonly since: number;
  readonly task: (waitedMs: number) => Promise<void>;
}

export class Lane {
  private running = 0;
  private readonly queue: Waiting[] = [];
  private head = 0;
  private readonly idlers: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly limits: LaneLimits,
  ) {}

  /** Runs the task now or in its turn; false when the queue is full. */
  admit(task: (waitedMs: number) => Promise<void>): boolean {
    if (this.running < this.limits.running) {
      this.run(task, 0);
      return true;
    }
    if (this.waiting >= this.limits.waiting) return false;
    this.queue.push({ since: this.clock.now(), task });
    return true;
  }

  get waiting(): number {
    return this.queue.length - this.head;
  }

  get busy(): number {
    return this.running;
  }

  /** Resolves once nothing runs and nothing waits. */
  idle(): Promise<void> {
    if (this.running === 0 && this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.idlers.push(resolve));
  }

  private run(task: (waitedMs: number) => Promise<void>, waitedMs: number): void {
    this.running += 1;
    void task(waitedMs).then(
      () => this.ended(),
      () => this.ended(),
    );
  }

  private ended(): void {
    this.running -= 1;
    const next = this.queue[this.head];
    if (next) {
      this.head += 1;
      if (this.head > 1024 && this.head * 2 > this.queue.length) {
        this.queue.splice(0, this.head);
        this.head = 0;
      }
      this.run(next.task, this.clock.now() - next.since);
      return;
    }
    this.queue.length = 0;
    this.head = 0;
    if (this.running === 0) for (const resolve of this.idlers.splice(0)) resolve();
  }
}
