/**
 * Says what goes on for long now and then, instead of at every attempt: a broker that is away for an
 * hour must not fill a disk with the same sentence.
 */
import type { Clock } from '@concordat/engine';

const AGAIN_MS = 10_000;

export class PatientLog {
  private readonly said = new Map<string, number>();

  constructor(
    private readonly clock: Clock,
    private readonly write: (message: string) => void,
  ) {}

  /** Writes the message unless one of the same kind was written within the last ten seconds. */
  say(message: string, kind = message, write = this.write): void {
    const now = this.clock.now();
    const last = this.said.get(kind);
    if (last !== undefined && now - last < AGAIN_MS) return;
    for (const [text, at] of this.said) if (now - at >= AGAIN_MS) this.said.delete(text);
    this.said.set(kind, now);
    write(message);
  }
}
