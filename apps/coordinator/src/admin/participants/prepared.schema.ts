/** A branch as its participant's database shows it: what it holds and who waits. */
import { z } from 'zod';

const Count = z.int().min(0);
const Milliseconds = z.number().min(0);

const LockHeld = z
  .object({
    relation: z.string(),
    mode: z.string(),
    rows: z
      .array(z.string())
      .optional()
      .meta({ description: 'rows that somebody waits for, by place; at most 20' }),
  })
  .meta({ id: 'LockHeld' });

const Waiter = z
  .object({
    pid: z.int(),
    waitingMs: Milliseconds.optional(),
    relation: z.string().optional(),
    mode: z.string().optional(),
    behind: z.int().optional().meta({ description: 'the pid ahead of it in the queue' }),
    application: z.string().optional(),
    query: z.string().optional().meta({ description: 'without literals' }),
  })
  .meta({ id: 'Waiter', description: 'a session that waits, directly or behind another' });

export const PreparedBranchResource = z
  .object({
    gid: z.string(),
    transactionId: z.string(),
    branch: z.string(),
    participant: z.string(),
    heldMs: Milliseconds,
    xidAge: Count.optional(),
    locks: z.array(LockHeld),
    waiters: z.array(Waiter),
  })
  .meta({ id: 'PreparedBranch' });
export type PreparedBranchResource = z.infer<typeof PreparedBranchResource>;

export const CheckResource = z
  .object({
    name: z.string(),
    at: z.string().meta({ description: 'register, broker, coordinator, or a participant' }),
    result: z.enum(['ok', 'warning', 'bad', 'unknown']),
    found: z.string(),
    remedy: z.string().optional(),
  })
  .meta({ id: 'Check', description: 'a setting that two-phase commit depends on' });
export type CheckResource = z.infer<typeof CheckResource>;

export const PARTICIPANT_STATES = ['up', 'troubled', 'silent'] as const;

export const ParticipantSummaryResource = z
  .object({
    participant: z.string(),
    state: z.enum(PARTICIPANT_STATES),
    instances: Count,
    inDoubt: Count,
    slotsUsed: Count.optional(),
    slotsMax: Count.optional(),
    oldestMs: Milliseconds.optional(),
    blockedSessions: Count,
    lastError: z.string().optional(),
    lastSeenAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'ParticipantSummary' });
export type ParticipantSummaryResource = z.infer<typeof ParticipantSummaryResource>;

export const AdminParticipantResource = ParticipantSummaryResource.extend({
  instanceReports: z.array(
    z.object({
      instance: z.string(),
      version: z.string(),
      operations: z.array(z.string()),
      openBranches: Count,
      limits: z.object({ sessionsMax: Count, inDoubtMax: Count }).optional(),
      database: z.object({ name: z.string(), version: z.string() }).optional(),
      lookedAt: z.iso.datetime().optional(),
      lastError: z.string().optional(),
    }),
  ),
  prepared: z.array(PreparedBranchResource).meta({ description: 'the oldest; at most 200' }),
  checks: z.array(CheckResource),
}).meta({ id: 'AdminParticipant' });
export type AdminParticipantResource = z.infer<typeof AdminParticipantResource>;

export const AdminParticipantListResource = z
  .object({ participants: z.array(AdminParticipantResource), serverTime: z.iso.datetime() })
  .meta({ id: 'AdminParticipantList' });
export type AdminParticipantListResource = z.infer<typeof AdminParticipantListResource>;
