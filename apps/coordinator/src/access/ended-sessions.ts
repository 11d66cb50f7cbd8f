/**
 * Which sessions of the admin view were ended before their time, at every coordinator. Guards "a copied
 * cookie is refused after signing out": here at once, elsewhere once the list was read again, which happens
 * before a session is let in when the last reading is two seconds old. While the list cannot be read, what
 * is known of it counts: the view is needed most when the database is away.
 */
import type { Clock } from '@concordat/engine';

const STALE_MS = 2_000;
const WAIT_MS = 1_000;

/** Where it is kept that a session has ended. */
export interface EndedSessionStore {
  /** Keeps it until the session would have ended anyway. Rejects with `RegisterUnknown`. */
  end(digest: string, endsAtMs: number): Promise<void>;
  /** All that would not have ended yet. Rejects with `RegisterUnknown`. */
  all(): Promise<readonly string[]>;
}

export class EndedSessions {
  /** Ended through this coordinator: known whatever the store says. */
  private readonly endedHere = new Map<string, number>();
  private stored: ReadonlySet<string> = new Set();
  private readAtMs = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | undefined;

  constructor(
    private readonly store: EndedSessionStore,
    private readonly clock: Clock,
  ) {}

  has(digest: string): boolean {
    return this.endedHere.has(digest) || this.stored.has(digest);
  }

  async end(digest: string, endsAtMs: number): Promise<void> {
    for (const [one, until] of this.endedHere) {
      if (until <= this.clock.wallNow()) this.endedHere.delete(one);
    }
    this.endedHere.set(digest, endsAtMs);
    await this.store.end(digest, endsAtMs);
  }

  async upToDate(): Promise<void> {
    if (this.clock.now() - this.readAtMs < STALE_MS) return;
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.clock.after(WAIT_MS, resolve);
    });
    await Promise.race([this.reading, late]);
    cancel();
  }

  private async read(): Promise<void> {
    const from = this.clock.now();
    try {
      this.stored = new Set(await this.store.all());
      this.readAtMs = from;
    } catch {
      // Readiness reports that the register is unreachable; the next session asks again.
    }
  }
}
