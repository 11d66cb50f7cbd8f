/**
 * Waits for locks on the wire. Guards "waits are reported in ids": a holder is a branch of this
 * cluster, or something that is none and can only be shown.
 */
import {
  HOLDERS_MAX,
  type BranchWait,
  type LockWait,
  type Wait,
  type WaitHolder,
} from '@concordat/engine';
import { z } from 'zod';
import * as field from './fields.js';
import { TIME_MS_MAX } from './limits.js';

const name = z.string().max(128);
const pid = z.int().min(1);
/** Milliseconds since 1970, of the coordinator that reports it. */
const instant = z.int().min(0);

const holder: z.ZodType<WaitHolder> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('branch'),
    transaction: field.transaction,
    branch: field.branch,
    isPrepared: z.boolean(),
    /** Of its session, while it is not prepared. */
    pid: pid.optional(),
    application: name.optional(),
  }),
  z.object({
    kind: z.literal('session'),
    pid,
    application: name.optional(),
    user: name.optional(),
  }),
  z.object({ kind: z.literal('prepared'), gid: z.string().max(200) }),
]);

const wait = {
  /** The same as long as this wait lasts, and no other wait's. */
  id: z.string().min(1).max(128),
  waitingMs: z.int().min(0).max(TIME_MS_MAX),
  on: z.object({
    kind: name,
    relation: z.string().max(200).optional(),
    row: z.string().max(64).optional(),
  }),
  /** It waits for its turn to run again: nothing in the database shows that. */
  withoutSession: z.literal(true).optional(),
  holders: z.array(holder).max(HOLDERS_MAX),
};
const fields = { transaction: field.transaction, branch: field.branch, ...wait };

export const branchWait: z.ZodType<BranchWait> = z.object(fields);

/** With who reported it. */
export const reportedWait: z.ZodType<Wait> = z.object({
  ...fields,
  participant: field.participant,
  instance: field.instance,
  sinceMs: instant,
  heardAtMs: instant,
});

/** In a report: a wait of the reporting participant's branch. */
export const lockWait: z.ZodType<LockWait> = z.object({
  ...wait,
  waiter: holder,
  ahead: z.int().min(0),
});
