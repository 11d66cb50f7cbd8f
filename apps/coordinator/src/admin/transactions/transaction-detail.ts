/** One transaction with everything that a person needs to settle it. */
import {
  blocksOf,
  cyclesOf,
  explain,
  gidOf,
  inDatabase,
  offeredActions,
  type Site,
  type Situation,
  stateOf,
  stepsFor,
  waitsFor,
} from '@concordat/diagnosis';
import type { AdminBranchResource, AdminTransactionResource } from '@concordat/api';
import type { AuditRecord } from '@concordat/decision-log';
import type { TransactionId } from '@concordat/protocol';
import { eventResource, transactionResource } from '../../transactions/transaction.resource.js';
import {
  blocksResource,
  branchWaitsResource,
  sessionWaitResource,
} from '../../waits/wait-resource.js';
import { auditResource } from '../audit/audit-resource.js';
import { preparedResource } from './prepared-resource.js';
import { etagOf } from './situation-tag.js';

/** Every caller of the admin API may see what participants and drivers say. */
const SCOPE = 'viewer';
const WAITERS_SHOWN = 50;

export function detailOf(
  situation: Situation,
  audit: readonly AuditRecord[],
  site: Site,
): AdminTransactionResource {
  const { known, nowMs, ownerAlive, statuses } = situation;
  const transaction = transactionResource(known, nowMs, SCOPE, (branch) => {
    const waits = waitsFor(situation, branch);
    const statusOf = (id: TransactionId) => statuses?.get(id);
    return waits && branchWaitsResource(waits, { isOperator: true, statusOf });
  });
  const { nextAtMs, ...explanation } = explain(situation);
  return {
    transaction,
    explanation: {
      ...explanation,
      ...(nextAtMs === undefined ? {} : { nextAt: new Date(nextAtMs).toISOString() }),
    },
    branches: branchesOf(situation, transaction.branches),
    events: known.timeline.map((event) => eventResource(event, SCOPE)),
    actions: offeredActions(situation, site),
    audit: audit.map(auditResource),
    ...blocked(situation),
    ...cycles(situation),
    ...(known.finisher === undefined ? {} : { finisher: known.finisher }),
    ...(ownerAlive === undefined ? {} : { ownerAlive }),
    etag: etagOf(situation),
    serverTime: new Date(nowMs).toISOString(),
  };
}

function blocked(situation: Situation): Pick<AdminTransactionResource, 'blocks' | 'waiters'> {
  const blocks = blocksOf(situation);
  if (!blocks) return {};
  const longest = [...blocks.waits].sort((a, b) => a.sinceMs - b.sinceMs);
  return {
    blocks: blocksResource(blocks),
    waiters: longest.slice(0, WAITERS_SHOWN).map(sessionWaitResource),
  };
}

function cycles(situation: Situation): Pick<AdminTransactionResource, 'cycles'> {
  const found = cyclesOf(situation.known, situation.waits, situation.broken);
  return found.length > 0 ? { cycles: found } : {};
}

function branchesOf(
  situation: Situation,
  resources: AdminTransactionResource['transaction']['branches'],
): AdminBranchResource[] {
  const { known, prepared, seen, waits } = situation;
  return known.branches.map((branch, at) => {
    const impact = prepared?.get(branch.branch);
    const held = impact && preparedResource(branch.participant, impact, waits);
    const seenAtMs = seen.get(branch.participant)?.lastSeenAtMs;
    return {
      ...(resources[at] as (typeof resources)[number]),
      gid: gidOf(situation, branch.branch),
      ...(held ? { prepared: held } : {}),
      inDatabase: inDatabase(situation, branch.branch),
      participantState: stateOf(situation, branch.participant),
      ...(seenAtMs === undefined ? {} : { participantSeenAt: new Date(seenAtMs).toISOString() }),
      runbook: stepsFor(situation, branch),
    };
  });
}
