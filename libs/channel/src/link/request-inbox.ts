/**
 * The request inbox: one wildcard subscription, one map, one timer for every request of a role.
 * Guards protocol §8: "no responders" is proof of non-delivery, a time-out proves nothing, only the
 * first answer counts, and a lost connection is reported at once instead of after a time-out.
 *
 * Answers are found by the whole reply subject, not by its token alone: a participant that learns or
 * guesses a token can still only answer below the inbox that bears its own name.
 */
import type { Answer } from '@concordat/engine';
import { durationText } from '@concordat/words';
import type { Msg, MsgHdrs } from '@nats-io/nats-core';
import type { ChannelConnection } from './connection.js';
import { Deadlines } from './deadlines.js';
import { Tokens } from './tokens.js';

interface Pending {
  readonly reply: string;
  readonly settle: (answer: Answer<Msg>) => void;
  readonly waitMs: number;
  bucket: number;
}

export interface RequestCounters {
  readonly sent: number;
  readonly answered: number;
  readonly noResponders: number;
  readonly noAnswer: number;
  readonly waiting: number;
}

const NO_RESPONDERS: Answer<never> = { kind: 'no-responders' };

export class RequestInbox {
  private readonly pending = new Map<string, Pending>();
  private readonly gathering = new Map<string, (message: Msg) => void>();
  private readonly deadlines: Deadlines<Pending>;
  private readonly tokens: Tokens;
  private sent = 0;
  private answered = 0;
  private noResponders = 0;
  private noAnswer = 0;

  constructor(
    private readonly connection: ChannelConnection,
    /** Subject of the one subscription. */
    inbox: string,
  ) {
    this.tokens = new Tokens(connection.entropy);
    this.deadlines = new Deadlines(connection.clock, (one) => {
      this.pending.delete(one.reply);
      this.fail(one, `no answer within ${durationText(one.waitMs)}`);
    });
    connection.subscribe(inbox, (message) => this.receive(message));
    connection.onStatus((status) => {
      // What was in flight may have arrived, and may yet be answered: unknown, and said now.
      if (status.kind !== 'connected') this.failAll(connection.unusable ?? status.why);
    });
  }

  /** Sends one request; never rejects, never sends twice. */
  request(
    subject: string,
    payload: Uint8Array,
    replyTo: (token: string) => string,
    waitMs: number,
    headers?: MsgHdrs,
  ): Promise<Answer<Msg>> {
    this.sent += 1;
    const { unusable } = this.connection;
    if (this.connection.isDraining || unusable !== undefined) {
      this.noAnswer += 1;
      const why = unusable ?? 'this process is shutting down';
      return Promise.resolve({ kind: 'no-answer', why, ...(unusable ? { isLost: true } : {}) });
    }
    const reply = replyTo(this.tokens.next());
    return new Promise((settle) => {
      const entry: Pending = { reply, settle, waitMs, bucket: 0 };
      this.pending.set(reply, entry);
      entry.bucket = this.deadlines.add(entry, waitMs);
      const why = this.connection.publish(subject, payload, reply, headers);
      if (why !== undefined && this.forget(entry)) this.lose(entry, why);
    });
  }

  /** Passes every answer under a fresh token to `take` until the result is called. */
  gather(replyFor: (token: string) => string, take: (message: Msg) => void): () => void {
    const reply = replyFor(this.tokens.next());
    this.gathering.set(reply, take);
    return () => this.gathering.delete(reply);
  }

  counters(): RequestCounters {
    const { sent, answered, noResponders, noAnswer } = this;
    return { sent, answered, noResponders, noAnswer, waiting: this.pending.size };
  }

  private receive(message: Msg): void {
    const entry = this.pending.get(message.subject);
    if (!entry || !this.forget(entry)) {
      const take = this.gathering.get(lastTwoTokens(message.subject));
      if (take) take(message);
      else {
        this.connection.incidents.report({ kind: 'unawaited-answer', subject: message.subject });
      }
      return;
    }
    if (message.data.length === 0 && message.headers?.code === 503) {
      this.noResponders += 1;
      entry.settle(NO_RESPONDERS);
      return;
    }
    this.answered += 1;
    entry.settle({ kind: 'answered', answer: message });
  }

  private forget(entry: Pending): boolean {
    this.deadlines.remove(entry, entry.bucket);
    return this.pending.delete(entry.reply);
  }

  private fail(entry: Pending, why: string): void {
    this.noAnswer += 1;
    entry.settle({ kind: 'no-answer', why });
  }

  private failAll(why: string): void {
    for (const entry of [...this.pending.values()]) {
      if (this.forget(entry)) this.lose(entry, why);
    }
  }

  /** No answer of it can arrive any more, from any process. */
  private lose(entry: Pending, why: string): void {
    this.noAnswer += 1;
    entry.settle({ kind: 'no-answer', why, isLost: true });
  }
}

/** Gathered answers come from many participants: asker and token are what they have in common. */
function lastTwoTokens(subject: string): string {
  const last = subject.lastIndexOf('.');
  return subject.slice(subject.lastIndexOf('.', last - 1) + 1);
}
