/**
 * Questions: what participants and other coordinators ask a coordinator, and what it answers. Guards
 * protocol §8: the subject names the asker, and the body repeats it (`coordinator` where a coordinator asks,
 * else `participant`); a question whose body names another one is refused.
 */
import { WAITS_ASKED_MAX, WAITS_MAX } from '@concordat/engine';
import { BRANCHES_MAX } from '@concordat/protocol';
import { z } from 'zod';
import * as field from './fields.js';
import { TIME_MS_MAX } from './limits.js';
import { branchWait, reportedWait } from './waits.js';

export const inquire = z.object({
  v: field.version,
  type: z.literal('inquire'),
  cluster: field.cluster,
  /** The branch's participant, who also asks unless `coordinator` is given. */
  participant: field.participant,
  /** The asking coordinator, where one asks. */
  coordinator: field.incarnation.optional(),
  transaction: field.transaction,
  branch: field.branch,
  /** The branch has not voted: no abort is recorded while its owner only does not answer. */
  unvoted: z.literal(true).optional(),
});

export const reportHeuristic = z.object({
  v: field.version,
  type: z.literal('report-heuristic'),
  cluster: field.cluster,
  /** The branch's participant, which reports; none reports for another. */
  participant: field.participant,
  transaction: field.transaction,
  branch: field.branch,
  evidence: field.evidence,
});

export const enlist = z.object({
  v: field.version,
  type: z.literal('enlist'),
  cluster: field.cluster,
  /** The participant that was called, which asks; none enlists another. */
  participant: field.participant,
  instance: field.instance,
  transaction: field.transaction,
});

export const ping = z.object({
  v: field.version,
  type: z.literal('ping'),
  cluster: field.cluster,
  coordinator: field.incarnation,
});

export const live = z.object({
  v: field.version,
  type: z.literal('live'),
  cluster: field.cluster,
  coordinator: field.incarnation,
  transaction: field.transaction,
});

/**
 * What a client may ask of the owner of its open transaction through another coordinator; `join` asks the
 * one that has claimed an Idempotency-Key for the answer of the request that it runs under it.
 */
export const FORWARD_VERBS = ['work', 'commit', 'rollback', 'join'] as const;
/** Scopes of keys that may ask it. */
export const FORWARD_ROLES = ['client', 'operator', 'force'] as const;

export const forward = z.object({
  v: field.version,
  type: z.literal('forward'),
  cluster: field.cluster,
  coordinator: field.incarnation,
  transaction: field.transaction,
  verb: z.enum(FORWARD_VERBS),
  /** The client behind the request: the id of the API key, and its scope. */
  principal: field.principal,
  role: z.enum(FORWARD_ROLES),
  /** The body of the request, as the REST API describes it. */
  body: field.json.optional(),
  /** The request's Idempotency-Key. */
  key: z.string().min(1).max(255).optional(),
  /** For which moment the answer to a commit or rollback may wait, and how long. */
  wait: z
    .object({
      until: z.enum(['decided', 'completed']),
      waitMs: z.int().min(0).max(TIME_MS_MAX),
      applied: z.string().max(64).optional(),
    })
    .optional(),
});

export const lowWaterMark = z.object({
  v: field.version,
  type: z.literal('low-water-mark'),
  cluster: field.cluster,
  /** The asking participant, or the asking coordinator: one of the two. */
  participant: field.participant.optional(),
  coordinator: field.incarnation.optional(),
});

/** What a register is called, for people: none of it decides anything. */
const register = z.object({
  system: z.string().max(32).optional(),
  timeline: z.number().int().nonnegative().optional(),
  database: z.string().max(64),
  oid: z.number().int().nonnegative(),
});

export const sameRegister = z.object({
  v: field.version,
  type: z.literal('same-register'),
  cluster: field.cluster,
  coordinator: field.incarnation,
  /** The number of a heartbeat that the asker has written into its register. */
  beat: z.number().int().nonnegative(),
  register,
});

export const registerSeen = z.object({
  v: field.version,
  type: z.literal('register-seen'),
  incarnation: field.incarnation,
  /** Whether the register of who answers holds that heartbeat. */
  seen: z.boolean(),
  register,
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
  /** Whose a live transaction is: the id of the API key that began it. */
  principal: field.principal.optional(),
});

/** What the owner answered: what the client gets, word for word. */
export const forwarded = z.object({
  v: field.version,
  type: z.literal('forwarded'),
  transaction: field.transaction,
  status: z.int().min(200).max(599),
  headers: z.record(z.string().max(64), z.string().max(1_000)),
  body: field.json,
});

export const mark = z.object({
  v: field.version,
  type: z.literal('mark'),
  /** Every transaction whose id sorts below this one is neither live nor unended anywhere. */
  below: field.transaction,
  /**
   * Every transaction below this one is past retention. Absent: none is known to be, and outcome rows of
   * transactions that are decided at their participant are not pruned.
   */
  forgottenBelow: field.transaction.optional(),
});

export const discovered = z.object({
  v: field.version,
  type: z.literal('discovered'),
  cluster: field.cluster,
  incarnation: field.incarnation,
});

/** All waits of the asking instance's branches in transactions that the coordinator asked owns. */
export const waits = z.object({
  v: field.version,
  type: z.literal('waits'),
  cluster: field.cluster,
  participant: field.participant,
  instance: field.instance,
  /** Grows with each report of the instance. */
  sequence: z.int().min(1),
  waits: z.array(branchWait).max(WAITS_MAX),
});

export const waitsNoted = z.object({
  v: field.version,
  type: z.literal('waits-noted'),
  instance: field.instance,
});

export const waitsOf = z.object({
  v: field.version,
  type: z.literal('waits-of'),
  cluster: field.cluster,
  coordinator: field.incarnation,
  transactions: z.array(field.transaction).min(1).max(WAITS_ASKED_MAX),
});

export const waitsTold = z.object({
  v: field.version,
  type: z.literal('waits-told'),
  incarnation: field.incarnation,
  /** Of those that wait for something. */
  transactions: z.array(
    z.object({
      transaction: field.transaction,
      waits: z.array(reportedWait).max(BRANCHES_MAX),
    }),
  ),
});

export type Enlist = z.infer<typeof enlist>;
export type Inquire = z.infer<typeof inquire>;
export type ReportHeuristic = z.infer<typeof reportHeuristic>;
export type Live = z.infer<typeof live>;
export type Waits = z.infer<typeof waits>;
export type WaitsOf = z.infer<typeof waitsOf>;
export type SameRegister = z.infer<typeof sameRegister>;
export type Forward = z.infer<typeof forward>;
export type Question =
  | Inquire
  | ReportHeuristic
  | Enlist
  | Live
  | SameRegister
  | Forward
  | Waits
  | WaitsOf
  | z.infer<typeof ping>
  | z.infer<typeof lowWaterMark>;
