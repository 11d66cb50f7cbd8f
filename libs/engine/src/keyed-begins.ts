/**
 * Requests under an Idempotency-Key. Guards protocol §3 "two transactions with the same key can never
 * both commit": that is the register's unique column, and holds independent of this code. What is here
 * saves work: simultaneous repeats join the live transaction, here or at the coordinator that has claimed
 * the key, later ones get the stored answer, and after an abort the key is free again.
 *
 * Crash windows (ADR 38). The holder of a key's claim dies before it begins, while it runs, or before it
 * releases the claim: no one is connected under its name, so a coordinator that asks it for its answer takes
 * the claim over and begins; branches that the dead one had prepared learn the abort, or the commit, by
 * inquiry. It dies after its decision was made: the next claim finds the commit. A coordinator that joined
 * dies: its client repeats elsewhere and joins again. The register loses the claim: both run, as if there
 * were none.
 */
import { ownerOf, type Incarnation, type TransactionId } from '@concordat/protocol';
import type { BegunRequest } from './attempts.js';
import { isWorthTrying, type Liveness } from './liveness.js';
import type {
  Clock,
  DecisionRegister,
  IdempotencyKey,
  KeyClaim,
  StandingDecision,
} from './ports/index.js';
import { Refusal } from './refusal.js';

export type KeyedAdmission =
  /** `replayed` when another request had begun it. */
  | { readonly kind: 'live'; readonly begun: BegunRequest; readonly replayed: boolean }
  /** A transaction has committed under this key before. */
  | { readonly kind: 'stored'; readonly standing: StandingDecision };

/** What became of the question to let a request join the one that another coordinator runs. */
export type Joined<A> =
  | { readonly kind: 'answered'; readonly answer: A }
  /** It runs nothing under this claim (any more). */
  | { readonly kind: 'over' }
  /** No one is connected under its name. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown'; readonly why: string };

/** A request under a key, `A` what another coordinator answers to it. */
export interface KeyedRequest<A> {
  /** An id of this coordinator's for its claim. */
  claimant(): TransactionId;
  begin(): Promise<BegunRequest>;
  /**
   * Asks the coordinator that holds the claim for the answer of its own request, until `over`: then no answer is
   * awaited. Throws what that one answers.
   */
  join(claim: KeyClaim, over: Promise<void>): Promise<Joined<A>>;
}

export interface KeyedBeginsPorts {
  readonly register: DecisionRegister;
  readonly liveness: Liveness;
  readonly clock: Clock;
}

/** What a look at the register has shown: the request runs here, has run, or runs where the claim is. */
type Found = KeyedAdmission | { readonly kind: 'elsewhere'; readonly claim: KeyClaim };

interface Entry {
  readonly claim: KeyClaim;
  readonly found: Promise<Found>;
}

/** While the answer is out, its coordinator is looked after this often. */
const WATCH_MS = 500;
/** Claims that change so often are not waited for: the request runs, and the register sees to the rest. */
const ROUNDS_MAX = 5;

export class KeyedBegins {
  private readonly live = new Map<string, Entry>();

  constructor(
    private readonly ports: KeyedBeginsPorts,
    private readonly self: Incarnation,
  ) {}

  /**
   * Begins once per key, here or where its claim is. Throws the {@link Refusal} `idempotency-key-reused`
   * for another body, and `cannot-tell-now` if it runs at a coordinator that has not answered.
   */
  async admit<A>(
    keyed: IdempotencyKey,
    request: KeyedRequest<A>,
  ): Promise<KeyedAdmission | { readonly kind: 'elsewhere'; readonly answer: A }> {
    let instead: TransactionId | undefined;
    for (let round = 1; ; round++) {
      const earlier = this.live.get(keyed.key);
      if (earlier) assertSameBody(earlier.claim.fingerprint, keyed);
      const isLast = round >= ROUNDS_MAX;
      const { found } = earlier ?? this.open(keyed, request, { instead, isLast });
      const admission = await found;
      if (admission.kind === 'live') return { ...admission, replayed: earlier !== undefined };
      if (admission.kind === 'stored') return ofSameBody(admission, keyed);
      const { claim } = admission;
      assertSameBody(claim.fingerprint, keyed);
      const joined = await this.join(claim, request);
      if (joined.kind === 'answered') return { kind: 'elsewhere', answer: joined.answer };
      if (joined.kind === 'unknown') throw notAnswered(claim, joined.why);
      instead = claim.claimant;
    }
  }

