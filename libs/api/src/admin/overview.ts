/** The overview: what waits, what it holds up, how the coordinators and participants are. */
import { z } from 'zod';
import { ParticipantSummaryResource } from './participant.js';

const Time = z.iso.datetime();
const Count = z.int().min(0);
const Milliseconds = z.number().min(0);
const Rate = z.number().min(0);
const OF_THE_REGISTER = 'absent: the register does not answer, so it is not known';
const OF_THE_SEEN = 'of the participants that are not in notSeen';

const Reachable = z.object({ up: z.boolean(), lastError: z.string().optional() });

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

export const AdminOverviewResource = z
  .object({
    inDoubt: z
      .object({
        transactions: Count,
        oldestMs: Milliseconds.optional(),
        oldestTransactionId: z.string().optional(),
        histogram: z.array(z.object({ fromMs: Milliseconds, count: Count })),
      })
      .optional()
      .meta({ description: OF_THE_REGISTER }),
    preparedBranches: Count.meta({ description: OF_THE_SEEN }),
    stuck: Count.optional().meta({ description: OF_THE_REGISTER }),
    heuristic: Count.optional().meta({ description: OF_THE_REGISTER }),
    orphans: Count.optional().meta({
      description:
        'found by the last comparison, and by earlier ones where notCompared says so; absent before the first one',
    }),
    blockedSessions: Count.meta({ description: 'of the participants below that report theirs' }),
    notSeen: z
      .array(z.string())
      .meta({ description: 'participants of which it is not known what is prepared there' }),
    notCompared: z
      .array(z.string())
      .meta({ description: 'participants that the last comparison could not look into' }),
    throughput: z.object({
      committedPerSecond: Rate,
      abortedPerSecond: Rate,
      windowMs: Milliseconds,
      history: z.array(z.object({ at: Time, committed: Rate, aborted: Rate })),
    }),
    decisionLatency: z.object({ p50Ms: Milliseconds, p99Ms: Milliseconds }).optional(),
    abortReasons: z
      .array(z.object({ kind: z.enum(ABORT_KINDS), count: Count }))
      .optional()
      .meta({ description: OF_THE_REGISTER }),
    recovery: z.object({
      backlog: Count.optional().meta({ description: OF_THE_REGISTER }),
      live: Count,
    }),
    coordinators: z
      .array(
        z.object({
          incarnation: z.string(),
          self: z.boolean(),
          startedAt: Time,
          seenMsAgo: Milliseconds,
        }),
      )
      .optional()
      .meta({ description: OF_THE_REGISTER }),
    participants: z.array(ParticipantSummaryResource),
    register: Reachable,
    broker: Reachable,
    serverTime: Time,
  })
  .meta({ id: 'AdminOverview' });
export type AdminOverviewResource = z.infer<typeof AdminOverviewResource>;
