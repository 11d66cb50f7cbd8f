/**
 * Commands: what a coordinator sends participants, and what they answer. Guards protocol §4 and §8:
 * an answer has another `type` than any command, so that it never parses as one, and it repeats
 * transaction, branch and participant, so that it never counts for another branch.
 */
import { z } from 'zod';
import * as field from './fields.js';
import { lookFields } from './inspection.js';

const toBranch = {
  cluster: field.cluster,
  transaction: field.transaction,
  branch: field.branch,
  participant: field.participant,
  instance: field.instance.optional(),
  epoch: field.incarnation,
  timeLeftMs: field.durationMs,
};

export const work = z.object({
  v: field.version,
  type: z.literal('work'),
  ...toBranch,
  /** 1, 2, … within the branch: a call runs once, and a repeat gets the first one's answer. */
  call: z.int().min(1),
  operations: field.operations,
  idleLeaseMs: field.durationMs,
  ageMs: field.ageMs.optional(),
});

export const prepare = z.object({
  v: field.version,
  type: z.literal('prepare'),
  ...toBranch,
  operations: field.operations.optional(),
  calls: z.int().min(0).optional(),
  participants: field.participants,
  ageMs: field.ageMs.optional(),
});

export const commit = z.object({ v: field.version, type: z.literal('commit'), ...toBranch });

export const abort = z.object({ v: field.version, type: z.literal('abort'), ...toBranch });

export const inspect = z.object({
  v: field.version,
  type: z.literal('inspect'),
  cluster: field.cluster,
  participant: field.participant,
  instance: field.instance.optional(),
  epoch: field.incarnation,
  ...lookFields,
});

export const inspectAll = z.object({
  v: field.version,
  type: z.literal('inspect-all'),
  cluster: field.cluster,
  epoch: field.incarnation,
  token: field.token,
  ...lookFields,
});

const ofBranch = {
  transaction: field.transaction,
  branch: field.branch,
  participant: field.participant,
  instance: field.instance,
};

export const worked = z.object({
  v: field.version,
  type: z.literal('worked'),
  ...ofBranch,
  result: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('done'), outputs: field.outputs }),
    field.voteAgainst,
  ]),
});

export const vote = z.object({
  v: field.version,
  type: z.literal('vote'),
  ...ofBranch,
  vote: field.vote,
  outputs: field.outputs,
});

export const acknowledged = z.object({
  v: field.version,
  type: z.literal('acknowledged'),
  ...ofBranch,
  outcome: field.outcome,
});

export const notYet = z.object({
  v: field.version,
  type: z.literal('not-yet'),
  ...ofBranch,
  reason: field.reason,
  /** In one phase: what became of it is past the participant's retention. Asking again does not help. */
  forgotten: z.literal(true).optional(),
});

export const inspected = z.object({
  v: field.version,
  type: z.literal('inspected'),
  participant: field.participant,
  instance: field.instance,
  version: z.string().max(64),
  report: z.record(z.string(), field.json),
});

/** Nothing was done. Both ends say it; `field` names what could not be read. */
export const refused = z.object({
  v: field.version,
  type: z.literal('refused'),
  code: field.code,
  reason: field.reason,
  field: z.string().max(256).optional(),
});

export const workAnswers = z.discriminatedUnion('type', [worked, refused]);
export const prepareAnswers = z.discriminatedUnion('type', [vote, refused]);
export const finishAnswers = z.discriminatedUnion('type', [acknowledged, notYet, refused]);
export const inspectAnswers = z.discriminatedUnion('type', [inspected, refused]);

export type Work = z.infer<typeof work>;
export type Prepare = z.infer<typeof prepare>;
export type Finish = z.infer<typeof commit> | z.infer<typeof abort>;
export type Inspect = z.infer<typeof inspect>;
export type InspectAll = z.infer<typeof inspectAll>;
