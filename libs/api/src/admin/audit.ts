/** The audit as the admin API shows it. */
import { isTransactionId } from '@concordat/protocol';
import { z } from 'zod';
import { cursorField, limitField } from './lists.js';
import { AdminRole } from './needs.js';

export const AuditPhase = z.enum(['asked', 'done', 'refused', 'failed']);

const json = z.record(z.string(), z.unknown());

export const AuditEntryResource = z
  .object({
    auditId: z.string(),
    at: z.iso.datetime(),
    by: z.string(),
    role: AdminRole,
    from: z.string().optional(),
    action: z.string(),
    transactionId: z.string().optional(),
    branch: z.string().optional(),
    gid: z.string().optional(),
    reason: z.string().optional(),
    ticket: z.string().optional(),
    phase: AuditPhase.meta({
      description: '`asked` before it is done; then what came of it, in an entry of its own',
    }),
    answers: z.string().optional().meta({ description: 'the entry whose result this is' }),
    before: json.optional(),
    after: json.optional(),
    hash: z
      .string()
      .meta({ description: 'SHA-256 over this entry and the hash of the one before' }),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntryResource = z.infer<typeof AuditEntryResource>;

export const AUDIT_LIMIT_DEFAULT = 50;
export const AUDIT_LIMIT_MAX = 500;

export const AuditQuery = z.strictObject({
  transactionId: z.string().refine(isTransactionId, 'is no transaction id').optional(),
  by: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/, 'must be the id of a key')
    .optional(),
  limit: limitField(AUDIT_LIMIT_MAX, AUDIT_LIMIT_DEFAULT),
  cursor: cursorField,
});
export type AuditQuery = z.infer<typeof AuditQuery>;

export const AuditPageResource = z
  .object({
    entries: z.array(AuditEntryResource),
    nextCursor: z.string().optional(),
    chainIntact: z.boolean().meta({
      description: 'whether every entry of the page links to the one before it',
    }),
    serverTime: z.iso.datetime(),
  })
  .meta({ id: 'AuditPage' });
export type AuditPageResource = z.infer<typeof AuditPageResource>;
