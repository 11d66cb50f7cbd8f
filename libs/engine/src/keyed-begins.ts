/**
 * Requests under an Idempotency-Key. Guards protocol §3 "two transactions with the same key can never
 * both commit": that is the register's unique column, and holds whatever happens here. What is here
 * saves work: simultaneous repeats join the live transaction, later ones get the stored answer, and
 * after an abort the key is free again.
 */
import type { BegunRequest } from './attempts.js';
import type { DecisionRegister, IdempotencyKey, StandingDecision } from './ports/index.js';
import { Refusal } from './refusal.js';

export type KeyedAdmission =
  /** `replayed` when another request had begun it. */
  | { readonly kind: 'live'; readonly begun: BegunRequest; readonly replayed: boolean }
  /** A transaction has committed under this key before. */
  | { readonly kind: 'stored'; readonly standing: StandingDecision };

interface Entry {
  readonly fingerprint: string;
  readonly admission: Promise<KeyedAdmission>;
}

export class KeyedBegins {
  private readonly live = new Map<string, Entry>();

  constructor(private readonly register: DecisionRegister) {}

  /** Begins once per key. Throws the {@link Refusal} `idempotency-key-reused` for another body. */
  async admit(keyed: IdempotencyKey, begin: () => Promise<BegunRequest>): Promise<KeyedAdmission> {
    const joined = this.live.get(keyed.key);
    if (joined) {
      assertSameBody(joined.fingerprint, keyed);
      const admission = await joined.admission;
      return admission.kind === 'live' ? { ...admission, replayed: true } : admission;
    }
    const admission = this.findOrBegin(keyed, begin);
    const entry: Entry = { fingerprint: keyed.fingerprint, admission };
    this.live.set(keyed.key, entry);
    this.forgetWhenDecided(keyed.key, entry).catch(() => undefined); // The caller hears of it below.
    return admission;
  }

  /** The commit that holds a key, checked against the body of the request. */
  async holder(keyed: IdempotencyKey): Promise<StandingDecision | undefined> {
    const holder = await this.register.holderOf(keyed.key);
    if (holder?.idempotency) assertSameBody(holder.idempotency.fingerprint, keyed);
    return holder;
  }

  private async findOrBegin(
    keyed: IdempotencyKey,
    begin: () => Promise<BegunRequest>,
  ): Promise<KeyedAdmission> {
    const standing = await this.holder(keyed);
    if (standing) return { kind: 'stored', standing };
    return { kind: 'live', begun: await begin(), replayed: false };
  }

  /** From the decision of its last attempt on, the register remembers a commit, and an abort is to be forgotten. */
  private async forgetWhenDecided(key: string, entry: Entry): Promise<void> {
    try {
      const admission = await entry.admission;
      if (admission.kind === 'live') await admission.begun.ended();
    } finally {
      this.live.delete(key);
    }
  }
}

function assertSameBody(fingerprint: string, keyed: IdempotencyKey): void {
  if (fingerprint === keyed.fingerprint) return;
  throw new Refusal(
    'idempotency-key-reused',
    'This Idempotency-Key was used with another body. Nothing was begun; send the same body again, or take a new key.',
  );
}
