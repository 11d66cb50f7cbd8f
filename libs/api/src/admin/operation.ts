/** Bulk operations as the admin API shows and takes them. */
import { isTransactionId } from '@concordat/protocol';
import { z } from 'zod';
import { cursorField, listFields } from './lists.js';
import { words } from './needs.js';

const Time = z.iso.datetime();
const Count = z.int().min(0);

export const OPERATION_ITEMS_MAX = 10_000;
export const OPERATION_ACTIONS = ['retry', 'abort-undecided'] as const;
export const OperationAction = z.enum(OPERATION_ACTIONS, {
  error: `must be one of ${OPERATION_ACTIONS.join(', ')}`,
});

export const OperationBody = z
  .strictObject({
    action: OperationAction,
    transactionIds: z
      .array(z.string().refine(isTransactionId, 'is no transaction id'))
      .min(1, 'must name at least one transaction')
      .max(OPERATION_ITEMS_MAX, `must have at most ${OPERATION_ITEMS_MAX} ids`)
      .optional()
      .meta({ description: 'or a filter: exactly one of the two' }),
    filter: z.strictObject(listFields).optional().meta({
      description: 'is frozen to the ids that it matches now, at most 10,000',
    }),
    reason: words(500),
    ticket: words(200).optional(),
  })
  .check(({ value, issues }) => {
    if ((value.transactionIds === undefined) !== (value.filter === undefined)) return;
    issues.push({
      code: 'custom',
      input: value,
      path: ['filter'],
      message: 'must be given, or transactionIds: exactly one of the two',
    });
  })
  .meta({ id: 'OperationRequestBody' });
export type OperationBody = z.infer<typeof OperationBody>;

export const StartBody = z
  .strictObject({ confirm: z.string().max(20).optional() })
  .meta({ id: 'OperationStart' });
export type StartBody = z.infer<typeof StartBody>;

export const CancelBody = z.strictObject({}).meta({ id: 'OperationCancel' });

export const ItemsQuery = z.strictObject({ cursor: cursorField });
export type ItemsQuery = z.infer<typeof ItemsQuery>;

export const AdminOperationResource = z
  .object({
    operationId: z.string(),
    action: OperationAction,
    state: z
      .enum(['planned', 'running', 'done', 'cancelled', 'interrupted'])
      .meta({ description: '`interrupted`: its coordinator is gone; a start goes on with it' }),
    by: z.string(),
    reason: z.string(),
    ticket: z.string().optional(),
    createdAt: Time,
    startedAt: Time.optional(),
    endedAt: Time.optional(),
    total: Count,
    counts: z.object({ waiting: Count, done: Count, skipped: Count, failed: Count }),
    confirm: z
      .string()
      .optional()
      .meta({ description: 'what a start needs in `confirm`: the count, when above 10' }),
    etag: z.string().meta({ description: 'what If-Match must carry to start or cancel it' }),
  })
  .meta({
    id: 'AdminOperation',
    description:
      'bulk work: created as a dry run, begun by a start, ended by itself or by a cancel',
  });
export type AdminOperationResource = z.infer<typeof AdminOperationResource>;

export const OperationItemResource = z
  .object({
    transactionId: z.string(),
    result: z.enum(['waiting', 'done', 'skipped', 'failed']),
    detail: z
      .string()
      .optional()
      .meta({ description: 'its result; while it waits, the expected result' }),
    at: Time.optional(),
  })
  .meta({ id: 'OperationItem' });
export type OperationItemResource = z.infer<typeof OperationItemResource>;

export const AdminOperationDetailResource = AdminOperationResource.extend({
  items: z.array(OperationItemResource),
  nextCursor: z.string().optional(),
}).meta({ id: 'AdminOperationDetail' });
export type AdminOperationDetailResource = z.infer<typeof AdminOperationDetailResource>;

export const AdminOperationListResource = z
  .object({ operations: z.array(AdminOperationResource), serverTime: Time })
  .meta({ id: 'AdminOperationList' });
export type AdminOperationListResource = z.infer<typeof AdminOperationListResource>;
