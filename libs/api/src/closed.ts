/**
 * The enums that never grow: a client may tell all their cases apart. Every other one of an answer is open,
 * because a newer coordinator may say more.
 */
import { AuditPhase } from './admin/audit.js';
import { VIEWS } from './admin/lists.js';
import { AdminRole } from './admin/needs.js';
import { OperationAction } from './admin/operation.js';
import { OrphanActionName } from './admin/orphan.js';
import { CheckResult, PARTICIPANT_ACTIONS } from './admin/participant.js';
import { ActionName, Severity } from './admin/transaction.js';
import { Decision } from './status.js';
import { Until } from './wait.js';

export const CLOSED: readonly (readonly string[])[] = [
  ActionName.options,
  AdminRole.options,
  AuditPhase.options,
  CheckResult.options,
  Decision.options,
  OperationAction.options,
  OrphanActionName.options,
  PARTICIPANT_ACTIONS,
  Severity.options,
  Until.options,
  VIEWS,
];
