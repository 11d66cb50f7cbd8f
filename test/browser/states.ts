/**
 * Every state that a transaction can be shown in, as the coordinator itself shows it: the sentences,
 * actions and statements are its own. Guards "every state is a picture": a state that is added is here
 * as well, and with it every vote, outcome and participant's state.
 */
import { randomBytes } from 'node:crypto';
import { type Situation, traceless, WaitPicture } from '@concordat/diagnosis';
import { STATUSES } from '@concordat/api';
import {
  makeBranchId,
  makeTransactionId,
  type BranchId,
  type ClusterId,
  type Incarnation,
} from '@concordat/protocol';
import type { AdminTransaction } from '@concordat/client';
import { detailOf } from '../../apps/coordinator/src/admin/transactions/transaction-detail.js';
import { makeDossier } from '../../apps/admin/src/dossier/dossier.js';

const OWNER = 'k3v9x2m7' as Incarnation;
const LONG = 'the-longest-name-of-a-participant';
const HOUR_MS = 3_600_000;

const BRANCHES: readonly object[] = [
  { vote: { kind: 'prepared' }, outcome: { kind: 'committed' } },
  { vote: { kind: 'read-only' } },
  {
    vote: { kind: 'no', code: 'INSUFFICIENT_FUNDS', reason: 'alice has 40 and 100 are asked for' },
  },
  { vote: { kind: 'prepared' }, lastError: `Connection terminated ${'unexpectedly '.repeat(9)}` },
  {
    vote: { kind: 'prepared' },
    outcome: {
      kind: 'heuristic',
      evidence: { decision: 'commit', found: 'missing', explanation: 'It is gone.'.repeat(6) },
    },
  },
  {},
];

const DECISION: Readonly<Record<string, 'commit' | 'abort'>> = {
  committing: 'commit',
  committed: 'commit',
  'heuristic-mixed': 'commit',
  'heuristic-hazard': 'commit',
  aborting: 'abort',
  aborted: 'abort',
};
const ENDED = ['committed', 'aborted', 'heuristic-mixed', 'heuristic-hazard'];

/** Each state, a transaction whose owner is gone, and one past retention that only a branch shows. */
export function statesOf(
  nowMs: number,
): { readonly name: string; readonly detail: AdminTransaction }[] {
  const each = [...STATUSES, 'undecided'].map((status) => ({
    name: status,
    of: situation(status, nowMs),
  }));
  const gone = situation('committing', nowMs, { ownerAlive: false, delivery: 'gone' });
  const forgotten = situation('undecided', nowMs, { isTraceless: true, isForgotten: true });
  return [...each, { name: 'gone', of: gone }, { name: 'forgotten', of: forgotten }].map(
    ({ name, of }) => ({
      name,
      detail: detailOf(of, [], { isForceEnabled: true }) as unknown as AdminTransaction,
    }),
  );
}

/** A commit that could not be delivered in ten thousand attempts. */
export function triedTenThousandTimes(nowMs: number): AdminTransaction {
  const of = situation('committing', nowMs, {}, 10_000);
  return detailOf(of, [], { isForceEnabled: true }) as unknown as AdminTransaction;
}

export function dossierOf(detail: AdminTransaction): Buffer {
  return Buffer.from(JSON.stringify(makeDossier(detail)));
}

function situation(
  status: string,
  nowMs: number,
  more: Partial<Situation> = {},
  events = 120,
): Situation {
  const begunAtMs = nowMs - HOUR_MS;
  const transaction = makeTransactionId(begunAtMs, randomBytes(10), OWNER);
  const names = BRANCHES.map((_, at) => (at === 0 ? LONG : `ledger-${at}`) as never);
  const branches = names.map((participant, at) => ({ branch: makeBranchId(at + 1), participant }));
  const base = traceless(transaction, OWNER, begunAtMs, branches);
  const decision = DECISION[status];
  const known = {
    ...base,
    status,
    label: `place-order ${status}`,
    timeoutMs: 2 * HOUR_MS,
    ...(decision ? { decision, decidedAtMs: begunAtMs + 40 } : {}),
    ...(ENDED.includes(status) ? { endedAtMs: nowMs - 1_000 } : {}),
    branches: base.branches.map((one, at) => ({
      ...one,
      ...BRANCHES[at],
      operations: ['debit', 'record-the-movement'],
      attempts: at * 3_333,
      nextAttemptAtMs: nowMs + 42_000,
    })),
    timeline: Array.from({ length: events }, (_, at) => ({
      sequence: at + 1,
      atMs: begunAtMs + at * Math.floor(3_000_000 / events),
      type: at < 2 ? ['begun', 'enlisted'][at] : at % 2 === 0 ? 'retry' : 'no-answer',
      branch: makeBranchId(4),
      participant: names[3],
    })),
  } as unknown as Situation['known'];
  const [seenNow, silent] = ['troubled', 'silent'].map((state) => ({
    state,
    lastSeenAtMs: nowMs,
    blockedBy: new Map(),
  }));
  return {
    known,
    cluster: 'q8w4e7r2' as ClusterId,
    self: OWNER,
    nowMs,
    seen: new Map([
      [names[3], silent],
      [names[4], seenNow],
    ] as never),
    prepared: held(makeBranchId(4)),
    waits: new WaitPicture(),
    blockingAfterMs: 5_000,
    isAsked: true,
    ...more,
  };
}

/** A branch that holds locks which others wait for, one of them behind another. */
function held(branch: BranchId): Situation['prepared'] {
  const waiter = { pid: 41_250, waitingMs: 125_000, relation: 'public.account', mode: 'ShareLock' };
  const query = `UPDATE account SET balance = balance + 1 WHERE id = '${'ann '.repeat(20)}'`;
  const locks = [{ relation: 'public.account_of_the_customers', mode: 'RowExclusiveLock' }];
  const waiters = [
    { ...waiter, query, application: 'interest-run' },
    { ...waiter, pid: 7, behind: 41_250 },
  ];
  const impact = { gid: 'g', heldMs: HOUR_MS, xidAge: 12, locks, waiters, blockedSessions: 2 };
  return new Map([[branch, impact as never]]);
}
