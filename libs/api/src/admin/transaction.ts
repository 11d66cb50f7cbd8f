/** Transactions as the admin API shows them, and what may be done about one. */
import { z } from 'zod';
import { Decision, Status } from '../status.js';
import { BranchResource, EventResource, TransactionResource } from '../transaction.js';
import {
  BlockerResource,
  BlocksResource,
  SessionWaitResource,
  WaitCycleResource,
} from '../waits.js';
import { AuditEntryResource } from './audit.js';
import { BRANCH_PARTICIPANT_STATES, PreparedBranchResource } from './participant.js';
import { Needs, reasonFields } from './needs.js';

const Time = z.iso.datetime();
const Count = z.int().min(0);

export const TransactionRowResource = z
  .object({
    transactionId: z.string(),
    label: z.string().optional(),
    principal: z.string().optional(),
    status: Status,
    decision: Decision.optional(),
    begunAt: Time,
    decidedAt: Time.optional(),
    endedAt: Time.optional(),
    inStatusMs: Count.meta({
      description:
        'how long it has been in its present status; since its begin, where that moment was not noted',
    }),
    branchesDone: Count,
    branchesTotal: Count,
    participants: z.array(z.string()),
    waitingOn: z.array(z.string()),
    attempts: Count,
    nextAttemptAt: Time.optional(),
    lastError: z.string().optional(),
    blockedSessions: Count.optional().meta({
      description: 'absent: not known, because a participant of it does not report it',
    }),
    blocks: BlocksResource.optional(),
    why: z.string(),
    version: z.string().meta({ description: 'what If-Match must carry' }),
  })
  .meta({ id: 'TransactionRow' });
export type TransactionRowResource = z.infer<typeof TransactionRowResource>;

export const AdminTransactionListResource = z
  .object({
    transactions: z.array(TransactionRowResource),
    nextCursor: z.string().optional(),
    count: z
      .object({ value: Count, isMore: z.boolean() })
      .optional()
      .meta({ description: 'of the whole list, on its first page; exact up to 10,000' }),
    blockers: z.array(BlockerResource).optional().meta({
      description:
        'with the first page of the stuck: sessions and prepared transactions that are none of ours and hold branches up',
    }),
    serverTime: Time,
  })
  .meta({ id: 'AdminTransactionList' });
export type AdminTransactionListResource = z.infer<typeof AdminTransactionListResource>;

export const Severity = z.enum(['fine', 'waiting', 'stuck', 'heuristic']);
export type Severity = z.infer<typeof Severity>;

export const ExplanationResource = z
  .object({
    why: z.string().meta({ description: 'one sentence: what holds it up' }),
    next: z.string().meta({
      description: 'one sentence: what happens next by itself, or what a person must do',
    }),
    nextAt: Time.optional().meta({
      description: 'when it happens, if it happens by itself at a known moment',
    }),
    severity: Severity,
  })
  .meta({ id: 'Explanation', description: 'why a transaction is where it is, in words' });
export type ExplanationResource = z.infer<typeof ExplanationResource>;

export const ACTIONS = [
  'retry',
  'abort',
  'acknowledge',
  'force-commit-branch',
  'force-abort-branch',
] as const;
export const ActionName = z.enum(ACTIONS, { error: `must be one of ${ACTIONS.join(', ')}` });
export type ActionName = z.infer<typeof ActionName>;

export const OfferedActionResource = z
  .object({
    action: ActionName,
    branch: z.string().optional(),
    offered: z.boolean(),
    because: z.string().optional().meta({ description: 'why it is not offered' }),
    consequence: z.string().meta({
      description: 'what it will do, in a sentence; of force, which services will disagree',
    }),
    needs: Needs,
  })
  .meta({
    id: 'OfferedAction',
    description:
      'an action as it is offered now, or why it is not; the opposite of a decision on record never is',
  });
export type OfferedActionResource = z.infer<typeof OfferedActionResource>;

export const IN_DATABASE = ['prepared', 'not-prepared', 'finished', 'not-known'] as const;
export type InDatabase = (typeof IN_DATABASE)[number];

export const AdminBranchResource = BranchResource.extend({
  gid: z.string(),
  prepared: PreparedBranchResource.optional().meta({
    description: 'what it holds there, where that is known',
  }),
  inDatabase: z.enum(IN_DATABASE).meta({
    description:
      'what its database says now; `finished`: it has acknowledged its outcome; `not-known`: no instance answers',
  }),
  participantState: z.enum(BRANCH_PARTICIPANT_STATES).meta({
    description:
      'whether the participant answered when this was made; `unknown`: no instance ever answered under its name',
  }),
  participantSeenAt: Time.optional().meta({ description: 'when its participant last answered' }),
  runbook: z.array(z.object({ explanation: z.string(), sql: z.string() })).meta({
    description:
      'exact statements for a person at the database of the participant; COMMIT PREPARED only if commit is decided',
  }),
}).meta({ id: 'AdminBranch' });
export type AdminBranchResource = z.infer<typeof AdminBranchResource>;

export const AdminTransactionResource = z
  .object({
    transaction: TransactionResource,
    explanation: ExplanationResource,
    branches: z.array(AdminBranchResource),
    events: z.array(EventResource),
    actions: z.array(OfferedActionResource),
    audit: z.array(AuditEntryResource),
    blocks: BlocksResource.optional(),
    waiters: z
      .array(SessionWaitResource)
      .optional()
      .meta({ description: 'who waits for what it holds, the longest first; at most 50' }),
    cycles: z
      .array(WaitCycleResource)
      .optional()
      .meta({ description: 'of waits that it is in, was the victim of, or was in lately' }),
    finisher: z.string().optional(),
    ownerAlive: z.boolean().optional(),
    etag: z.string().meta({ description: 'what If-Match must carry' }),
    serverTime: Time,
  })
  .meta({ id: 'AdminTransaction' });
export type AdminTransactionResource = z.infer<typeof AdminTransactionResource>;

export const ActionBody = z
  .strictObject({
    action: ActionName,
    branch: z
      .string()
      .regex(/^[1-9][0-9]{0,3}$/, 'must be a branch number')
      .optional(),
    ...reasonFields,
  })
  .meta({ id: 'ActionRequest' });
export type ActionBody = z.infer<typeof ActionBody>;

export const BRANCH_RESULTS = ['done', 'sent', 'unreachable', 'refused', 'nothing-to-do'] as const;

export const BranchResultResource = z.object({
  branch: z.string(),
  participant: z.string(),
  result: z.enum(BRANCH_RESULTS),
  detail: z.string().optional(),
});
export type BranchResultResource = z.infer<typeof BranchResultResource>;

export const ActionResultResource = z
  .object({
    transactionId: z.string(),
    action: ActionName,
    branches: z.array(BranchResultResource).meta({
      description: 'one per branch that was acted on: what happened, not that it was asked',
    }),
    summary: z.string(),
    auditId: z.string(),
    transaction: TransactionResource,
    etag: z.string(),
  })
  .meta({ id: 'ActionResult' });
export type ActionResultResource = z.infer<typeof ActionResultResource>;
