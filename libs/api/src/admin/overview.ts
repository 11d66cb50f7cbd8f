/** The overview: what waits, what it holds up, how the coordinators and participants are. */
import { z } from 'zod';
import { ABORT_KINDS } from '../transaction.js';
import { ParticipantSummaryResource } from './participant.js';

const Time = z.iso.datetime();
const Count = z.int().min(0);
const Milliseconds = z.number().min(0);
const Rate = z.number().min(0);
const OF_THE_REGISTER = 'absent: the register does not answer, so it is not known';
const OF_THE_SEEN =
  'of the participants that are not in notSeen; absent, not 0, where these report none and others are in it';

const Reachable = z.object({ up: z.boolean(), lastError: z.string().optional() });

export const AgeBucket = z.object({ fromMs: Milliseconds, count: Count }).meta({
  id: 'AgeBucket',
  description: 'in doubt for at least `fromMs`, below that of the next bucket',
});

export const AdminOverviewResource = z
  .object({
    inDoubt: z
      .object({
        transactions: Count.meta({
          description:
            'commits on record that some branch has not acknowledged, and branches that wait undecided',
        }),
        oldestMs: Milliseconds.optional(),
        oldestTransactionId: z.string().optional(),
        histogram: z.array(AgeBucket),
      })
      .optional()
      .meta({ description: OF_THE_REGISTER }),
    preparedBranches: Count.optional().meta({ description: OF_THE_SEEN }),
    stuck: Count.optional().meta({ description: OF_THE_REGISTER }),
    heuristic: Count.optional().meta({ description: OF_THE_REGISTER }),
    orphans: Count.optional().meta({
      description:
        'found by the last comparison, and by earlier ones where notCompared says so; absent before the first one, and where none is found and notCompared is not empty',
    }),
    blockedSessions: Count.optional().meta({
      description:
        'of the participants below that report theirs; absent, not 0, where these report none and others do not report',
    }),
    notSeen: z
      .array(z.string())
      .meta({ description: 'participants of which it is not known what is prepared there' }),
    notCompared: z
      .array(z.string())
      .meta({ description: 'participants that the last comparison could not look into' }),
    throughput: z.object({
      committedPerSecond: Rate,
      abortedPerSecond: Rate,
      windowMs: Milliseconds.meta({ description: 'the window the rates are taken over' }),
      history: z.array(z.object({ at: Time, committed: Rate, aborted: Rate })).meta({
        description: 'per second, in equal steps over the last ten minutes, oldest first',
      }),
    }),
    decisionLatency: z.object({ p50Ms: Milliseconds, p99Ms: Milliseconds }).optional().meta({
      description:
        'from the request to the durable decision, of this coordinator; absent before the first one',
    }),
    abortReasons: z
      .array(z.object({ kind: z.enum(ABORT_KINDS), count: Count }))
      .optional()
      .meta({ description: OF_THE_REGISTER }),
    recovery: z.object({
      backlog: Count.optional().meta({
        description: `commits on record whose finisher is gone; ${OF_THE_REGISTER}`,
      }),
      live: Count.meta({ description: 'transactions in the memory of this coordinator' }),
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
