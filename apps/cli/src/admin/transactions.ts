/** Transactions in words and tables: the list of what is stuck, and one with its reason. */
import { counted, durationText } from '@concordat/words';
import type {
  AdminBranch,
  AdminTransaction,
  AdminTransactionList,
  OfferedAction,
  TransactionRow,
} from '@concordat/client';
import {
  indented,
  noted,
  plain,
  table,
  titled,
  toned,
  until,
  type Column,
} from '../terminal/text.js';
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

/** What a list was restricted to. */
export interface Restriction {
  readonly participant?: string;
  readonly label?: string;
  readonly olderThan?: string;
}

/** How a transaction of each view is called; any other by the name of the view. */
const VIEW_WORDS: Readonly<Record<string, string>> = {
  'in-doubt': 'in doubt',
  deciding: 'being decided',
  'recent-aborts': 'among the recent aborts',
  all: 'on record',
};

/** A list under the name of its view. */
export function describeList(
  list: AdminTransactionList,
  view: string,
  restriction: Restriction = {},
): string[] {
  const others = (list.blockers ?? []).flatMap((one) =>
    noted(describeBlocker(one, list.serverTime), 'warning'),
  );
  if (list.transactions.length === 0) {
    const only = restrictionText(restriction);
    const what = others.length > 0 || only !== '' ? 'No transaction' : 'Nothing';
    const is = VIEW_WORDS[view] ?? view;
    return [...noted(`${what}${only} is ${is} (looked at ${list.serverTime}).`), ...others];
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

function restrictionText({ participant, label, olderThan }: Restriction): string {
  return [
    ...(participant === undefined ? [] : [` with a branch at ${plain(participant)}`]),
    ...(label === undefined ? [] : [` of the label ${JSON.stringify(plain(label))}`]),
    ...(olderThan === undefined ? [] : [` older than ${plain(olderThan)}`]),
  ].join('');
}

/** Everything a person on call wants to know of one transaction, the reason first. */
export function describeTransaction(known: AdminTransaction, withEvents: boolean): string[] {
  const { transaction, explanation, serverTime } = known;
  const tone = explanation.severity === 'fine' ? 'good' : 'warning';
  const nextAt = explanation.nextAt ? ` (${until(explanation.nextAt, serverTime)})` : '';
  const { label } = transaction;
  return [
    `${toned('strong', transaction.transactionId)}${label ? `  ${plain(label)}` : ''}`,
    ...noted(`  ${toned(tone, transaction.status)}${decisionOf(known)}`),
    '',
    ...titled('  Why   ', plain(explanation.why)),
    ...titled('  Next  ', `${plain(explanation.next)}${nextAt}`),
    '',
    ...describeBlocks(known.blocks, serverTime).flatMap((line) => noted(`  ${line}`, 'warning')),
    ...(known.waiters ?? []).flatMap(({ participant, waiter, for: thing, since }) =>
      noted(
        `    ${holderText(waiter)} waits at ${plain(participant)} for ${thingText(thing)} since ${since}`,
      ),
    ),
    ...(known.cycles ?? []).flatMap(describeCycle).flatMap((line) => noted(`  ${line}`)),
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
    ...noted(
      `  ${toned('strong', `branch ${branch.branch} at ${plain(branch.participant)}`)} (${branch.participantState})  ${vote}, ${outcome}, ${counted(branch.attempts, 'attempt')}${next}`,
    ),
    `    gid ${branch.gid}`,
    ...describeWaits(branch.waitsFor, serverTime).flatMap((line) =>
      noted(`    ${line}`, 'warning'),
    ),
    ...(branch.vote?.reason ? noted(`    vote: ${plain(branch.vote.reason)}`) : []),
    ...(branch.lastError ? noted(`    ${plain(branch.lastError)}`, 'bad') : []),
    ...(evidence
      ? noted(`    found ${evidence.found}: ${plain(evidence.explanation)}`, 'bad')
      : []),
    ...(prepared
      ? [
          `    prepared for ${durationText(prepared.heldMs)}, ${counted(prepared.locks.length, 'lock')}, ${waits ? 'who waits is not known' : counted(prepared.waiters.length, 'session waits', 'sessions wait')}`,
          ...prepared.locks.map((lock) => `      holds ${lock.mode} on ${plain(lock.relation)}`),
          ...prepared.waiters.map(
            (one) =>
              `      pid ${one.pid} waits${one.waitingMs === undefined ? '' : ` ${durationText(one.waitingMs)}`}${one.relation ? ` for ${plain(one.relation)}` : ''}${one.behind === undefined ? '' : ` behind pid ${one.behind}`}`,
          ),
        ]
      : [`    in its database: ${IN_DATABASE[inDatabase] ?? `not known${since}`}`]),
    ...branch.runbook.flatMap((step) => [
      ...titled('    -- ', plain(step.explanation)).map((line) =>
        toned('quiet', line.replace(/^ {7}/, '    -- ')),
      ),
      `    ${plain(step.sql)}`, // As one line: it is copied.
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
