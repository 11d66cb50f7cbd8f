/**
 * Reply tokens: one per request, 80 random bits each. Guards against a guessed answer: a process that sees
 * the reply subject of one request must not be able to answer the next one, which a counter would
 * allow. Random bytes are drawn in blocks, since a draw costs more than a request.
 */
import type { Entropy } from '@concordat/engine';

const ALPHABET = '0123456789abcdefghijklmnopqrstuv';
const LENGTH = 16;
const BLOCK = LENGTH * 512;

export class Tokens {
  private block: Uint8Array = new Uint8Array(0);
  private used = 0;

  constructor(private readonly entropy: Entropy) {}

  next(): string {
    if (this.used + LENGTH > this.block.length) {
      this.block = this.entropy.bytes(BLOCK);
      this.used = 0;
    }
    let text = '';
    for (let i = 0; i < LENGTH; i++) text += ALPHABET[(this.block[this.used++] as number) & 31];
    return text;
  }
}
