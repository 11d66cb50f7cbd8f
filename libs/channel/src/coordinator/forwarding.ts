/**
 * What one coordinator asks of another for a client: work in, commit and rollback of a transaction that the
 * other began. Guards "unknown is never no": what was sent and not answered may have been done.
 */
import type { Moment } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type { z } from 'zod';
import type * as questions from '../wire/questions.js';

export type ForwardVerb = z.infer<typeof questions.forward>['verb'];
export type ForwardRole = z.infer<typeof questions.forward>['role'];

/** A client's request, as the owner needs it. */
export interface Forward {
  readonly transaction: TransactionId;
  readonly verb: ForwardVerb;
  /** The id of the client's key. */
  readonly principal: string;
  readonly role: ForwardRole;
  readonly body?: unknown;
  /** Its Idempotency-Key. */
  readonly key?: string;
  /** Milliseconds. */
  readonly wait?: { readonly until: Moment; readonly waitMs: number; readonly applied?: string };
}

/** The owner's answer, for the client as it is. */
export interface ForwardAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export type Forwarded =
  | { readonly kind: 'answered'; readonly answer: ForwardAnswer }
  /** It reached no one: the owner is not there. */
  | { readonly kind: 'no-responders' }
  /** It may have been done, or may yet be. */
  | { readonly kind: 'no-answer'; readonly why: string }
  /** It was not done: the owner has too much to do, or did not begin this transaction. */
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string }
  /** Done, but the answer fits into no message. */
  | { readonly kind: 'answer-too-large'; readonly reason: string }
  /** Nothing was sent: body and envelope do not fit into one message. */
  | { readonly kind: 'too-large'; readonly bytes: number; readonly bytesMax: number };
