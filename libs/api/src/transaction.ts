/**
 * A transaction as the REST API shows it: schemas for the OpenAPI document and the types that the
 * mapping must produce. Guards "additive fields, open enums": clients see what exists today.
 */
import { z } from 'zod';
import { Decision, Status } from './status.js';
import { BranchWaitsResource } from './waits.js';

const Time = z.iso.datetime().meta({ description: 'RFC 3339, UTC' });
const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const Milliseconds = Count;

export const Vote = z
  .object({
    kind: z.enum(['prepared', 'read-only', 'committed', 'no']),
    code: z.string().optional(),
    reason: z.string().optional(),
    retryable: z.boolean().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Vote', description: 'what the branch said when asked to prepare' });

export const BranchOutcome = z
  .object({
    kind: z.enum(['committed', 'aborted', 'heuristic']),
    evidence: z
      .object({
        decision: Decision,
        found: z.enum(['rolled-back', 'missing', 'committed', 'unknown']),
        explanation: z.string(),
      })
      .optional(),
  })
  .meta({ id: 'BranchOutcome', description: 'what happened to the branch' });

export const BranchResource = z
  .object({
    branch: z.string(),
    participant: z.string(),
    work: z.enum(['bundled', 'open']),
    operations: z.array(z.string()).meta({ description: 'names; inputs are not kept' }),
    vote: Vote.optional(),
    outcome: BranchOutcome.optional(),
    outputs: z
      .array(z.unknown())
      .optional()
      .meta({ description: 'outputs of the operations, in order' }),
    attempts: Count.meta({ description: 'deliveries of the decision so far' }),
    lastError: z.string().optional(),
    nextAttemptAt: Time.optional(),
    waitsFor: BranchWaitsResource.optional().meta({
      description:
        'of one undecided transaction, of branches that have not voted; no part of its version',
    }),
  })
  .meta({ id: 'BranchState' });

/** Why a transaction aborted. */
export const ABORT_KINDS = [
  'vote',
  'unreachable',
  'deadline',
  'rollback-requested',
  'doubtful-work',
  'given-up',
  'idempotency-key',
  'operator',
  'undetermined',
] as const;

export const Cause = z
  .looseObject({
    kind: z.enum(ABORT_KINDS),
    branch: z.string().optional(),
    participant: z.string().optional(),
    code: z.string().optional(),
    reason: z.string().optional(),
    retryable: z.boolean().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
    missing: z
      .array(z.string())
      .optional()
      .meta({ description: 'participants whose vote was missing at the deadline' }),
    winner: z
      .string()
      .optional()
      .meta({ description: 'the transaction that committed under the same idempotency key' }),
  })
  .meta({
    id: 'AbortCause',
    description: 'why a transaction aborted; of a vote, which branch said no, with its code',
  });

export const TransactionResource = z
  .object({
    transactionId: z.string().meta({ example: '01k9zq4w7nfx3v2m8r5t6y0abc-7f3k9x2m' }),
    label: z.string().optional(),
    principal: z.string().optional().meta({ description: 'id of the key that began it' }),
    owner: z.string().meta({ description: 'incarnation of the coordinator that began it' }),
    status: Status,
    decision: Decision.optional(),
    outcome: z.enum(['committed', 'aborted', 'heuristic-mixed', 'heuristic-hazard']).optional(),
    cause: Cause.optional(),
    attempts: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'transactions that have tried this request so far, this one included' }),
    timeoutMs: Milliseconds.optional(),
    timeLeftMs: Milliseconds.optional(),
    begunAt: Time.optional().meta({
      description: 'RFC 3339, UTC; as the two below the same at every coordinator, now and later',
    }),
    decidedAt: Time.optional(),
    endedAt: Time.optional(),
    resolved: z
      .object({ at: Time, by: z.string(), reason: z.string() })
      .optional()
      .meta({ description: 'how an operator settled a heuristic outcome' }),
    branches: z.array(BranchResource),
    version: Count,
    serverTime: Time,
  })
  .meta({ id: 'Transaction', description: 'a transaction as the coordinator shows it' });
export type TransactionResource = z.infer<typeof TransactionResource>;

export const EventResource = z
  .object({
    sequence: Count,
    at: Time,
    type: z.string().meta({ example: 'voted' }),
    branch: z.string().optional(),
    participant: z.string().optional(),
    detail: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'TimelineEvent', description: 'one line of the timeline of a transaction' });
export type EventResource = z.infer<typeof EventResource>;

export const TimelineResource = z
  .object({
    transactionId: z.string(),
    status: Status,
    events: z.array(EventResource),
    serverTime: Time,
  })
  .meta({ id: 'Timeline' });
export type TimelineResource = z.infer<typeof TimelineResource>;

export const WorkResource = z
  .object({
    transactionId: z.string(),
    branch: z.string(),
    participant: z.string(),
    outputs: z.array(z.unknown()),
  })
  .meta({ id: 'WorkDone' });
export type WorkResource = z.infer<typeof WorkResource>;

export const FieldError = z
  .object({ field: z.string(), message: z.string() })
  .meta({ id: 'FieldError' });

export const ProblemResource = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.string().meta({ description: 'stable; see /problems' }),
    detail: z.string().meta({ description: 'what happened and what happens next' }),
    retryable: z.boolean(),
    transactionId: z.string().optional(),
    errors: z.array(FieldError).optional(),
    decision: Decision.optional(),
    cause: Cause.optional(),
    attempts: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'of a transaction in one call: transactions that have tried it' }),
  })
  .meta({ id: 'ProblemDetails', description: 'RFC 9457 problem details' });
