/**
 * Refusals: you may not do this now. A refusal says what happens next and leaves everything as it
 * was. It is neither our mistake nor a broken protocol, and "no answer" is never one.
 */
import { MessageTooLarge, type TransactionView } from './ports/index.js';

export type RefusalCode =
  | 'unknown-transaction'
  | 'not-active'
  | 'transaction-aborted'
  | 'already-committed'
  | 'branch-elsewhere'
  | 'too-many-transactions'
  | 'too-many-of-principal'
  | 'too-many-bytes'
  | 'too-many-bytes-of-principal'
  | 'too-fast'
  | 'too-many-branches'
  | 'message-too-large'
  | 'duplicate-participant'
  | 'timeout-out-of-range'
  | 'idempotency-key-reused'
  | 'over-quota'
  | 'made-in-the-future'
  | 'cannot-tell-now'
  | 'shutting-down';

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryAfterMs?: number;
  readonly view?: TransactionView;

  constructor(
    readonly code: RefusalCode,
    message: string,
    more: {
      details?: Readonly<Record<string, unknown>>;
      retryAfterMs?: number;
      view?: TransactionView;
    } = {},
  ) {
    super(message);
    this.details = more.details;
    this.retryAfterMs = more.retryAfterMs;
    this.view = more.view;
  }
}

/** Turns a size check into a refusal; anything else passes through. */
export function tooLarge(error: unknown): unknown {
  if (!(error instanceof MessageTooLarge)) return error;
  const { bytes, bytesMax, participant } = error;
  return new Refusal(
    'message-too-large',
    `The operations for ${participant} make a message of ${bytes} bytes; at most ${bytesMax} fit. ` +
      'Send less, or send a reference.',
    { details: { participant, bytes, bytesMax } },
  );
}
