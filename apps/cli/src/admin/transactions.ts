/** Transactions in words and tables: the list of what is stuck, and one with its reason. */
import { durationText } from '@concordat/words';
import type {
  AdminBranch,
  AdminTransaction,
  AdminTransactionList,
  OfferedAction,
  TransactionRow,
} from '@concordat/client';
import { indented, plain, table, titled, toned, until, type Column } from '../terminal/text.js';

import {
  describeBlocker,
  describeBlocks,
  describeCycle,
  describeWaits,
  holderText,
  thingText,
} from './waits.js';

const COLUMNS: readonly Column<TransactionRow>[] = [
  { title: 'STATUS', of: (row) => row.status },
  { title: 'TRANSACTION', of: (row) => row.transactionId },
  { title: 'LABEL', of: (row) => row.label ?? '' },
  { title: 'FOR', of: (row) => durationText(row.inStatusMs), right: true },
  { title: 'DONE', of: (row) => `${row.branchesDone}/${row.branchesTotal}`, right: true },
  {
    title: 'BLOCKS',
    of: (row) => (row.blockedSessions === undefined ? 'not known' : String(row.blockedSessions)),
    right: true,
  },
  { title: 'WHY', of: (row) => row.why, rest: true },
];

/** Whether a person should look: transactions, or sessions of others that block branches. */
export function hasFindings({ transactions, blockers = [] }: AdminTransactionList): boolean {
  return transactions.length > 0 || blockers.length > 0;
}

/** A list under the name of its view. */
export function describeList(list: AdminTransactionList, view: string): string[] {
  const others = (list.blockers ?? []).map((one) =>
    toned('warning', describeBlocker(one, list.serverTime)),
  );
  if (list.transactions.length === 0) {
    const what = others.length > 0 ? 'No transaction' : 'Nothing';
    return [`${what} is ${view} (looked at ${list.serverTime}).`, ...others];
  }
  const count = list.count
    ? `${list.count.isMore ? 'more than ' : ''}${list.count.value}`
    : String(list.transactions.length);
  const more = list.nextCursor === undefined ? [] : ['', `Next page: --cursor ${list.nextCursor}`];
  return [
    toned('strong', `${view}: ${count}`),
    ...table(COLUMNS, list.transactions),
    ...others,
    ...more,
  ];
}

/** Everything a person on call wants to know of one transaction, the reason first. */
export function describeTransaction(known: AdminTransaction, withEvents: boolean): string[] {
  const { transaction, explanation, serverTime } = known;
  const tone = explanation.severity === 'fine' ? 'good' : 'warning';
  const nextAt = explanation.nextAt ? ` (${until(explanation.nextAt, serverTime)})` : '';
  const { label } = transaction;
  return [
    `${toned('strong', transaction.transactionId)}${label ? `  ${plain(label)}` : ''}`,
    `  ${toned(tone, transaction.status)}${decisionOf(known)}`,
    '',
    ...titled('  Why   ', plain(explanation.why)),
    ...titled('  Next  ', `${plain(explanation.next)}${nextAt}`),
    '',
    ...describeBlocks(known.blocks, serverTime).map((line) => toned('warning', `  ${line}`)),
    ...(known.waiters ?? []).map(
      ({ participant, waiter, for: thing, since }) =>
        `    ${holderText(waiter)} waits at ${plain(participant)} for ${thingText(thing)} since ${since}`,
    ),
    ...(known.cycles ?? []).flatMap(describeCycle).map((line) => `  ${line}`),
    ...known.branches.flatMap((branch) => describeBranch(branch, serverTime)),
    ...describeActions(known.actions, transaction.transactionId),
    ...(known.audit.length > 0 ? ['', toned('strong', 'Audit')] : []),
    ...describeAudit(known.audit),
    ...(withEvents ? ['', toned('strong', 'Events'), ...describeEvents(known)] : []),
  ];
}

function decisionOf({ transaction }: AdminTransaction): string {
  const { decision, decidedAt, begunAt, endedAt } = transaction;
  const parts = [
    ...(begunAt ? [`begun ${begunAt}`] : []),
    ...(decision && decidedAt ? [`decided ${decision} ${decidedAt}`] : []),
    ...(endedAt ? [`ended ${endedAt}`] : []),
  ];
  return parts.length > 0 ? `  ${parts.join(', ')}` : '';
}

