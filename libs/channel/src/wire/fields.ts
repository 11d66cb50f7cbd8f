/**
 * Fields that several messages have: ids, names, votes, outcomes. Guards protocol §8: every field is
 * checked where it enters, and what is not described here never gets past the codec.
 */
import {
  BRANCHES_MAX,
  type BranchId,
  type BranchOutcome,
  type ClusterId,
  type Decision,
  type HeuristicEvidence,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
  type Vote,
} from '@concordat/protocol';
import { z } from 'zod';
import {
  CODE_LENGTH_MAX,
  OPERATION_NAME_MAX,
  OPERATIONS_MAX,
  REASON_LENGTH_MAX,
  TIME_MS_MAX,
  WIRE_VERSION,
} from './limits.js';

/** A string whose pattern is the whole meaning of its brand. */
const branded = <T extends string>(pattern: RegExp, what: string) =>
  z.string().regex(pattern, `must be ${what}`).meta({ description: what }) as unknown as z.ZodType<
    T,
    string
  >;

export const cluster = branded<ClusterId>(/^[a-z0-9]{8}$/, 'a cluster id: 8 characters a-z, 0-9');
export const incarnation = branded<Incarnation>(
  /^[a-z0-9]{8}$/,
  'a coordinator incarnation: 8 characters a-z, 0-9',
);
export const instance = branded<InstanceId>(
  /^[a-z0-9]{8}$/,
  'a participant instance: 8 characters a-z, 0-9',
);
export const participant = branded<ParticipantName>(
  /^[a-z][a-z0-9-]{0,31}$/,
  'a participant name: a-z, then at most 31 of a-z, 0-9, -',
);
export const transaction = branded<TransactionId>(
  /^[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}(?:-[a-z][a-z0-9-]{0,31})?$/,
  "a transaction id: 26 characters of Crockford base32, a dash, the owner's incarnation; where its only participant decides it, a dash and that name",
);
export const branch = branded<BranchId>(
  /^[1-9][0-9]{0,3}$/,
  'a branch ordinal: 1 to 9999, as a string',
);
export const gid = z
  .string()
  .regex(
    /^cc:[a-z0-9]{8}:[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}(?:-[a-z][a-z0-9-]{0,31})?:[1-9][0-9]{0,3}$/,
    'must be a gid: cc:<cluster>:<transaction>:<branch>',
  );
export const principal = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be the id of an API key')
  .meta({ description: 'the id of an API key' });
export const token = z.string().regex(/^[a-z0-9]{8,32}$/, 'must be 8 to 32 characters a-z, 0-9');

export const version = z.literal(WIRE_VERSION);
export const durationMs = z.int().min(1).max(TIME_MS_MAX);
/** How long ago something was. */
export const ageMs = z.int().min(0).max(TIME_MS_MAX);
export const reason = z.string().max(REASON_LENGTH_MAX);
export const code = z.string().min(1).max(CODE_LENGTH_MAX);
export const json = z.unknown();

export const operations = z
  .array(z.object({ name: z.string().min(1).max(OPERATION_NAME_MAX), input: json }))
  .max(OPERATIONS_MAX);
export const participants = z.array(participant).min(1).max(BRANCHES_MAX);
export const outputs = z.array(json).max(OPERATIONS_MAX);

export const decision: z.ZodType<Decision, Decision> = z.enum(['commit', 'abort']);

export const voteAgainst = z.object({
  kind: z.literal('no'),
  code,
  reason,
  retryable: z.boolean(),
  details: z.record(z.string(), json).optional(),
});

export const vote: z.ZodType<Vote> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('prepared') }),
  z.object({ kind: z.literal('read-only') }),
  z.object({ kind: z.literal('committed') }),
  voteAgainst,
]);

/** What describes a heuristic outcome: the decision, and what the database held instead. */
export const evidence: z.ZodType<HeuristicEvidence> = z.discriminatedUnion('decision', [
  z.object({
    decision: z.literal('commit'),
    found: z.enum(['rolled-back', 'missing', 'unknown']),
    explanation: reason,
  }),
  z.object({
    decision: z.literal('abort'),
    found: z.enum(['committed', 'unknown']),
    explanation: reason,
  }),
]);

export const outcome: z.ZodType<BranchOutcome> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('committed') }),
  z.object({ kind: z.literal('aborted') }),
  z.object({ kind: z.literal('heuristic'), evidence }),
]);
