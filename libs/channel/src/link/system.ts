/**
 * Real time and real randomness for the wire, behind the engine's ports: the only file of this
 * package that touches Node's clock, timers or random bytes. Tests and simulators pass their own.
 */
import { Clock, Entropy } from '@concordat/engine';
import { randomBytes } from 'node:crypto';

export class SystemClock extends Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  after(ms: number, task: () => void): () => void {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  }
}

export class SystemEntropy extends Entropy {
  bytes(count: number): Uint8Array {
    return randomBytes(count);
  }

  unit(): number {
    return randomBytes(4).readUInt32LE() / 2 ** 32;
  }
}