/** A word of a newer coordinator, and no word at all, are no "not prepared". */
const IN_DATABASE: Readonly<Record<string, string>> = {
  prepared: 'prepared',
  'not-prepared': 'not prepared',
  finished: 'finished',
};

function describeBranch(branch: AdminBranch, serverTime: string): string[] {
  const vote = branch.vote ? branch.vote.kind : 'no vote';
  const outcome = branch.outcome ? branch.outcome.kind : 'not finished';
  const evidence = branch.outcome?.evidence;
  const next = branch.nextAttemptAt ? `, next ${until(branch.nextAttemptAt, serverTime)}` : '';
  const { prepared, inDatabase, participantSeenAt } = branch;
  const since = participantSeenAt ? `, last answer ${participantSeenAt}` : '';
  const waits = prepared?.truncated && prepared.waiters.length === 0;
  return [
    `  ${toned('strong', `branch ${branch.branch} at ${plain(branch.participant)}`)} (${branch.participantState})  ${vote}, ${outcome}, ${branch.attempts} attempts${next}`,
    `    gid ${branch.gid}`,
    ...describeWaits(branch.waitsFor, serverTime).map((line) => `    ${toned('warning', line)}`),
    ...(branch.vote?.reason ? [`    vote: ${plain(branch.vote.reason)}`] : []),
    ...(branch.lastError ? [`    ${toned('bad', plain(branch.lastError))}`] : []),
    ...(evidence
      ? [`    ${toned('bad', `found ${evidence.found}: ${plain(evidence.explanation)}`)}`]
      : []),
    ...(prepared
      ? [
          `    prepared for ${durationText(prepared.heldMs)}, ${prepared.locks.length} locks, ${waits ? 'who waits is not known' : `${prepared.waiters.length} sessions wait`}`,
          ...prepared.locks.map((lock) => `      holds ${lock.mode} on ${plain(lock.relation)}`),
          ...prepared.waiters.map(
            (one) =>
              `      pid ${one.pid} waits${one.waitingMs === undefined ? '' : ` ${durationText(one.waitingMs)}`}${one.relation ? ` for ${plain(one.relation)}` : ''}${one.behind === undefined ? '' : ` behind pid ${one.behind}`}`,
          ),
        ]
      : [`    in its database: ${IN_DATABASE[inDatabase] ?? `not known${since}`}`]),
    ...branch.runbook.flatMap((step) => [
      `    ${toned('quiet', `-- ${plain(step.explanation)}`)}`,
      `    ${plain(step.sql)}`,
    ]),
    '',
  ];
}

/** A question without its answer is distinguished from one that has it. */
function describeAudit(audit: AdminTransaction['audit']): string[] {
  const answered = new Set(audit.map((entry) => entry.answers));
  return audit.flatMap(({ auditId, at, by, action, phase, reason }) => [
    `  ${at}  ${by}  ${action} ${phase}${reason ? `: ${plain(reason)}` : ''}`,
    ...(phase === 'asked' && !answered.has(auditId)
      ? [
          `      ${toned('warning', 'no result is written: it is under way, or its coordinator was gone first; the status above is what came of it')}`,
        ]
      : []),
  ]);
}

const COMMANDS: Partial<Record<OfferedAction['action'], string>> = {
  retry: 'retry',
  abort: 'abort',
  acknowledge: 'acknowledge',
};

function describeActions(actions: readonly OfferedAction[], id: string): string[] {
  const known = actions.filter(({ action }) => COMMANDS[action] !== undefined);
  return [
    toned('strong', 'What you may do'),
    ...known.flatMap(({ action, branch, offered, because, consequence }) => {
      const name = `concordat ${COMMANDS[action] ?? action} ${id}${branch ? ` --branch ${branch}` : ''}`;
      return offered
        ? [`  ${name}`, ...indented(plain(consequence), undefined, '      ')]
        : indented(
            `not ${action}${branch ? ` of branch ${branch}` : ''}: ${plain(because ?? 'not now')}`,
            undefined,
            '  ',
          ).map((line) => toned('quiet', line));
    }),
  ];
}

function describeEvents({ events }: AdminTransaction): string[] {
  return events.map(
    (event) =>
      `  ${event.at}  ${event.type}${event.participant ? `  ${plain(event.participant)}` : ''}${event.detail ? `  ${plain(JSON.stringify(event.detail))}` : ''}`,
  );
}
