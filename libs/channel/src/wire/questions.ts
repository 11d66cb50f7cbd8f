/**
 * Questions: what participants and other coordinators ask a coordinator, and what it answers. Guards
 * the reply-subject rule: a question names its asker (`coordinator` where a coordinator asks, else
 * `participant`), and the answer goes below that asker's own inbox or nowhere.
 */
import { z } from 'zod';
import * as field from './fields.js';

const asker = {
  cluster: field.cluster,
  /** The asking participant. */
  participant: field.participant.optional(),
  /** The asking coordinator, where one asks. */
  coordinator: field.incarnation.optional(),
};

export const inquire = z.object({
  v: field.version,
  type: z.literal('inquire'),
  ...asker,
  /** The branch's participant, who also asks unless `coordinator` is given. */
  participant: field.participant,
  transaction: field.transaction,
  branch: field.branch,
});

export const reportHeuristic = z.object({
  v: field.version,
  type: z.literal('report-heuristic'),
  cluster: field.cluster,
  /** The branch's participant, who reports; nobody reports for another. */
  participant: field.participant,
  transaction: field.transaction,
  branch: field.branch,
  evidence: field.evidence,
});

export const enlist = z.object({
  v: field.version,
  type: z.literal('enlist'),
  ...asker,
  participant: field.participant,
  instance: field.instance,
  transaction: field.transaction,
});

export const ping = z.object({ v: field.version, type: z.literal('ping'), ...asker });

export const live = z.object({
  v: field.version,
  type: z.literal('live'),
  ...asker,
  transaction: field.transaction,
});

export const lowWaterMark = z.object({
  v: field.version,
  type: z.literal('low-water-mark'),
  ...asker,
});

export const discover = z.object({ v: field.version, type: z.literal('discover') });

export const coordinatorUp = z.object({
  v: field.version,
  type: z.literal('coordinator-up'),
  cluster: field.cluster,
  incarnation: field.incarnation,
});

export const standing = z.object({
  v: field.version,
  type: z.literal('standing'),
  transaction: field.transaction,
  standing: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('decided'), decision: field.decision }),
    z.object({ kind: z.literal('undecided') }),
    z.object({ kind: z.literal('forgotten') }),
  ]),
});

/** The evidence is durable: it need not be reported again. */
export const recorded = z.object({
  v: field.version,
  type: z.literal('recorded'),
  transaction: field.transaction,
  branch: field.branch,
});

export const enlisted = z.object({
  v: field.version,
  type: z.literal('enlisted'),
  transaction: field.transaction,
  branch: field.branch,
  timeLeftMs: field.durationMs,
  idleLeaseMs: field.durationMs,
  rejoined: z.boolean().optional(),
});

export const alive = z.object({
  v: field.version,
  type: z.literal('alive'),
  incarnation: field.incarnation,
});

export const liveness = z.object({
  v: field.version,
  type: z.literal('liveness'),
  transaction: field.transaction,
  live: z.boolean(),
});

export const mark = z.object({
  v: field.version,
  type: z.literal('mark'),
  /** Every transaction whose id sorts below this one is neither live nor unended anywhere. */
  below: field.transaction,
});

export const discovered = z.object({
  v: field.version,
  type: z.literal('discovered'),
  cluster: field.cluster,
  incarnation: field.incarnation,
});

export type Enlist = z.infer<typeof enlist>;
export type Inquire = z.infer<typeof inquire>;
export type ReportHeuristic = z.infer<typeof reportHeuristic>;
export type Live = z.infer<typeof live>;
export type Question =
  Inquire | ReportHeuristic | Enlist | Live | z.infer<typeof ping> | z.infer<typeof lowWaterMark>;
