/**
 * Asks the owner of a transaction to carry out what a client asked here. Guards "unknown is never no": the
 * question is sent once; "gone" is said only where it reached no one or the owner is not there any more;
 * everything else without an answer may have been done.
 *
 * Crash windows. This process dies before the question leaves: nothing was done. It dies afterwards: the
 * owner carries it out and the client gets no answer; its repeat (commit, rollback, work under its key) gets
 * the same answer from the owner through another coordinator. The owner dies before or after it has carried
 * it out: that is noticed within a second or two, and the decision on record is returned.
 */
import {
  NatsCoordinatorChannel,
  type Forward,
  type Forwarded,
  type ForwardRole,
} from '@concordat/channel';
import { Liveness } from '@concordat/engine';
import { Injectable } from '@nestjs/common';
import { ownerOf, type TransactionId } from '@concordat/protocol';
import type { Principal } from '../access/key-ring.js';
import { isProblemCode, Problem } from '../problems/problem.js';
import type { Reply } from '../requests/reply.js';
import { Identity } from '../platform/identity.js';

export type Told =
  | { readonly kind: 'answered'; readonly reply: Reply }
  /** The owner is not there. */
  | { readonly kind: 'gone' }
  /** It may have been carried out, or may yet be. */
  | { readonly kind: 'unknown'; readonly why: string };

/** What is requested for a client, without the client. */
export type Asked = Omit<Forward, 'principal' | 'role'>;

/**
 * What became of a request that was forwarded: the owner answered, with a problem or without; it is gone;
 * nothing is known; or the message was not taken, or did not fit, one way or the other.
 */
export type ForwardResult =
  | 'answered'
  | 'gone'
  | 'unknown'
  | 'refused'
  | 'too-large'
  | 'answer-too-large';

export interface ForwardStatistics {
  readonly underWay: number;
  readonly results: Readonly<Record<ForwardResult, number>>;
}

/** While an answer is out, so often the owner is asked whether it still has the transaction. */
const WATCH_MS = 500;
/** A client gets "not known" after so many unanswered rounds; nothing else follows from them. */
const SILENT_ROUNDS = 2;
/** So many looks after which an answer that must be on the way was lost. */
const ENDED_MAX = 10;

@Injectable()
export class Forwarder {
  /** Requests whose answer is out, and how to end the wait for it. */
  private readonly underWay = new Set<(told: Told) => void>();
  private readonly results: Record<ForwardResult, number> = {
    answered: 0,
    gone: 0,
    unknown: 0,
    refused: 0,
    'too-large': 0,
    'answer-too-large': 0,
  };
  private readonly listeners = new Set<(durationMs: number) => void>();

  constructor(
    private readonly channel: NatsCoordinatorChannel,
    private readonly liveness: Liveness,
    private readonly identity: Identity,
  ) {}

  /**
   * Throws the problem that the owner answered with, or that of a request that cannot be forwarded. With `over`
   * its caller looks after the owner, and gives it up as gone.
   */
  async ask(
    asked: Asked,
    principal: Principal,
    waitMs: number,
    over?: Promise<void>,
  ): Promise<Told> {
    const { clock } = this.identity;
    const began = clock.now();
    let result: ForwardResult = 'unknown';
    let settle: (told: Told) => void = () => undefined;
    const cut = new Promise<Told>((resolve) => (settle = resolve));
    this.underWay.add(settle);
    try {
      const role = principal.scope as ForwardRole; // The guard lets no viewer change anything.
      const forward = { ...asked, principal: principal.id, role };
      const answer = this.channel.forward(forward, waitMs).then((one) => {
        result = resultOf(one);
        return told(asked, one);
      });
      const watched: Promise<Told> = over
        ? over.then(() => ({ kind: 'gone' }))
        : this.watched(asked.transaction, settle);
      const first = await Promise.race([answer, cut, watched]);
      result = first.kind;
      return first;
    } finally {
      this.underWay.delete(settle);
      this.results[result] += 1;
      for (const listener of this.listeners) listener(clock.now() - began);
    }
  }