  /**
   * For a request that another coordinator lets join by the claim that it has seen: what is begun here under
   * it; undefined when nothing is (any more). Throws {@link Refusal} `idempotency-key-reused`.
   */
  async joinedBy({ claimant, ...keyed }: KeyClaim): Promise<KeyedAdmission | undefined> {
    const entry = this.live.get(keyed.key);
    if (entry?.claim.claimant !== claimant) return undefined;
    assertSameBody(entry.claim.fingerprint, keyed);
    const found = await entry.found;
    if (found.kind === 'elsewhere') return undefined;
    return found.kind === 'live' ? { ...found, replayed: true } : ofSameBody(found, keyed);
  }

  /** The commit that holds a key, checked against the body of the request. */
  async holder(keyed: IdempotencyKey): Promise<StandingDecision | undefined> {
    const standing = await this.ports.register.holderOf(keyed.key);
    return standing && ofSameBody({ standing }, keyed).standing;
  }

  private open<A>(
    keyed: IdempotencyKey,
    request: KeyedRequest<A>,
    how: { readonly instead?: TransactionId; readonly isLast: boolean },
  ): Entry {
    const claim: KeyClaim = { ...keyed, claimant: request.claimant() };
    const entry: Entry = { claim, found: this.findOrBegin(claim, request, how) };
    this.live.set(keyed.key, entry);
    this.forgetWhenDecided(entry).catch(() => undefined); // The caller gets the error.
    return entry;
  }

  private async findOrBegin<A>(
    claim: KeyClaim,
    request: KeyedRequest<A>,
    { instead, isLast }: { readonly instead?: TransactionId; readonly isLast: boolean },
  ): Promise<Found> {
    const found = await this.ports.register.claim(claim, instead);
    if (found.kind === 'stored') return found;
    const isOthers = found.claim.claimant !== claim.claimant;
    if (isOthers && !isLast) return { kind: 'elsewhere', claim: found.claim };
    return { kind: 'live', begun: await request.begin(), replayed: false };
  }

  private async join<A>(other: KeyClaim, request: KeyedRequest<A>): Promise<Joined<A>> {
    const holder = ownerOf(other.claimant);
    // An earlier request here, which has ended: the key is not in use here.
    if (holder === this.self) return { kind: 'over' };
    let isOver = false;
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (end = resolve));
    try {
      const gone = this.gone(holder, () => isOver);
      return await Promise.race([request.join(other, over), gone]);
    } finally {
      isOver = true;
      end();
    }
  }

  /** Resolves when a coordinator is not there any more, unless its answer comes first. */
  private async gone(holder: Incarnation, isOver: () => boolean): Promise<{ kind: 'gone' }> {
    const { liveness, clock } = this.ports;
    for (;;) {
      await new Promise<void>((resolve) => clock.after(WATCH_MS, resolve));
      if (isOver()) return new Promise(() => undefined);
      if (isWorthTrying(await liveness.of(holder))) return { kind: 'gone' };
    }
  }

  /** Once its last attempt is decided, the register remembers a commit; an abort need not be remembered. */
  private async forgetWhenDecided(entry: Entry): Promise<void> {
    const { claim, found } = entry;
    let isOurs = true; // It may be on record, unless the register says that another one is.
    try {
      const admission = await found;
      if (admission.kind === 'live') await admission.begun.ended();
      else isOurs = false;
    } finally {
      this.live.delete(claim.key);
      if (isOurs) this.ports.register.unclaim(claim);
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

function ofSameBody<T extends { readonly standing: StandingDecision }>(
  stored: T,
  keyed: IdempotencyKey,
): T {
  const { idempotency } = stored.standing;
  if (idempotency) assertSameBody(idempotency.fingerprint, keyed);
  return stored;
}

function notAnswered({ claimant }: KeyClaim, why: string): Refusal {
  return new Refusal(
    'cannot-tell-now',
    `Coordinator ${ownerOf(claimant)} runs this request under the same Idempotency-Key and has not answered (${why}). Send it again, under the same key.`,
    { retryAfterMs: 1_000 },
  );
}
