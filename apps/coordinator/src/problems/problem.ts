/**
 * Problems: every error a client sees, as RFC 9457 problem details. Guards "errors have a stable
 * code and say what happens next": the catalogue below is the whole list, `type` leads to its entry
 * on `/problems`, and nothing of an exception but what is written here ever leaves the process.
 */
import { HttpException } from '@nestjs/common';

/** Code, status, title and meaning of every problem. Codes are stable; texts are for people. */
export const PROBLEMS = {
  'malformed-request': [
    400,
    'Malformed request',
    'The request cannot be read: broken JSON, a broken address, or a body that is too deep.',
  ],
  'invalid-request': [
    400,
    'Invalid request',
    'A field is missing, unknown or has a wrong value. `errors` names each one. Nothing was done.',
  ],
  unauthorized: [
    401,
    'No valid API key',
    'Send `Authorization: Bearer <key>` with a key that this coordinator knows.',
  ],
  forbidden: [
    403,
    'Not allowed for this key',
    'The key is valid, but this needs a scope that includes more: client, viewer, operator, force.',
  ],
  'admin-header-missing': [
    403,
    'Not from the admin view',
    'A session changes nothing without the header `X-Concordat-Admin: 1`, which another site cannot send.',
  ],
  'force-disabled': [
    403,
    'Force is disabled',
    'This coordinator was not started with CONCORDAT_FORCE=enabled. Nothing was done.',
  ],
  'unknown-or-forgotten': [
    404,
    'Unknown or forgotten transaction',
    'Nothing is known under this id: it never existed here, belongs to another client, ended without a trace because abort is presumed, or is past retention. An id that never committed can never commit later once an abort is on record: POST …/rollback records one.',
  ],
  'unknown-operation': [404, 'Unknown operation', 'No bulk operation has this id.'],
  'unknown-participant': [
    404,
    'Unknown participant',
    'No participant of this name answers, and none is known from before.',
  ],
  'unknown-orphan': [
    404,
    'No such orphan',
    'The last comparison found no orphan of this gid at this participant. It may be finished.',
  ],
  'not-found': [404, 'No such address', 'No route serves this path. `/docs` lists them.'],
  'method-not-allowed': [
    405,
    'Method not allowed',
    'The path exists, but not with this method. The Allow header lists those that do.',
  ],
  'body-too-slow': [
    408,
    'Body too slow',
    'The body was not whole within the time that a body has. Nothing was done; send it again.',
  ],
  'transaction-aborted': [
    409,
    'Transaction aborted',
    'No branch keeps its work. `cause` says why; with `retryable` the same request may succeed as a new transaction. This concerns `transactionId` only: an earlier request under the same Idempotency-Key whose answer was lost may have begun another one, at another coordinator, and that may still commit until its time-out has passed.',
  ],
  'already-committed': [
    409,
    'Transaction already committed',
    'Commit is on record and cannot be undone. Begin another transaction that compensates.',
  ],
  'heuristic-outcome': [
    409,
    'Heuristic outcome',
    'A branch was finished without or against the decision, or its outcome is not known. An operator must reconcile and resolve it.',
  ],
  'not-active': [
    409,
    'Transaction is not active',
    'No more work can join: the transaction is being decided or has ended.',
  ],
  'not-in-doubt': [
    409,
    'Nothing to do',
    'The transaction is in a state in which this action has no meaning.',
  ],
  'not-offered': [
    409,
    'Action not offered',
    'The transaction is in a state in which this is not offered. The opposite of a decision on record never is.',
  ],
  'set-drifted': [
    409,
    'The selection has changed',
    'Transactions of the planned operation are no longer as they were planned. Nothing was begun; plan it again.',
  ],
  'changed-since': [
    412,
    'Changed since it was looked at',
    'The transaction, orphan or operation is not as `If-Match` says. Nothing was done; look at it again, `etag` is the present one.',
  ],
  'if-match-missing': [
    428,
    'If-Match is missing',
    'Send the entity tag of what was looked at, so that nothing is done to what has changed since.',
  ],
  'not-confirmed': [
    422,
    'Not confirmed',
    'What must be typed to confirm was not typed, or not exactly. `confirm` says what it is. Nothing was done.',
  ],
  'owned-elsewhere': [
    409,
    'Owned by another coordinator',
    'The transaction is live at another coordinator, which alone can do this. Send the request to the one that began it.',
  ],
  'branch-elsewhere': [
    409,
    'Branch lives elsewhere',
    'The open branch lives on an instance that cannot be reached any more.',
  ],
  'duplicate-participant': [
    422,
    'Participant named twice',
    'A participant has one branch per transaction. Put all its operations into that branch.',
  ],
  'too-many-branches': [
    422,
    'Too many branches',
    'The transaction has as many branches as are allowed.',
  ],
  'timeout-out-of-range': [
    422,
    'Time-out out of range',
    'The time-out is outside what this coordinator allows.',
  ],
  'idempotency-key-reused': [
    422,
    'Idempotency key reused',
    'The key was used with another body. Send the same body, or take a new key.',
  ],
  'payload-too-large': [413, 'Payload too large', 'The body is over the limit. Nothing was done.'],
  'forward-too-large': [
    413,
    'Too large to forward',
    'The request fits into a request, but not into a message to the coordinator that began the transaction. Nothing was done; send less at once, or send it there.',
  ],
  'answer-too-large': [
    502,
    'Answer too large',
    'The coordinator that began the transaction has done it, and its answer fits into no message. Send the same request, under the same Idempotency-Key, there.',
  ],
  'message-too-large': [
    413,
    'Message too large',
    'The operations of a branch do not fit into one message. Nothing was begun.',
  ],
  'unsupported-media-type': [
    415,
    'Unsupported media type',
    'Bodies are `application/json`, UTF-8, not compressed.',
  ],
  'too-many-transactions': [
    429,
    'Too many live transactions',
    'The coordinator admits no more at this moment. Try again after `Retry-After`.',
  ],
  'too-many-transactions-of-key': [
    429,
    'Too many live transactions of this key',
    'One key has as many undecided transactions here as one may have. Nothing was begun; try again after `Retry-After`.',
  ],
  'too-many-begins-of-key': [
    429,
    'Too many begins of this key',
    'One key begins more transactions a second here than one may. Nothing was begun; try again after `Retry-After`.',
  ],
  'too-many-bytes-of-key': [
    429,
    'Too many bytes of this key',
    'What requests or live transactions of one key carry takes as much memory here as one may have. Nothing was begun or run; try again after `Retry-After`, or send less.',
  ],
  'too-many-bytes': [
    503,
    'Too many bytes in memory',
    'What live transactions carry takes all the memory that this coordinator has for it. Nothing was begun or run; try again after `Retry-After`.',
  ],
  'too-many-body-bytes': [
    503,
    'Too many bytes in requests',
    'The bodies of requests that are being answered take all the memory that this coordinator has for them. The body was not read, and nothing was begun; try again after `Retry-After`.',
  ],
  'too-many-requests': [
    429,
    'Too many waiting requests',
    'Too many streams are open. Try again after `Retry-After`, or poll.',
  ],
  'too-many-streams-of-key': [
    429,
    'Too many streams of this key',
    'One key has as many event streams open here as one may have. Try again after `Retry-After`, or poll.',
  ],
  'too-many-sign-ins': [
    429,
    'Too many failed sign-ins',
    'Keys that are not known were tried too often from this address, and this one is not known either. Try again after `Retry-After`; a key that is known is let in at any time.',
  ],
  internal: [
    500,
    'Internal error',
    'The coordinator failed. The outcome of a transaction in the request is unknown: ask for it by its id or its idempotency key.',
  ],
  'register-unavailable': [
    503,
    'Decision register unavailable',
    'The decision database does not answer. Nothing was begun or decided by this request; try again after `Retry-After`.',
  ],
  'not-known-now': [
    503,
    'Not known at this moment',
    'The coordinator that owns the transaction does not answer, or its end is not on record yet. What was asked may have been done; it may have committed or aborted, or may still do either. Ask again after `Retry-After`.',
  ],
  'not-forwarded': [
    503,
    'Not forwarded',
    'The coordinator that began the transaction has too much to do. Nothing was done by this request; send it again after `Retry-After`.',
  ],
  'broker-unavailable': [
    503,
    'Message broker unavailable',
    'The broker does not answer. Nothing was begun by this request; try again after `Retry-After`.',
  ],
  'clock-off': [
    503,
    'Clock off',
    'The clock of this coordinator is too far from the decision database’s. Nothing was begun by this request; send it to another coordinator, or again after `Retry-After`.',
  ],
  'another-register': [
    503,
    'Another register',
    'Another coordinator of this cluster id works on another decision database. Which one is right cannot be known, so neither begins or answers anything. Try again after `Retry-After`.',
  ],
  'shutting-down': [
    503,
    'Shutting down',
    'This coordinator finishes what it has and begins nothing more. Try again after `Retry-After`.',
  ],
} as const satisfies Readonly<Record<string, readonly [number, string, string]>>;

