/** One transaction with everything that somebody needs who has to settle it. */
import type { AuditRecord } from '@concordat/decision-log';
import { eventResource, transactionResource } from '../../transactions/transaction.resource.js';
import { auditResource } from '../audit/audit-resource.js';
import type { AdminBranchResource, AdminTransactionResource } from './admin-transaction.schema.js';
import { explain } from './explanation.js';
import { offeredActions, type Site } from './offered-actions.js';
import { preparedResource } from './prepared-resource.js';
import { runbookOf } from './runbook.sql.js';
import {
  etagOf,
  gidOf,
  inDatabase,
  stateOf,
  waitingBranches,
  type Situation,
} from './situation.js';

/** Whoever may call the admin API may see what participants and drivers say. */
const SCOPE = 'viewer';

export function detailOf(
  situation: Situation,
  audit: readonly AuditRecord[],
  site: Site,
): AdminTransactionResource {
  const { known, nowMs, ownerAlive } = situation;
  const transaction = transactionResource(known, nowMs, SCOPE);
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
    ...(known.finisher === undefined ? {} : { finisher: known.finisher }),
    ...(ownerAlive === undefined ? {} : { ownerAlive }),
    etag: etagOf(situation),
    serverTime: new Date(nowMs).toISOString(),
  };
}

function branchesOf(
  situation: Situation,
  resources: AdminTransactionResource['transaction']['branches'],
): AdminBranchResource[] {
  const { known, prepared, seen } = situation;
  const waiting = waitingBranches(situation);
  return known.branches.map((branch, at) => {
    const gid = gidOf(situation, branch.branch);
    const impact = prepared?.get(branch.branch);
    const held = impact && preparedResource(branch.participant, impact);
    const { transaction } = known;
    const seenAtMs = seen.get(branch.participant)?.lastSeenAtMs;
    const isFinished = !waiting.includes(branch) && held === undefined;
    // A commit is for the branches that voted prepared. What another one has prepared since is a
    // duplicate that ran again, which the register answers with an abort.
    const isOther = branch.vote !== undefined && branch.vote.kind !== 'prepared';
    const decision = known.decision === 'commit' && isOther ? 'abort' : known.decision;
    return {
      ...(resources[at] as (typeof resources)[number]),
      gid,
      ...(held ? { prepared: held } : {}),
      inDatabase: inDatabase(situation, branch.branch),
      participantState: stateOf(situation, branch.participant),
      ...(seenAtMs === undefined ? {} : { participantSeenAt: new Date(seenAtMs).toISOString() }),
      runbook: runbookOf(
        { gid, branch: branch.branch, transaction },
        decision,
        isFinished,
        seen.get(branch.participant)?.schema,
      ),
    };
  });
}
