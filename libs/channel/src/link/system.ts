/**
 * Real time and real randomness behind the engine's ports, for the wire and for everything above it.
 * Guards "safety never depends on a clock": `now` is monotonic and compared only with itself; wall
 * time is for people and for the time-ordered part of ids. Tests and simulators pass their own.
 */
import { Clock, Entropy } from '@concordat/engine';
import { randomBytes } from 'node:crypto';

/** The longest delay a Node timer takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class SystemClock extends Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  after(ms: number, task: () => void): () => void {
    const delay = Math.min(Math.max(0, Math.ceil(ms)), TIMER_MS_MAX);
    const timer = setTimeout(task, delay);
    return () => clearTimeout(timer);
  }
}

/** Random bytes are drawn in blocks: a draw costs as much for thousands of them as for one. */
const BLOCK_BYTES = 4_096;

export class SystemEntropy extends Entropy {
  private block = Buffer.alloc(0);
  private used = 0;

  bytes(count: number): Uint8Array {
    return count > BLOCK_BYTES ? randomBytes(count) : this.take(count);
  }

  unit(): number {
    return this.take(4).readUInt32LE() / 2 ** 32;
  }

  /** Bytes that nothing else gets, now or later. */
  private take(count: number): Buffer {
    if (this.used + count > this.block.length) {
      this.block = randomBytes(BLOCK_BYTES);
      this.used = 0;
    }
    return this.block.subarray(this.used, (this.used += count));
  }
}
