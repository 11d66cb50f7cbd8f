/**
 * Inspection on the wire: what may be asked for besides the usual, and how a report is read. Guards
 * "a participant can be anybody's work": each customary field is read for itself, and one that is
 * missing or strange is left out, never taken for a broken message; the raw report stays as it came.
 */
import { WAITS_MAX, type InstanceReport } from '@concordat/engine';
import { parseGid, type Gid } from '@concordat/protocol';
import { z } from 'zod';
import * as field from './fields.js';
import { branchWait, lockWait } from './waits.js';

/** Prepared branches, or outcome rows, in one page. */
export const PREPARED_PAGE_MAX = 1_000;
export const COMMITTED_PAGE_MAX = 5_000;
/** Branches whose lock impact may be asked for at once. */
export const IMPACT_MAX = 200;

/** Those in sessions, and those without. */
const LOCK_WAITS_READ_MAX = 2 * WAITS_MAX;

const outcomeKey = z.object({ transaction: field.transaction, branch: field.branch });

/** Optional in `inspect` and `inspect-all`. A participant that does not know one answers without it. */
export const lookFields = {
  prepared: z
    .object({ after: field.gid.optional(), limit: z.int().min(1).max(PREPARED_PAGE_MAX) })
    .optional(),
  gids: z.array(field.gid).max(IMPACT_MAX).optional(),
  oldest: z.int().min(1).max(IMPACT_MAX).optional(),
  committed: z
    .object({ after: outcomeKey.optional(), limit: z.int().min(1).max(COMMITTED_PAGE_MAX) })
    .optional(),
  checks: z.boolean().optional(),
  waits: z.array(field.gid).max(IMPACT_MAX).optional(),
  heard: z.array(field.gid).max(IMPACT_MAX).optional(),
};

const count = z.number().min(0);
const text = (max: number) => z.string().transform((one) => one.slice(0, max));
const anyGid = z.string().max(200);
const relation = text(200);

/** What is left of a list when the entries that cannot be read are dropped. */
const listOf = <T extends z.ZodType>(entry: T, max: number) =>
  z.array(z.unknown()).transform((entries): z.output<T>[] =>
    entries.slice(0, max).flatMap((one) => {
      const read = entry.safeParse(one);
      return read.success ? [read.data] : [];
    }),
  );

const waiter = z.object({
  pid: z.int(),
  waitingMs: count.optional(),
  relation: relation.optional(),
  row: text(64).optional(),
  mode: text(64).optional(),
  behind: z.int().optional(),
  application: text(64).optional(),
  query: text(1_000).optional(),
});

const impact = z.object({
  gid: anyGid,
  heldMs: count,
  xidAge: count,
  locks: listOf(
    z.object({ relation, mode: text(64), rows: listOf(text(200), 20).optional() }),
    200,
  ),
  waiters: listOf(waiter, 500),
  blockedSessions: count,
  truncated: z.boolean().optional(),
});

const preparedBranch = anyGid.transform((gid, ctx) => {
  const parts = parseGid(gid);
  if (parts) return { gid: gid as Gid, transaction: parts.transaction, branch: parts.branch };
  ctx.addIssue('not a gid');
  return z.NEVER;
});

const fields = {
  working: count,
  inDoubt: count,
  recalled: count,
  onePhase: z.literal(true),
  limits: z.object({ sessionsMax: count, inDoubtMax: count }),
  operations: listOf(text(128), 1_000),
  prepared: z.object({
    inDoubt: count,
    oldestAgeMs: count.optional(),
    slotsUsed: count.optional(),
    slotsMax: count.optional(),
    forgotten: listOf(anyGid, 10_000).optional(),
    lookedAtMs: count.optional(),
  }),
  lastError: text(2_000),
  errors: listOf(z.object({ atMs: count, what: text(64), message: text(500) }), 10),
  database: z.object({ name: text(64), version: text(64) }),
  blocked: z.object({
    sessions: count,
    branches: listOf(z.object({ gid: anyGid, sessions: count }), 200),
    truncated: z.boolean().optional(),
  }),
  lockWaits: z.object({
    sessions: count,
    waits: listOf(lockWait, LOCK_WAITS_READ_MAX),
    truncated: z.boolean().optional(),
  }),
  page: z.object({
    branches: listOf(z.object({ gid: preparedBranch, heldMs: count }), PREPARED_PAGE_MAX),
    next: anyGid.optional(),
  }),
  impact: z.object({ branches: listOf(impact, IMPACT_MAX), truncated: z.boolean().optional() }),
  fates: listOf(
    z.object({
      gid: anyGid,
      fate: z.enum(['prepared', 'committed', 'tombstone', 'nothing']),
    }),
    IMPACT_MAX,
  ),
  committed: z.object({
    rows: z.array(outcomeKey).max(COMMITTED_PAGE_MAX),
    next: outcomeKey.optional(),
  }),
  checks: listOf(
    z.object({
      name: text(64),
      result: z.enum(['ok', 'warning', 'bad', 'unknown']),
      found: text(1_000),
      remedy: text(1_000).optional(),
    }),
    100,
  ),
  waits: listOf(branchWait, WAITS_MAX),
  heard: listOf(anyGid, IMPACT_MAX),
  listeningMs: count,
  failures: listOf(text(500), 20),
};

/** What is customary in a report, as far as this one has it. */
export function readReport(report: Readonly<Record<string, unknown>>): InstanceReport {
  const read = <K extends keyof typeof fields>(
    name: K,
  ): z.output<(typeof fields)[K]> | undefined => {
    const one = fields[name].safeParse(report[name]);
    return one.success ? (one.data as z.output<(typeof fields)[K]>) : undefined;
  };
  const prepared = read('prepared');
  const page = read('page');
  const { slotsUsed, slotsMax } = prepared ?? {};
  return dropUndefined({
    working: read('working'),
    inDoubt: read('inDoubt'),
    recalled: read('recalled'),
    onePhase: read('onePhase'),
    limits: read('limits'),
    operations: read('operations'),
    slots:
      slotsUsed !== undefined && slotsMax !== undefined
        ? { used: slotsUsed, max: slotsMax }
        : undefined,
    preparedCount: prepared?.inDoubt,
    oldestMs: prepared?.oldestAgeMs,
    forgotten: prepared?.forgotten,
    lookedAtMs: prepared?.lookedAtMs,
    lastError: read('lastError'),
    errors: read('errors'),
    database: read('database'),
    blocked: read('blocked'),
    lockWaits: read('lockWaits'),
    page: page && {
      branches: page.branches.map(({ gid, heldMs }) => ({ ...gid, heldMs })),
      ...(page.next === undefined ? {} : { next: page.next }),
    },
    impact: read('impact'),
    fates: read('fates'),
    committed: read('committed'),
    checks: read('checks'),
    waits: read('waits'),
    heard: read('heard'),
    listeningMs: read('listeningMs'),
    failures: read('failures'),
  });
}

function dropUndefined(report: InstanceReport): InstanceReport {
  return Object.fromEntries(
    Object.entries(report).filter(([, value]) => value !== undefined),
  ) as InstanceReport;
}
