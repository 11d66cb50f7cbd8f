/**
 * Guards that every action shares: what it needs was given, and force is enabled at all. Each says what
 * would have to be given; nothing is done before all hold.
 */
import { invalidRequest, Problem, type FieldError } from '../../problems/problem.js';
import type { Site } from '@concordat/diagnosis';
import type { ActionBody, Needs } from '@concordat/api';

export function assertGiven(
  needs: Needs,
  { reason, ticket, confirm }: Pick<ActionBody, 'reason' | 'ticket' | 'confirm'>,
): void {
  const errors: FieldError[] = [];
  if (needs.reason && reason === undefined) {
    errors.push({ field: 'reason', message: 'must say why: it goes into the audit' });
  }
  if (needs.ticket && ticket === undefined) {
    errors.push({ field: 'ticket', message: 'must say where the matter is written down' });
  }
  if (errors.length > 0) throw invalidRequest(errors);
  if (needs.confirm === undefined || needs.confirm === confirm) return;
  throw new Problem('not-confirmed', `Type exactly: ${needs.confirm}. Nothing was done.`, {
    members: { confirm: needs.confirm },
    errors: [{ field: 'confirm', message: `must be ${needs.confirm}` }],
  });
}

export function assertForceEnabled({ isForceEnabled }: Site): void {
  if (isForceEnabled) return;
  throw new Problem(
    'force-disabled',
    'Force is disabled at this coordinator. Nothing was done; it is enabled by starting the coordinator with CONCORDAT_FORCE=enabled.',
  );
}