export type ProblemCode = keyof typeof PROBLEMS;

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

/** A field of the request and what is wrong with it. */
export interface FieldError {
  /** `branches[0].participant`, `header Idempotency-Key`, `query wait`, … */
  readonly field: string;
  readonly message: string;
}

export interface ProblemExtras {
  readonly errors?: readonly FieldError[];
  readonly retryable?: boolean;
  readonly transactionId?: string;
  /** Becomes `Retry-After`, in whole seconds. */
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the problem, e.g. `cause`. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** An error as a client gets it. `detail` says what happened and what happens next. */
export class Problem extends HttpException {
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ProblemCode,
    detail: string,
    extras: ProblemExtras = {},
  ) {
    const [status, title] = PROBLEMS[code];
    const { errors, retryable = status === 429 || status === 503, transactionId, members } = extras;
    const body = {
      type: `/problems#${code}`,
      title,
      status,
      code,
      detail,
      retryable,
      ...(transactionId === undefined ? {} : { transactionId }),
      ...(errors === undefined ? {} : { errors }),
      ...members,
    };
    super(body, status);
    this.message = detail;
    this.headers = {
      ...extras.headers,
      ...(extras.retryAfterMs === undefined
        ? {}
        : { 'Retry-After': String(Math.max(1, Math.ceil(extras.retryAfterMs / 1_000))) }),
    };
  }
}

/** A request that names a wrong field, or several. */
export function invalidRequest(errors: readonly FieldError[]): Problem {
  const named = errors.slice(0, 3).map((error) => error.field);
  const more = errors.length > named.length ? ` and ${errors.length - named.length} more` : '';
  return new Problem(
    'invalid-request',
    `The request is not valid: see ${named.join(', ')}${more}. Nothing was done; correct it and send it again.`,
    { errors },
  );
}
