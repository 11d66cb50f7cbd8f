/**
 * Work under an Idempotency-Key. Guards "operations run once": a repeat whose first answer was lost joins
 * the call that is under way, or gets what that one got. It is remembered where the transaction is live,
 * and as long: a transaction whose owner dies has aborted, and its work with it.
 */
import { Injectable } from '@nestjs/common';
import type { WorkResource } from '@concordat/api';
import { Refusal, TransactionManager } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import { fingerprint } from '../idempotency/canonical-json.js';

interface Call {
  readonly fingerprint: string;
  readonly done: Promise<WorkResource>;
}

/** Longer than any transaction takes to be decided. */
const FOR_EVER_MS = 2 ** 31 - 1;

@Injectable()
export class KeyedWork {
  private readonly calls = new Map<TransactionId, Map<string, Call>>();

  constructor(private readonly manager: TransactionManager) {}

  /** Runs `work` once per key. Throws the {@link Refusal} `idempotency-key-reused` for another body. */
  async run(
    id: TransactionId,
    key: string,
    body: unknown,
    work: () => Promise<WorkResource>,
  ): Promise<{ readonly resource: WorkResource; readonly replayed: boolean }> {
    const calls = this.of(id);
    const print = fingerprint(body);
    const earlier = calls.get(key);
    if (earlier) {
      if (earlier.fingerprint !== print) throw otherBody();
      return { resource: await earlier.done, replayed: true };
    }
    const call: Call = { fingerprint: print, done: work() };
    calls.set(key, call);
    try {
      return { resource: await call.done, replayed: false };
    } catch (error) {
      // Refused before it was sent, or the end of the transaction: a repeat gets a new answer.
      calls.delete(key);
      throw error;
    }
  }

  private of(id: TransactionId): Map<string, Call> {
    const known = this.calls.get(id);
    if (known) return known;
    const calls = new Map<string, Call>();
    this.calls.set(id, calls);
    void this.manager.wait(id, 'decided', FOR_EVER_MS).then(() => this.calls.delete(id));
    return calls;
  }
}

function otherBody(): Refusal {
  return new Refusal(
    'idempotency-key-reused',
    'This Idempotency-Key was used with another body. Nothing was done; send the same body again, or take a new key.',
  );
}
