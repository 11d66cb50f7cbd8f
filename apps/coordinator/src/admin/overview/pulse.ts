/**
 * The pulse of this coordinator: commits and aborts per second over the last ten minutes, and how long
 * decisions took. Guards "counted where it happens": the counters are the manager's own, looked at every
 * ten seconds; nothing is added to the path of a transaction but one number in a ring.
 */
import type { Clock, TransactionManager } from '@concordat/engine';

const STEP_MS = 10_000;
const STEPS = 60;
const LATENCIES = 2_000;
/** The rates of now are taken over so many steps. */
const NOW_STEPS = 6;

export interface Step {
  readonly atMs: number;
  readonly committed: number;
  readonly aborted: number;
}

interface Mark {
  readonly atMs: number;
  readonly committed: number;
  readonly aborted: number;
}

export class Pulse {
  private readonly steps: Step[] = [];
  private readonly latencies: number[] = [];
  private at = 0;
  private last: Mark;
  private cancel: () => void = () => undefined;
  private forget: () => void = () => undefined;

  constructor(
    private readonly manager: TransactionManager,
    private readonly clock: Clock,
  ) {
    this.last = this.mark();
  }

  start(): void {
    this.forget = this.manager.onDecided((durationMs) => {
      this.latencies[this.at] = durationMs;
      this.at = (this.at + 1) % LATENCIES;
    });
    const tick = (): void => {
      this.step();
      this.cancel = this.clock.after(STEP_MS, tick);
    };
    this.cancel = this.clock.after(STEP_MS, tick);
  }

  stop(): void {
    this.cancel();
    this.forget();
  }

  /** Per second, oldest first; the running step is the last. */
  history(): readonly Step[] {
    return [...this.steps, this.running()];
  }

  /** Per second, over the last minute or as much of it as there has been. */
  now(): { readonly committed: number; readonly aborted: number; readonly windowMs: number } {
    const running = this.mark();
    const steps = this.steps.slice(-NOW_STEPS);
    const runningMs = Math.max(1, running.atMs - this.last.atMs);
    const windowMs = steps.length * STEP_MS + runningMs;
    const sum = (name: 'committed' | 'aborted'): number =>
      steps.reduce((so, one) => so + one[name] * (STEP_MS / 1_000), 0) +
      (running[name] - this.last[name]);
    const perSecond = (count: number): number => rounded(count / (windowMs / 1_000));
    return {
      committed: perSecond(sum('committed')),
      aborted: perSecond(sum('aborted')),
      windowMs: Math.round(windowMs),
    };
  }

  /** The middle and the slow end of the last decisions; undefined before the first one. */
  latency(): { readonly p50Ms: number; readonly p99Ms: number } | undefined {
    if (this.latencies.length === 0) return undefined;
    const sorted = [...this.latencies].sort((a, b) => a - b);
    const at = (share: number): number =>
      rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number);
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  private step(): void {
    this.steps.push(this.running());
    if (this.steps.length >= STEPS) this.steps.shift();
    this.last = this.mark();
  }

  private running(): Step {
    const now = this.mark();
    const seconds = Math.max(1, (now.atMs - this.last.atMs) / 1_000);
    return {
      atMs: this.clock.wallNow(),
      committed: rounded((now.committed - this.last.committed) / seconds),
      aborted: rounded((now.aborted - this.last.aborted) / seconds),
    };
  }

  private mark(): Mark {
    const { committed, aborted } = this.manager.counters();
    return { atMs: this.clock.now(), committed, aborted };
  }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
