/** Waits for locks as the REST API shows them: for what, since when, and who holds it. */
import { z } from 'zod';

const Time = z.iso.datetime();
const Count = z.int().min(0);

export const LockHolderResource = z
  .object({
    kind: z.enum(['branch', 'session', 'prepared']).meta({
      description: '`prepared`: a prepared transaction that is no branch of this cluster',
    }),
    transactionId: z.string().optional(),
    branch: z.string().optional(),
    prepared: z.boolean().optional(),
    status: z
      .string()
      .optional()
      .meta({ description: "the transaction's, where this coordinator knows it" }),
    pid: z.int().optional(),
    application: z.string().optional(),
    user: z.string().optional(),
    gid: z.string().optional(),
  })
  .meta({
    id: 'LockHolder',
    description: 'clients see transactions; pid, application, user and gid are for viewers',
  });
export type LockHolderResource = z.infer<typeof LockHolderResource>;

const waitFields = {
  for: z.object({
    kind: z.string().meta({ description: '`locktype` of pg_locks', example: 'transactionid' }),
    relation: z.string().optional(),
    row: z.string().optional().meta({ description: 'its place, `(page,tuple)`; never a value' }),
  }),
  since: Time,
  heldBy: z.array(LockHolderResource).meta({
    description:
      'the holders, or those ahead in its queue where only that is reported; empty: that is not seen, or it only waits for its turn',
  }),
  ahead: Count.optional().meta({
    description: 'those before it in the queue, where that is reported',
  }),
  withoutSession: z
    .literal(true)
    .optional()
    .meta({
      description:
        'it waits for its turn without a session: what it waits for and who holds that was seen before it gave ' +
        'its session back, or is what others like it wait for',
    }),
};

export const LockWaitResource = z.object(waitFields).meta({ id: 'LockWait' });
export type LockWaitResource = z.infer<typeof LockWaitResource>;

export const BranchWaitsResource = z
  .object({
    known: z.boolean().meta({
      description:
        'false: whether it waits is not known; its participant does not report its waits, or not all',
    }),
    asOf: Time.optional().meta({ description: 'when it was last reported' }),
    waits: z.array(LockWaitResource),
  })
  .meta({
    id: 'BranchWaits',
    description: 'of a branch that has not voted: the locks it waits for',
  });
export type BranchWaitsResource = z.infer<typeof BranchWaitsResource>;

/** With who waits and where. */
export const SessionWaitResource = z
  .object({ ...waitFields, participant: z.string(), waiter: LockHolderResource })
  .meta({ id: 'SessionWait', description: 'a wait, with who waits and where' });
export type SessionWaitResource = z.infer<typeof SessionWaitResource>;

const blocksFields = {
  sessions: Count.meta({ description: 'that wait for it' }),
  transactions: z.array(z.string()).meta({ description: 'whose branches are among them' }),
  since: Time.meta({ description: 'when the first of them began to wait' }),
  asOf: Time,
};

export const BlocksResource = z
  .object({ ...blocksFields, participants: z.array(z.string()) })
  .meta({ id: 'Blocks', description: 'what waits for something that the transaction holds' });
export type BlocksResource = z.infer<typeof BlocksResource>;

export const BlockerResource = z
  .object({ ...blocksFields, participant: z.string(), holder: LockHolderResource })
  .meta({ id: 'Blocker', description: 'who holds something up at a participant' });
export type BlockerResource = z.infer<typeof BlockerResource>;

export const WaitCycleResource = z
  .object({
    state: z.enum(['waiting', 'broken']),
    at: Time.optional().meta({ description: 'when it was broken, where that is known' }),
    victim: z.string().optional().meta({ description: 'the transaction that gave way' }),
    waits: z.array(
      z.object({
        transactionId: z.string(),
        participant: z.string(),
        relation: z.string().optional(),
        row: z.string().optional(),
        heldBy: z.string(),
      }),
    ),
  })
  .meta({ id: 'WaitCycle', description: 'transactions that wait, or waited, for each other' });
export type WaitCycleResource = z.infer<typeof WaitCycleResource>;
