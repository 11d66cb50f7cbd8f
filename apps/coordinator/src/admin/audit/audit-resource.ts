/** From an entry of the audit to what the admin API shows of it. */
import type { AuditRecord } from '@concordat/decision-log';
import type { AdminRole } from '../../access/acting.js';
import type { AuditEntryResource } from './audit.schema.js';

export function auditResource(entry: AuditRecord): AuditEntryResource {
  const { id, atMs, transaction, role, before, after, ...rest } = entry;
  return {
    auditId: id,
    at: new Date(atMs).toISOString(),
    role: role as AdminRole, // Written by this API only.
    ...rest,
    ...(transaction === undefined ? {} : { transactionId: transaction }),
    ...(before === undefined ? {} : { before: { ...before } }),
    ...(after === undefined ? {} : { after: { ...after } }),
  };
}
