/**
 * The machine's randomness behind the engine's port: ids and jitter. Ids are guessed by nobody, so
 * the bytes come from the operating system; jitter needs no such thing and takes the cheap source.
 */
import { randomBytes } from 'node:crypto';
import { Entropy } from '@concordat/engine';

export class SystemEntropy extends Entropy {
  override bytes(count: number): Uint8Array {
    return randomBytes(count);
  }

  override unit(): number {
    return Math.random();
  }
}
