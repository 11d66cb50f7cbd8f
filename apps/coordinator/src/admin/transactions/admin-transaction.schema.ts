/**
 * Transactions as the admin API shows them, what is asked of lists, and what may be done. One schema
 * each for validation, types and the OpenAPI document; a spec holds them equal to the client's types.
 */
import { z } from 'zod';
import { Status, STATUSES } from '../../known/status.js';
import { LABEL_LENGTH_MAX, ParticipantNameField } from '../../transactions/begin.schema.js';
import {
  BranchResource,
  EventResource,
  TransactionResource,
} from '../../transactions/transaction.schema.js';
import {
  BlockerResource,
  BlocksResource,
  SessionWaitResource,
  WaitCycleResource,
} from '../../waits/wait.schema.js';
import { AuditEntryResource } from '../audit/audit.schema.js';
import {
  BRANCH_PARTICIPANT_STATES,
  PreparedBranchResource,
} from '../participants/prepared.schema.js';
import { Needs, reasonFields } from './needs.schema.js';

const Time = z.iso.datetime();
const Count = z.int().min(0);

export const VIEWS = [
  'stuck',
  'in-doubt',
  'deciding',
  'heuristic',
  'recent-aborts',
  'all',
] as const;
export const SORTS = ['harm', 'newest', 'oldest'] as const;
export const ADMIN_LIMIT_DEFAULT = 50;
export const ADMIN_LIMIT_MAX = 500;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const AGE_FORMS = 'an age such as 30s, 5m, 2h, 1d, or milliseconds';

/** An age in a query, as milliseconds. */
const Age = z
  .string()
  .meta({ description: AGE_FORMS, example: '5m' })
  .transform((text, context) => {
    const match = /^(\d{1,12})(ms|s|m|h|d)?$/.exec(text.trim());
    if (match) return Number(match[1]) * UNIT_MS[(match[2] ?? 'ms') as keyof typeof UNIT_MS];
    context.addIssue({ code: 'custom', message: `must be ${AGE_FORMS}` });
    return z.NEVER;
  });

export const listFields = {
  view: z.enum(VIEWS, { error: `must be one of ${VIEWS.join(', ')}` }).optional(),
  status: z.enum(STATUSES, { error: `must be one of ${STATUSES.join(', ')}` }).optional(),
  participant: ParticipantNameField.optional(),
  label: z.string().min(1, 'must not be empty').max(LABEL_LENGTH_MAX).optional(),
  principal: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, 'must be the id of a key')
    .optional(),
  olderThan: Age.optional(),
  q: z
    .string()
    .regex(/^[0-9A-Za-z-]{1,35}$/, 'must be a transaction id or the beginning of one')
    .transform((text) => text.toLowerCase())
    .optional(),
};

export const limitField = (max: number, preset: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(1, 'must be at least 1').max(max, `must be at most ${max}`))
    .default(preset);

/** A cursor remembers what was shown ahead of its place, so it may be long. */
export const cursorField = z.string().max(6_000, 'is not a cursor of ours').optional();

export const AdminListQuery = z.strictObject({
  ...listFields,
  sort: z.enum(SORTS, { error: `must be one of ${SORTS.join(', ')}` }).optional(),
  limit: limitField(ADMIN_LIMIT_MAX, ADMIN_LIMIT_DEFAULT),
  cursor: cursorField,
});
export type AdminListQuery = z.infer<typeof AdminListQuery>;

export const TransactionRowResource = z
  .object({
    transactionId: z.string(),
    label: z.string().optional(),
    principal: z.string().optional(),
    status: Status,
    decision: z.enum(['commit', 'abort']).optional(),
    begunAt: Time,
    decidedAt: Time.optional(),
    endedAt: Time.optional(),
    inStatusMs: Count,
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

export const ExplanationResource = z
  .object({
    why: z.string(),
    next: z.string(),
    nextAt: Time.optional(),
    severity: z.enum(['fine', 'waiting', 'stuck', 'heuristic']),
  })
  .meta({ id: 'Explanation' });
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
    consequence: z.string(),
    needs: Needs,
  })
  .meta({ id: 'OfferedAction' });
export type OfferedActionResource = z.infer<typeof OfferedActionResource>;

export const IN_DATABASE = ['prepared', 'not-prepared', 'finished', 'not-known'] as const;
export type InDatabase = (typeof IN_DATABASE)[number];

export const AdminBranchResource = BranchResource.extend({
  gid: z.string(),
  prepared: PreparedBranchResource.optional(),
  inDatabase: z.enum(IN_DATABASE).meta({
    description:
      'what its database says now; `finished`: it has acknowledged its outcome; `not-known`: no instance answers',
  }),
  participantState: z.enum(BRANCH_PARTICIPANT_STATES),
  participantSeenAt: Time.optional().meta({ description: 'when its participant last answered' }),
  runbook: z.array(z.object({ explanation: z.string(), sql: z.string() })),
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
    etag: z.string(),
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
    branches: z.array(BranchResultResource),
    summary: z.string(),
    auditId: z.string(),
    transaction: TransactionResource,
    etag: z.string(),
  })
  .meta({ id: 'ActionResult' });
export type ActionResultResource = z.infer<typeof ActionResultResource>;
