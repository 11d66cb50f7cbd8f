/**
 * Requests under an Idempotency-Key. Guards protocol §3 "two transactions with the same key can never
 * both commit": that is the register's unique column, and holds whatever happens here. What is here
 * saves work: simultaneous repeats join the live transaction, later ones get the stored answer, and
 * after an abort the key is free again.
 */
import type {
  DecisionRegister,
  IdempotencyKey,
  StandingDecision,
  TransactionManager,
  TransactionView,
} from '@concordat/engine';
import { Problem } from '../problems/problem.js';

export type Admission =
  /** `replayed` when another request had begun it. */
  | { readonly kind: 'live'; readonly view: TransactionView; readonly replayed: boolean }
  /** A transaction has committed under this key before. */
  | { readonly kind: 'stored'; readonly standing: StandingDecision };

interface Entry {
  readonly fingerprint: string;
  readonly admission: Promise<Admission>;
}

/** Longer than any wait: the watch on a live transaction ends with its decision. */
const FOR_EVER_MS = 2 ** 31 - 1;

export class KeyedBegins {
  readonly #live = new Map<string, Entry>();

  constructor(
    private readonly register: DecisionRegister,
    private readonly manager: TransactionManager,
  ) {}

  /** Begins once per key. Throws the problem `idempotency-key-reused` for another body. */
  async admit(keyed: IdempotencyKey, begin: () => Promise<TransactionView>): Promise<Admission> {
    const joined = this.#live.get(keyed.key);
    if (joined) {
      assertSameBody(joined.fingerprint, keyed);
      const admission = await joined.admission;
      return admission.kind === 'live' ? { ...admission, replayed: true } : admission;
    }
    const admission = this.#findOrBegin(keyed, begin);
    const entry: Entry = { fingerprint: keyed.fingerprint, admission };
    this.#live.set(keyed.key, entry);
    this.#forgetWhenDecided(keyed.key, entry).catch(() => undefined); // The caller hears of it below.
    return admission;
  }

  /** The commit that holds a key, checked against the body of the request. */
  async holder(keyed: IdempotencyKey): Promise<StandingDecision | undefined> {
    const holder = await this.register.holderOf(keyed.key);
    if (holder?.idempotency) assertSameBody(holder.idempotency.fingerprint, keyed);
    return holder;
  }

  async #findOrBegin(
    keyed: IdempotencyKey,
    begin: () => Promise<TransactionView>,
  ): Promise<Admission> {
    const standing = await this.holder(keyed);
    if (standing) return { kind: 'stored', standing };
    return { kind: 'live', view: await begin(), replayed: false };
  }

  /** From the decision on, the register remembers a commit, and an abort is to be forgotten. */
  async #forgetWhenDecided(key: string, entry: Entry): Promise<void> {
    try {
      const admission = await entry.admission;
      if (admission.kind === 'live') {
        await this.manager.wait(admission.view.transaction, 'decided', FOR_EVER_MS);
      }
    } finally {
      this.#live.delete(key);
    }
  }
}

function assertSameBody(fingerprint: string, keyed: IdempotencyKey): void {
  if (fingerprint === keyed.fingerprint) return;
  throw new Problem(
    'idempotency-key-reused',
    'This Idempotency-Key was used with another body. Nothing was begun; send the same body again, or take a new key.',
    { errors: [{ field: 'header Idempotency-Key', message: 'was used with another body' }] },
  );
}

/** The key of a request, or the problem with it. */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (/^[\x20-\x7e]{1,255}$/.test(header) && header.trim() !== '') return header;
  const message = 'must be 1 to 255 printable ASCII characters';
  throw new Problem('invalid-request', `The Idempotency-Key ${message}. Nothing was begun.`, {
    errors: [{ field: 'header Idempotency-Key', message }],
  });
}
