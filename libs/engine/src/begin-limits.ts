/**
 * Who may begin, and how much a transaction may hold. Guards "memory is bounded by bytes, and one key
 * never takes all": live transactions are counted, and what they carry is weighed, together and for each
 * principal. Inputs are held from the begin to the decision, outputs until the transaction is forgotten.
 *
 * A limit refuses what is not begun, or the work that would be added; it never touches a decision.
 * Outputs arrive unrequested: those that do not fit end a transaction that is not decided yet. Its owner may
 * always abort before it proposes (protocol §3), and the client gets the reason.
 */
import { invariant, type TransactionId } from '@concordat/protocol';
import { AskerQuotas, type Quota } from './asker-quotas.js';
import type { Clock } from './ports/index.js';
import { Refusal, type RefusalCode } from './refusal.js';
import { weightOf } from './weight.js';

export interface BeginLimitOptions {
  /** Undecided transactions at once, but for those that only wait for what their participant has decided; one more is refused. */
  readonly liveMax: number;
  readonly liveMaxPerPrincipal: number;
  /** Bytes of inputs and outputs in memory, see `weightOf`. */
  readonly liveBytesMax: number;
  readonly liveBytesMaxPerPrincipal: number;
  readonly beginsPerPrincipal: Quota;
}

export interface LimitStatistics {
  readonly bytes: number;
  readonly bytesMax: number;
  /** Begins and work that were refused, and outputs that did not fit, by limit. */
  readonly refused: Readonly<Record<LimitCode, number>>;
}

const LIMIT_CODES = [
  'too-many-transactions',
  'too-many-of-principal',
  'too-many-bytes',
  'too-many-bytes-of-principal',
  'too-fast',
] as const satisfies readonly RefusalCode[];
export type LimitCode = (typeof LIMIT_CODES)[number];

/** So many times `liveMax` may wait for their last acknowledgement before admission closes. */
const UNENDED_FACTOR = 5;
const SOON_MS = 1_000;

interface Share {
  undecided: number;
  bytes: number;
}

interface Held {
  readonly principal: string;
  isUndecided: boolean;
  inputs: number;
  outputs: number;
}

export class BeginLimits {
  private readonly held = new Map<TransactionId, Held>();
  private readonly shares = new Map<string, Share>();
  private readonly rates: AskerQuotas;
  private undecided = 0;
  private bytes = 0;
  private readonly refusals = Object.fromEntries(LIMIT_CODES.map((code) => [code, 0])) as Record<
    LimitCode,
    number
  >;

  constructor(
    clock: Clock,
    private readonly options: BeginLimitOptions,
    /** Forgets something that is only kept for those who still ask; false when there is nothing. */
    private readonly relieve: () => boolean = () => false,
  ) {
    this.rates = new AskerQuotas(clock, options.beginsPerPrincipal);
  }

  /** Throws the {@link Refusal} of a principal that may not begin with such inputs now. */
  assertMayBegin(principal: string, inputs: number, unended: number): void {
    this.assertRoom(principal, inputs, unended);
    const waitMs = this.rates.take(principal);
    if (waitMs !== undefined) {
      const { burst, perSecond } = this.options.beginsPerPrincipal;
      const message = `${principal} begins more than ${perSecond} transactions a second (${burst} at once) here: slow down.`;
      throw this.refused('too-fast', message, waitMs);
    }
  }

  /** The same for another attempt of what its principal has begun: how fast it begins does not matter. */
  assertRoom(principal: string, inputs: number, unended: number): void {
    const { liveMax, liveMaxPerPrincipal } = this.options;
    // What is decided but not yet delivered, or waits for its participant's answer, must not keep others out: one
    // hung participant would.
    if (this.undecided >= liveMax || unended >= UNENDED_FACTOR * liveMax) {
      const message = `${liveMax} transactions are live here: begin again when some have ended.`;
      throw this.refused('too-many-transactions', message);
    }
    if ((this.shares.get(principal)?.undecided ?? 0) >= liveMaxPerPrincipal) {
      const message = `${liveMaxPerPrincipal} transactions of ${principal} are live here, as many as one key may have: begin again when some have ended.`;
      throw this.refused('too-many-of-principal', message);
    }
    const heavy = this.tooHeavy(principal, inputs);
    if (heavy) throw heavy;
  }

