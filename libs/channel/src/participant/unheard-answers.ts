/**
 * Answers to work and prepare that may not have been received. Neither is ever asked again, so one that is
 * lost with this side's own connection would cost the rest of the transaction's time, with the locks
 * of every branch held. Guards protocol §4.3 and §8: after the connection is back each of them is sent
 * once more, unchanged and to the same reply subject, where only the first counts.
 *
 * Crash windows:
 *   the work is done, nothing is sent     silence: a no at the deadline, and the branch inquires
 *   sent, and lost with the connection    sent again once the connection is back
 *   sent again, and the first had come    the second is not awaited, and changes nothing
 *   sent again after the owner gave up    the same, and so where the owner has died: its inbox is gone
 */
import type { ChannelConnection } from '../link/connection.js';

/** Whose answer it is. */
export interface Answered {
  readonly transaction: string;
  readonly branch: string;
}

export interface UnheardLimits {
  readonly answers: number;
  readonly bytes: number;
}

interface Kept {
  readonly reply: string;
  readonly payload: Uint8Array;
  /** By the connection's clock: the owner waits no longer. */
  readonly untilMs: number;
}

/** Over these the oldest is given up: the deadline of its transaction ends the wait for it. */
const LIMITS: UnheardLimits = { answers: 8_192, bytes: 8 * 1024 * 1024 };

export class UnheardAnswers {
  /** The last answer of each branch, the oldest first. */
  private readonly kept = new Map<string, Kept>();
  private readonly forgetStatus: () => void;
  private bytes = 0;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly limits: UnheardLimits = LIMITS,
  ) {
    this.forgetStatus = connection.onStatus(({ kind }) => {
      if (kind === 'connected') this.sayAgain();
    });
  }

  /** Keeps an answer for as long as its owner waits for it: `untilMs` of the connection's clock. */
  keep(about: Answered, reply: string, payload: Uint8Array, untilMs: number): void {
    const key = keyOf(about);
    // Of two answers to one question only the first counts.
    if (this.kept.get(key)?.reply === reply) return;
    this.drop(key);
    this.kept.set(key, { reply, payload, untilMs });
    this.bytes += payload.length;
    this.makeRoom();
  }

  /** Its coordinator has sent something else about the branch, so it awaits no earlier answer. */
  overtaken(by: Answered, reply: string): void {
    const key = keyOf(by);
    if (this.kept.get(key)?.reply !== reply) this.drop(key);
  }

  /** Sends nothing again from now on. */
  close(): void {
    this.forgetStatus();
    this.kept.clear();
    this.bytes = 0;
  }

  private sayAgain(): void {
    const { clock, incidents, maxPayload } = this.connection;
    const now = clock.now();
    for (const [key, { reply, payload, untilMs }] of this.kept) {
      // A broker that came back with a smaller limit would end the connection over it.
      if (untilMs <= now || payload.length > maxPayload) {
        this.drop(key);
        continue;
      }
      if (this.connection.publish(reply, payload) !== undefined) return;
      incidents.report({ kind: 'answer-repeated', subject: reply });
    }
  }

  private makeRoom(): void {
    const now = this.connection.clock.now();
    for (const [key, { untilMs }] of this.kept) {
      const isOver = this.kept.size > this.limits.answers || this.bytes > this.limits.bytes;
      if (!isOver && untilMs > now) return;
      this.drop(key);
    }
  }

  private drop(key: string): void {
    this.bytes -= this.kept.get(key)?.payload.length ?? 0;
    this.kept.delete(key);
  }
}

function keyOf({ transaction, branch }: Answered): string {
  return `${transaction}:${branch}`;
}
