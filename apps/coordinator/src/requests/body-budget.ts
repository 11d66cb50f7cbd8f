/**
 * How many bytes the bodies of requests may take together, from the first byte until the answer has left:
 * what was parsed of them is held for as long. Guards "memory is bounded by bytes, and one key never takes
 * all": no key has more than half of it. One body alone always fits.
 */
import { Problem } from '../problems/problem.js';

const SOON_MS = 1_000;

/** Gives bytes back, all but those that are kept. */
export type GiveBack = (kept?: number) => void;

export interface BodyStatistics {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly refused: number;
}

export class BodyBudget {
  private readonly owners = new Map<string, number>();
  private bytes = 0;
  private refused = 0;

  constructor(private readonly bytesMax: number) {}

  /** Takes bytes for an owner; or says why there are none. */
  take(owner: string, bytes: number): GiveBack | Problem {
    const mine = this.owners.get(owner) ?? 0;
    const share = Math.ceil(this.bytesMax / 2);
    if (mine > 0 && mine + bytes > share) {
      const what = `of this key take ${mine} of the ${share} bytes that one key may have here`;
      return this.refuse('too-many-bytes-of-key', what);
    }
    if (this.bytes > 0 && this.bytes + bytes > this.bytesMax) {
      return this.refuse(
        'too-many-body-bytes',
        `take ${this.bytes} of ${this.bytesMax} bytes here`,
      );
    }
    let held = bytes;
    this.add(owner, held);
    return (kept = 0) => {
      this.add(owner, Math.min(kept, held) - held);
      held = Math.min(kept, held);
    };
  }

  statistics(): BodyStatistics {
    return { bytes: this.bytes, bytesMax: this.bytesMax, refused: this.refused };
  }

  private add(owner: string, bytes: number): void {
    this.bytes += bytes;
    const left = (this.owners.get(owner) ?? 0) + bytes;
    if (left === 0) this.owners.delete(owner);
    else this.owners.set(owner, left);
  }

  private refuse(code: 'too-many-body-bytes' | 'too-many-bytes-of-key', what: string): Problem {
    this.refused += 1;
    return new Problem(
      code,
      `The bodies of requests that are being answered ${what}. This one was not read and nothing was begun; send it again later.`,
      { retryAfterMs: SOON_MS },
    );
  }
}