  /** Takes note of one that has begun. */
  begun(id: TransactionId, principal: string, inputs: number): void {
    this.held.set(id, { principal, isUndecided: true, inputs: 0, outputs: 0 });
    this.undecided += 1;
    this.shareOf(principal).undecided += 1;
    this.add(id, 'inputs', inputs);
  }

  /** What the inputs of more work weigh; throws the {@link Refusal} when they do not fit. */
  weighInputs(id: TransactionId, inputs: unknown): number {
    const bytes = weightOf(inputs);
    const heavy = this.tooHeavy(this.held.get(id)?.principal, bytes);
    if (heavy) throw heavy;
    return bytes;
  }

  /** Takes note of inputs that were weighed before. */
  holdInputs(id: TransactionId, bytes: number): void {
    this.add(id, 'inputs', bytes);
  }

  /**
   * Holds outputs that arrived, or returns the {@link Refusal} when they do not fit: the caller drops them
   * then.
   */
  holdOutputs(id: TransactionId, outputs: readonly unknown[]): Refusal | undefined {
    if (outputs.length === 0) return undefined;
    const bytes = weightOf(outputs);
    const heavy = this.tooHeavy(this.held.get(id)?.principal, bytes);
    if (!heavy) this.add(id, 'outputs', bytes);
    return heavy;
  }

  /** It is decided, or asks its participant what it is: from here on nothing of its inputs is sent any more. */
  decided(id: TransactionId): void {
    const held = this.held.get(id);
    if (!held?.isUndecided) return;
    held.isUndecided = false;
    this.undecided -= 1;
    invariant(this.undecided >= 0, 'more transactions are decided than were begun');
    this.shareOf(held.principal).undecided -= 1;
    this.add(id, 'inputs', -held.inputs);
  }

  /** It has left the memory. */
  forgotten(id: TransactionId): void {
    const held = this.held.get(id);
    if (!held) return;
    this.decided(id);
    this.add(id, 'outputs', -held.outputs);
    this.held.delete(id);
    const share = this.shareOf(held.principal);
    if (share.undecided === 0 && share.bytes === 0) this.shares.delete(held.principal);
  }

  statistics(): LimitStatistics {
    const { bytes, refusals } = this;
    return { bytes, bytesMax: this.options.liveBytesMax, refused: { ...refusals } };
  }

  /** What is alone always fits: a limit below one message would let nothing through. */
  private tooHeavy(principal: string | undefined, bytes: number): Refusal | undefined {
    const { liveBytesMax, liveBytesMaxPerPrincipal } = this.options;
    const ofPrincipal = (): number =>
      (principal !== undefined && this.shares.get(principal)?.bytes) || 0;
    const isHeavyForAll = (): boolean => this.bytes > 0 && this.bytes + bytes > liveBytesMax;
    const isHeavyForOne = (): boolean =>
      ofPrincipal() > 0 && ofPrincipal() + bytes > liveBytesMaxPerPrincipal;
    while ((isHeavyForAll() || isHeavyForOne()) && this.relieve());
    if (isHeavyForAll()) {
      const message = `What live transactions carry here takes ${this.bytes} of ${liveBytesMax} bytes, and this would take ${bytes} more.`;
      return this.refused('too-many-bytes', message);
    }
    if (isHeavyForOne()) {
      const message = `What live transactions of ${principal} carry here takes ${ofPrincipal()} of the ${liveBytesMaxPerPrincipal} bytes that one key may have, and this would take ${bytes} more.`;
      return this.refused('too-many-bytes-of-principal', message);
    }
    return undefined;
  }

  private add(id: TransactionId, side: 'inputs' | 'outputs', bytes: number): void {
    const held = this.held.get(id);
    if (!held) return;
    held[side] += bytes;
    this.bytes += bytes;
    this.shareOf(held.principal).bytes += bytes;
  }

  private shareOf(principal: string): Share {
    const known = this.shares.get(principal);
    if (known) return known;
    const share: Share = { undecided: 0, bytes: 0 };
    this.shares.set(principal, share);
    return share;
  }

  private refused(code: LimitCode, message: string, retryAfterMs = SOON_MS): Refusal {
    this.refusals[code] += 1;
    return new Refusal(code, message, { retryAfterMs });
  }
}
