/**
 * A rule of a proxy: which frame, and what happens to it. Every rule counts its hits, and a test that
 * ends while a rule of its never fired has proved nothing and fails.
 */
import { waitFor } from '@concordat/testing';
import type { Frame, Predicate } from './frame.js';

/**
 * `cut-before`, `cut-after`: both ends lose the connection before or after the frame passes ·
 * `hold`: it waits until released · `drop`: it is lost (messages only) · `half-open`: from this frame
 * on nothing passes in either direction, and neither end gets an error · `watch`: nothing happens to it.
 */
export type Action =
  | 'cut-before'
  | 'cut-after'
  | 'hold'
  | 'drop'
  | 'half-open'
  | 'watch'
  | { readonly delayMs: number }
  /** Passes so many times (messages only). */
  | { readonly copies: number };

export interface RuleOptions {
  /** Acts on the n-th matching frame and later ones; the first by default. */
  readonly nth?: number;
  /** On how many frames it acts. Cuts, holds and half-opens: one. Others: all. */
  readonly times?: number;
}

const ONCE = new Set<Action>(['cut-before', 'cut-after', 'hold', 'half-open']);
const HIT_TIMEOUT_MS = 20_000;

export class Rule {
  /** The frames it acted on. */
  readonly caught: Frame[] = [];
  private matches = 0;
  private readonly times: number;
  private readonly nth: number;
  private lifted = false;
  private release!: () => void;
  readonly released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  constructor(
    private readonly what: string,
    private readonly matching: Predicate,
    readonly action: Action,
    { nth = 1, times = ONCE.has(action) ? 1 : Infinity }: RuleOptions = {},
  ) {
    this.nth = nth;
    this.times = times;
  }

  get hits(): number {
    return this.caught.length;
  }

  get name(): string {
    const action = typeof this.action === 'string' ? this.action : JSON.stringify(this.action);
    return `${action} at ${this.what}`;
  }

  /** Whether it acts on this frame; counts. */
  catches(frame: Frame): boolean {
    if (this.lifted || this.hits >= this.times || !this.matching(frame)) return false;
    this.matches += 1;
    if (this.matches < this.nth) return false;
    this.caught.push(frame);
    return true;
  }

  /** Resolves with the n-th frame it acted on. */
  async waitForHit(n = 1): Promise<Frame> {
    await waitFor(() => this.hits >= n, {
      what: `${this.name} to happen${n > 1 ? ` ${n} times` : ''}`,
      timeoutMs: HIT_TIMEOUT_MS,
    });
    return this.caught[n - 1] as Frame;
  }

  /** Takes the fault away: it acts no more, and what it holds goes on. */
  lift(): void {
    this.lifted = true;
    this.release();
  }
}
