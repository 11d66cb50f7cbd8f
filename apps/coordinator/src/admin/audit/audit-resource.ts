/** From an entry of the audit to what the admin API shows of it. */
import type { AdminRole, AuditEntryResource } from '@concordat/api';
import type { AuditRecord } from '@concordat/decision-log';

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
