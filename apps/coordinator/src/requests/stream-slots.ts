/**
 * How many event streams may be open, here and by one key. Guards "one key never takes all": a stream
 * holds a connection for as long as it likes, so a client that opens too many is refused, and others get in.
 */
import { Problem } from '../problems/problem.js';

const SOON_MS = 5_000;

export class StreamSlots {
  private readonly owners = new Map<string, number>();
  private taken = 0;

  constructor(
    private readonly what: string,
    private readonly max: number,
    private readonly maxPerKey: number,
  ) {}

  get open(): number {
    return this.taken;
  }

  /** Takes a slot for a key. Returns how to give it back, to be called once; throws the problem when there is none. */
  take(key: string): () => void {
    const mine = this.owners.get(key) ?? 0;
    if (mine >= this.maxPerKey) {
      throw new Problem(
        'too-many-streams-of-key',
        `The key "${key}" has ${mine} ${this.what} open here, as many as one key may have. Poll instead, or try again later.`,
        { retryAfterMs: SOON_MS },
      );
    }
    if (this.taken >= this.max) {
      throw new Problem(
        'too-many-requests',
        `${this.max} ${this.what} are open. Poll instead, or try again later.`,
        { retryAfterMs: SOON_MS },
      );
    }
    this.taken += 1;
    this.owners.set(key, mine + 1);
    return () => {
      this.taken -= 1;
      const left = (this.owners.get(key) ?? 0) - 1;
      if (left > 0) this.owners.set(key, left);
      else this.owners.delete(key);
    };
  }
}