  /** Requests whose answer is out now, and what became of the others since the start. */
  statistics(): ForwardStatistics {
    return { underWay: this.underWay.size, results: { ...this.results } };
  }

  /** Calls the listener with the milliseconds that each request took, with any result. */
  onDone(listener: (durationMs: number) => void): void {
    this.listeners.add(listener);
  }

  /** Resolves when no answer is pending, or after `waitMs`; pending ones get "unknown". */
  async drain(waitMs: number): Promise<void> {
    const { clock } = this.identity;
    const until = clock.now() + waitMs;
    while (this.underWay.size > 0 && clock.now() < until) await this.pause(20);
    const why = 'this coordinator is shutting down';
    for (const settle of this.underWay) settle({ kind: 'unknown', why });
  }

  /** Looks after the owner for as long as the answer is out; resolves when no answer will come. */
  private async watched(id: TransactionId, settle: (told: Told) => void): Promise<Told> {
    for (let ended = 0; ;) {
      await this.pause(WATCH_MS);
      if (!this.underWay.has(settle)) return { kind: 'unknown', why: 'it is over' };
      const sign = await this.liveness.atOwner(id);
      if (sign.kind === 'gone') return sign;
      if (sign.kind === 'silent' && sign.rounds >= SILENT_ROUNDS) {
        return { kind: 'unknown', why: 'it does not answer' };
      }
      // Not live there any more: its answer is on the way, or was lost.
      if (sign.kind === 'not-live') ended += 1;
      if (ended >= ENDED_MAX) return { kind: 'unknown', why: 'its answer was lost' };
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.identity.clock.after(ms, resolve));
  }
}

function resultOf({ kind }: Forwarded): ForwardResult {
  if (kind === 'no-responders') return 'gone';
  return kind === 'no-answer' ? 'unknown' : kind;
}

function told({ transaction }: Asked, answer: Forwarded): Told {
  const owner = ownerOf(transaction);
  switch (answer.kind) {
    case 'answered': {
      const { status, headers, body } = answer.answer;
      if (status < 400) return { kind: 'answered', reply: { status, headers, body } };
      throw receivedProblem(body, headers);
    }
    case 'no-responders':
      return { kind: 'gone' };
    case 'no-answer':
      return { kind: 'unknown', why: answer.why };
    case 'refused':
      throw new Problem(
        'not-forwarded',
        `Coordinator ${owner}, which began the transaction, did not take the request (${answer.code}): nothing was done. Send it again after Retry-After.`,
        { transactionId: transaction, retryAfterMs: 1_000, members: { owner } },
      );
    case 'too-large':
      throw new Problem(
        'forward-too-large',
        `The request makes a message of ${answer.bytes} bytes to coordinator ${owner}, which began the transaction; at most ${answer.bytesMax} fit. Nothing was done. ` +
          'Send less at once, or send it to that coordinator itself, where no such message is needed.',
        { transactionId: transaction, members: { owner } },
      );
    case 'answer-too-large':
      throw new Problem(
        'answer-too-large',
        `Coordinator ${owner}, which began the transaction, has done it, but its answer fits into no message (${answer.reason}). ` +
          'Send the same request, under the same Idempotency-Key, to that coordinator itself.',
        { transactionId: transaction, members: { owner } },
      );
  }
}

/** The owner's problem as its client gets it here. */
function receivedProblem(body: unknown, headers: Readonly<Record<string, string>>): Problem {
  const { code, detail, ...members } = (body ?? {}) as Record<string, unknown>;
  if (typeof code !== 'string' || !isProblemCode(code) || typeof detail !== 'string') {
    return new Problem(
      'not-known-now',
      'The coordinator that began the transaction answered with a problem that is not known here. Ask it, or ask again.',
      { retryAfterMs: 1_000 },
    );
  }
  return new Problem(code, detail, { headers, members });
}
