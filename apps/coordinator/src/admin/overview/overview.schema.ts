/** The overview: what waits, what it holds up, how the coordinators and participants are. */
import { z } from 'zod';
import { ParticipantSummaryResource } from '../participants/prepared.schema.js';

const Time = z.iso.datetime();
const Count = z.int().min(0);
const Milliseconds = z.number().min(0);
const Rate = z.number().min(0);
const Reachable = z.object({ up: z.boolean(), lastError: z.string().optional() });

export const ABORT_KINDS = [
  'vote',
  'unreachable',
  'deadline',
  'rollback-requested',
  'doubtful-work',
  'idempotency-key',
  'operator',
  'undetermined',
] as const;

export const AdminOverviewResource = z
  .object({
    inDoubt: z.object({
      transactions: Count,
      branches: Count,
      oldestMs: Milliseconds.optional(),
      oldestTransactionId: z.string().optional(),
      histogram: z.array(z.object({ fromMs: Milliseconds, count: Count })),
    }),
    stuck: Count,
    heuristic: Count,
    orphans: Count,
    blockedSessions: Count,
    throughput: z.object({
      committedPerSecond: Rate,
      abortedPerSecond: Rate,
      windowMs: Milliseconds,
      history: z.array(z.object({ at: Time, committed: Rate, aborted: Rate })),
    }),
    decisionLatency: z.object({ p50Ms: Milliseconds, p99Ms: Milliseconds }).optional(),
    abortReasons: z.array(z.object({ kind: z.enum(ABORT_KINDS), count: Count })),
    recovery: z.object({ backlog: Count, live: Count }),
    coordinators: z.array(
      z.object({
        incarnation: z.string(),
        self: z.boolean(),
        startedAt: Time,
        seenMsAgo: Milliseconds,
      }),
    ),
    participants: z.array(ParticipantSummaryResource),
    register: Reachable,
    broker: Reachable,
    serverTime: Time,
  })
  .meta({ id: 'AdminOverview' });
export type AdminOverviewResource = z.infer<typeof AdminOverviewResource>;
