/**
 * Randomness of a run, all of it from one seed (SplitMix32, Steele et al. 2014, 32-bit variant), so
 * that a failing run can be replayed exactly.
 */
import { Entropy } from '@concordat/engine';

export class Random extends Entropy {
  private state: number;

  constructor(seed: number) {
    super();
    this.state = (Math.imul(seed, 0x9e3779b9) ^ 0x5bd1e995) >>> 0;
  }

  next(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  unit(): number {
    return this.next() / 0x1_0000_0000;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() & 0xff);
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.unit() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)] as T;
  }
}
