/**
 * How missing answers are interpreted: whether another coordinator lives, and whether a transaction is live
 * at its owner. Guards protocol §5 and §8: only "no responders" proves that an incarnation is not connected;
 * a time-out proves nothing. A number of unanswered rounds in a row is reason enough to *try* what the
 * register keeps safe, and never reason enough to conclude.
 *
 * Questions that are under way at the same time make one round: five branches that ask at once about one slow
 * owner count as one unanswered round, not five. A question counts only if it was asked after the last
 * message of that incarnation, so an answer in between resets the count. Nothing here reads a clock.
 */
import { invariant, ownerOf, type Incarnation, type TransactionId } from '@concordat/protocol';
import type { Answer, CoordinatorChannel } from './ports/index.js';

/** What one question about a coordinator has shown. */
export type LifeSign =
  | { readonly kind: 'alive' }
  /** No process is connected under its name. */
  | { readonly kind: 'gone' }
  /** No answer, for so many rounds in a row: it may be slow, asleep, cut off or dead. */
  | { readonly kind: 'silent'; readonly rounds: number };

/** What one question to the owner of a transaction has shown. */
export type OwnerSign =
  /** The transaction is live there, begun by this principal. */
  | { readonly kind: 'live'; readonly principal?: string }
  /** The owner is there and does not have it (any more). */
  | { readonly kind: 'not-live' }
  | Exclude<LifeSign, { readonly kind: 'alive' }>;

/** So many silent rounds in a row are reason enough to try. */
const SILENT_ROUNDS = 3;
/** Incarnations remembered at once: names in ids are easily made up and must not cost memory. */
const REMEMBERED_MAX = 1_000;

/**
 * Whether to try what only a dead owner would leave to others. The register decides what comes of it,
 * so a wrong guess costs messages or an aborted transaction, never a wrong answer.
 */
export function isWorthTrying(sign: LifeSign | OwnerSign): boolean {
  if (sign.kind === 'silent') return sign.rounds >= SILENT_ROUNDS;
  return sign.kind === 'gone' || sign.kind === 'not-live';
}

/** Whether it may be there: everything but proof of the contrary. For what is only concluded or shown. */
export function mayBeThere(sign: LifeSign | OwnerSign): boolean {
  return sign.kind === 'alive' || sign.kind === 'live' || sign.kind === 'silent';
}

interface Heard {
  rounds: number;
  /** It was not connected, by the last answer. */
  gone: boolean;
  /** When the last round or answer was counted, in questions and news since the start. */
  newsAt: number;
}

export class Liveness {
  private readonly heard = new Map<Incarnation, Heard>();
  private readonly pings = new Map<Incarnation, Promise<LifeSign>>();
  /** Questions asked and messages received so far: only their order matters here. */
  private sequence = 0;

  constructor(
    private readonly coordinators: Pick<CoordinatorChannel, 'ping' | 'isLive'>,
    private readonly self: Incarnation,
  ) {}

  /** Asks an incarnation whether it lives; concurrent callers get the same answer. */
  of(incarnation: Incarnation): Promise<LifeSign> {
    if (incarnation === this.self) return Promise.resolve({ kind: 'alive' });
    let asked = this.pings.get(incarnation);
    if (!asked) {
      asked = this.ping(incarnation).finally(() => this.pings.delete(incarnation));
      this.pings.set(incarnation, asked);
    }
    return asked;
  }

  /** Asks the owner of a transaction, another incarnation than this, whether it is live there. */
  atOwner(transaction: TransactionId): Promise<OwnerSign> {
    return this.at(ownerOf(transaction), transaction);
  }

  /** The same, for what can wait for long: a silence it meets is no round, and brings no abort nearer. */
  async glanceAtOwner(transaction: TransactionId): Promise<OwnerSign> {
    const owner = ownerOf(transaction);
    invariant(owner !== this.self, 'what is live here is in memory: no other coordinator is asked');
    const answer = await this.coordinators.isLive(owner, transaction);
    if (answer.kind === 'no-responders') return { kind: 'gone' };
    if (answer.kind === 'no-answer') return { kind: 'silent', rounds: 0 };
    return { kind: answer.answer.live ? 'live' : 'not-live' };
  }

  /** The same of any other incarnation: one that took a transaction over has it live as well. */
  async at(incarnation: Incarnation, transaction: TransactionId): Promise<OwnerSign> {
    invariant(
      incarnation !== this.self,
      'what is live here is in memory: no other coordinator is asked',
    );
    // One question answers all that ask at the same time about what a dead one has left.
    if (this.heard.get(incarnation)?.gone) {
      const shared = await this.of(incarnation);
      if (shared.kind !== 'alive') return shared;
    }
    const { answer, sign } = await this.ask(incarnation, () =>
      this.coordinators.isLive(incarnation, transaction),
    );
    if (sign.kind !== 'alive') return sign;
    if (answer.kind !== 'answered' || !answer.answer.live) return { kind: 'not-live' };
    const { principal } = answer.answer;
    return { kind: 'live', ...(principal === undefined ? {} : { principal }) };
  }

  private async ping(incarnation: Incarnation): Promise<LifeSign> {
    const { sign } = await this.ask(incarnation, () => this.coordinators.ping(incarnation));
    return sign;
  }

  private async ask<T>(
    incarnation: Incarnation,
    question: () => Promise<Answer<T>>,
  ): Promise<{ readonly answer: Answer<T>; readonly sign: LifeSign }> {
    const askedAt = ++this.sequence;
    const answer = await question();
    return { answer, sign: this.count(incarnation, askedAt, answer.kind) };
  }

  private count(
    incarnation: Incarnation,
    askedAt: number,
    kind: Answer<unknown>['kind'],
  ): LifeSign {
    const before = this.heard.get(incarnation) ?? { rounds: 0, gone: false, newsAt: 0 };
    if (kind === 'no-answer') {
      if (askedAt < before.newsAt) return { kind: 'silent', rounds: before.rounds };
      const rounds = before.rounds + 1;
      this.remember(incarnation, rounds, before.gone);
      return { kind: 'silent', rounds };
    }
    const gone = kind !== 'answered';
    this.remember(incarnation, 0, gone);
    return { kind: gone ? 'gone' : 'alive' };
  }

  private remember(incarnation: Incarnation, rounds: number, gone: boolean): void {
    // The least recently seen one comes first, and is dropped first: this costs patience only.
    this.heard.delete(incarnation);
    this.heard.set(incarnation, { rounds, gone, newsAt: ++this.sequence });
    if (this.heard.size <= REMEMBERED_MAX) return;
    for (const oldest of this.heard.keys()) {
      this.heard.delete(oldest);
      return;
    }
  }
}
