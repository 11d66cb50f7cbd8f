/** A branch as its participant's database shows it: what it holds and who waits. */
import { z } from 'zod';
import { BlockerResource, SessionWaitResource } from '../waits.js';
import { Needs, reasonFields } from './needs.js';

const Count = z.int().min(0);
const Milliseconds = z.number().min(0);

export const LockHeld = z
  .object({
    relation: z.string(),
    mode: z.string(),
    rows: z
      .array(z.string())
      .optional()
      .meta({ description: 'rows that somebody waits for, by place; at most 20' }),
  })
  .meta({ id: 'LockHeld' });

export const Waiter = z
  .object({
    pid: z.int(),
    waitingMs: Milliseconds.optional(),
    relation: z.string().optional().meta({
      description: 'what it waits for: a row of it, it as a whole, or the session ahead',
    }),
    mode: z.string().optional(),
    behind: z.int().optional().meta({
      description: 'the pid ahead of it in the queue; absent where it waits for the branch itself',
    }),
    application: z.string().optional(),
    query: z
      .string()
      .optional()
      .meta({ description: 'without literals; only where the role of the participant may see it' }),
  })
  .meta({ id: 'Waiter', description: 'a session that waits, directly or behind another' });

export const PreparedBranchResource = z
  .object({
    gid: z.string(),
    transactionId: z.string(),
    branch: z.string(),
    participant: z.string(),
    heldMs: Milliseconds.meta({
      description: 'how long it has been prepared, by the clock of the database',
    }),
    xidAge: Count.optional().meta({
      description: 'age of its transaction id: how much vacuum must keep',
    }),
    locks: z.array(LockHeld),
    waiters: z.array(Waiter),
    truncated: z
      .literal(true)
      .optional()
      .meta({ description: 'more is locked, or more wait, than is listed' }),
  })
  .meta({ id: 'PreparedBranch' });
export type PreparedBranchResource = z.infer<typeof PreparedBranchResource>;

export const CheckResult = z.enum(['ok', 'warning', 'bad', 'unknown']);

export const CheckResource = z
  .object({
    name: z.string(),
    at: z.string().meta({ description: 'register, broker, coordinator, or a participant' }),
    result: CheckResult,
    found: z.string(),
    remedy: z.string().optional(),
  })
  .meta({ id: 'Check', description: 'a setting that two-phase commit depends on' });
export type CheckResource = z.infer<typeof CheckResource>;

export const PARTICIPANT_STATES = ['up', 'troubled', 'silent'] as const;
/** Of a branch's participant: also a name that has never answered. */
export const BRANCH_PARTICIPANT_STATES = [...PARTICIPANT_STATES, 'unknown'] as const;

const NOT_KNOWN = 'absent: not known, because no instance that sees its database reports it';

export const ParticipantSummaryResource = z
  .object({
    participant: z.string(),
    state: z.enum(PARTICIPANT_STATES).meta({
      description: '`silent`: has answered before, and answers nothing now',
    }),
    instances: Count,
    inDoubt: Count.optional().meta({ description: NOT_KNOWN }),
    slotsUsed: Count.optional().meta({ description: NOT_KNOWN }),
    slotsMax: Count.optional().meta({ description: NOT_KNOWN }),
    oldestMs: Milliseconds.optional(),
    blockedSessions: Count.optional().meta({
      description: `that wait for what a branch holds, at work or prepared, or are branches that wait for others; ${NOT_KNOWN}`,
    }),
    waitingBranches: Count.optional().meta({
      description: `that wait for a lock, with or without a session; ${NOT_KNOWN}`,
    }),
    longestWaitMs: Milliseconds.optional().meta({ description: 'of these branches' }),
    waitingWithoutSession: Count.optional().meta({ description: NOT_KNOWN }),
    lastKnown: z.object({ inDoubt: Count, at: z.iso.datetime() }).optional().meta({
      description: 'while inDoubt is absent: what it was when its database was last seen',
    }),
    undelivered: Count.optional().meta({
      description:
        'while inDoubt is absent: commits on record that it is not known to have acknowledged; absent also where the register does not answer',
    }),
    lastError: z.string().optional(),
    lastSeenAt: z.iso.datetime().optional().meta({ description: 'when it last answered' }),
  })
  .meta({ id: 'ParticipantSummary' });
export type ParticipantSummaryResource = z.infer<typeof ParticipantSummaryResource>;

export const PARTICIPANT_ACTIONS = ['retire'] as const;

export const ParticipantActionResource = z
  .object({
    action: z.enum(PARTICIPANT_ACTIONS),
    offered: z.boolean(),
    because: z.string().optional().meta({ description: 'why it is not offered' }),
    consequence: z.string(),
    needs: Needs,
  })
  .meta({ id: 'ParticipantAction' });
export type ParticipantActionResource = z.infer<typeof ParticipantActionResource>;

export const RetireBody = z.strictObject({ ...reasonFields }).meta({ id: 'RetireRequest' });
export type RetireBody = z.infer<typeof RetireBody>;

export const RetireResultResource = z
  .object({ participant: z.string(), summary: z.string(), auditId: z.string() })
  .meta({ id: 'RetireResult' });
export type RetireResultResource = z.infer<typeof RetireResultResource>;

export const AdminParticipantResource = ParticipantSummaryResource.extend({
  instanceReports: z.array(
    z.object({
      instance: z.string(),
      version: z.string(),
      operations: z.array(z.string()).optional(),
      openBranches: Count.optional(),
      limits: z.object({ sessionsMax: Count, inDoubtMax: Count }).optional(),
      database: z.object({ name: z.string(), version: z.string() }).optional(),
      lookedAt: z.iso.datetime().optional(),
      lastError: z.string().optional(),
    }),
  ),
  prepared: z
    .array(PreparedBranchResource)
    .optional()
    .meta({ description: 'the oldest; at most 200; absent: not known' }),
  lockWaits: z
    .array(SessionWaitResource)
    .optional()
    .meta({ description: 'who waits there, the longest first; at most 50; absent: not known' }),
  blockers: z
    .array(BlockerResource)
    .optional()
    .meta({ description: 'who holds something up there, the longest first; at most 50' }),
  checks: z.array(CheckResource),
  actions: z.array(ParticipantActionResource),
  etag: z.string().meta({ description: 'what If-Match must carry to retire it' }),
}).meta({ id: 'AdminParticipant' });
export type AdminParticipantResource = z.infer<typeof AdminParticipantResource>;

export const AdminParticipantListResource = z
  .object({ participants: z.array(AdminParticipantResource), serverTime: z.iso.datetime() })
  .meta({ id: 'AdminParticipantList' });
export type AdminParticipantListResource = z.infer<typeof AdminParticipantListResource>;
