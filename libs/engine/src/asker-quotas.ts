/**
 * How many rows each external asker may cause, as a rate. Guards "the register does not grow by invented
 * ids": an inquiry about an unknown transaction has to record an abort before it is answered, so the row
 * cannot be avoided, and an asker over its quota waits. Limits work only: an asker over the quota is told to
 * ask again later, and never gets a different decision.
 */
import type { Clock } from './ports/index.js';

export interface Quota {
  /** So many at once. */
  readonly burst: number;
  /** So many more with every second. */
  readonly perSecond: number;
}

interface Purse {
  left: number;
  at: number;
}

/** Askers remembered at once; where names cannot be trusted they must not cost memory. */
const ASKERS_MAX = 10_000;

export class AskerQuotas {
  private readonly purses = new Map<string, Purse>();

  constructor(
    private readonly clock: Clock,
    private readonly quota: Quota,
  ) {}

  /** Takes one of an asker's; undefined when it had one, else the milliseconds until it has. */
  take(asker: string): number | undefined {
    const purse = this.refilled(asker);
    if (purse.left < 1) return Math.ceil(((1 - purse.left) / this.quota.perSecond) * 1_000);
    purse.left -= 1;
    return undefined;
  }

  /** Gives one back that was not needed after all. */
  giveBack(asker: string): void {
    const purse = this.refilled(asker);
    purse.left = Math.min(this.quota.burst, purse.left + 1);
  }

  private refilled(asker: string): Purse {
    const now = this.clock.now();
    const { burst, perSecond } = this.quota;
    const purse = this.purses.get(asker) ?? { left: burst, at: now };
    purse.left = Math.min(burst, purse.left + ((now - purse.at) / 1_000) * perSecond);
    purse.at = now;
    // The least recently seen asker comes first, and is dropped first.
    this.purses.delete(asker);
    this.purses.set(asker, purse);
    if (this.purses.size > ASKERS_MAX) {
      for (const oldest of this.purses.keys()) {
        this.purses.delete(oldest);
        break;
      }
    }
    return purse;
  }
}
