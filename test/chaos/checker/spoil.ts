/**
 * Ways to spoil any good history of a real run. Guards the checker where mutations.ts cannot: what a
 * run writes might have another shape than the history written manually, and a checker that no longer
 * understands it would accept everything. After each run all of these must be rejected.
 */
import type { DecisionRow, Event, OutcomeRow } from './history.js';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;

export interface Spoil {
  readonly what: string;
  readonly spoil: (history: readonly Event[]) => Event[];
}

/** The one in the middle: neither the accounts' opening nor a last transfer in the calm. */
function middle<T extends Event['type']>(
  history: readonly Event[],
  type: T,
  fits: (event: Of<T>) => boolean = () => true,
): Of<T> {
  const all = history.filter((one): one is Of<T> => one.type === type && fits(one as Of<T>));
  const chosen = all[Math.floor(all.length / 2)];
  if (!chosen) throw new Error(`this history has no ${type} to spoil`);
  return chosen;
}

/** A commit of several branches whose client was answered so. */
function knownCommit(history: readonly Event[]): DecisionRow {
  const told = new Set(
    history.flatMap((one) =>
      one.type === 'ok' && one.told === 'committed' ? [one.transaction] : [],
    ),
  );
  return middle(
    history,
    'decision',
    (row) => row.decision === 'commit' && row.branches.length > 1 && told.has(row.transaction),
  );
}

function branchOf(history: readonly Event[], { transaction }: DecisionRow): OutcomeRow {
  return middle(history, 'outcome', (row) => row.transaction === transaction);
}

const without = (history: readonly Event[], event: Event): Event[] =>
  history.filter((one) => one !== event);
const replace = <E extends Event>(history: readonly Event[], event: E, values: Partial<E>) =>
  history.map((one) => (one === event ? { ...event, ...values } : one));

export const SPOILS: readonly Spoil[] = [
  {
    what: 'an outcome row is gone',
    spoil: (history) => without(history, branchOf(history, knownCommit(history))),
  },
  {
    what: 'a commit is an abort at the end',
    spoil: (history) => replace(history, knownCommit(history), { decision: 'abort' }),
  },
  {
    what: 'a transaction has two decisions',
    spoil: (history) => [...history, { ...knownCommit(history), decision: 'abort' }],
  },
  {
    what: 'a commit is forgotten',
    spoil: (history) => without(history, knownCommit(history)),
  },
  {
    what: 'a commit has no end',
    spoil: (history) => replace(history, knownCommit(history), { endedAtUs: null }),
  },
  {
    what: 'a branch was committed before it was decided',
    spoil: (history) => {
      const commit = knownCommit(history);
      const committedAtUs = commit.decidedAtUs - 1_000;
      return replace(history, branchOf(history, commit), { committedAtUs });
    },
  },
  {
    what: 'a committed branch has a tombstone',
    spoil: (history) => {
      const branch = branchOf(history, knownCommit(history));
      return [...history, { ...branch, kind: 'tombstone' }];
    },
  },
  {
    what: 'a commit was answered as an abort',
    spoil: (history) => {
      const { transaction } = knownCommit(history);
      const told = middle(history, 'ok', (one) => one.transaction === transaction);
      return replace(history, told, { told: 'aborted' });
    },
  },
  {
    what: 'committed was answered before it was decided',
    spoil: (history) => {
      const { transaction, decidedAtUs } = knownCommit(history);
      const told = middle(history, 'ok', (one) => one.transaction === transaction);
      return replace(history, told, { wall: decidedAtUs / 1_000 - 10 });
    },
  },
  {
    what: 'a balance is off by one',
    spoil: (history) => {
      const balance = middle(history, 'balance', ({ value }) => value !== null);
      return replace(history, balance, { value: (balance.value ?? 0) + 1 });
    },
  },
  {
    what: 'a branch is still prepared',
    spoil: (history) => {
      const initial = middle(history, 'initial');
      const { transaction } = knownCommit(history);
      const gid = `cc:${initial.cluster}:${transaction}:1`;
      const { t, wall } = initial;
      const prepared = { database: 'ledger_east', xid: '1', preparedAtUs: wall * 1_000 };
      return [...history, { type: 'prepared', t, wall, gid, ...prepared }];
    },
  },
  {
    what: 'a foreign prepared transaction is gone',
    spoil: (history) => {
      const { gid } = middle(history, 'plant');
      const prepared = middle(history, 'prepared', (one) => one.gid === gid);
      return without(history, prepared);
    },
  },
  {
    what: 'a process ended by itself',
    spoil: (history) => {
      const end = middle(history, 'life', ({ event }) => event === 'ended');
      return replace(history, end, { expected: false });
    },
  },
  {
    what: 'an entry of the audit is gone',
    spoil: (history) => without(history, middle(history, 'audit')),
  },
  {
    what: 'an entry of the audit says something else',
    spoil: (history) => replace(history, middle(history, 'audit'), { role: 'viewer' }),
  },
  {
    what: 'an answer is missing',
    spoil: (history) => without(history, middle(history, 'info')),
  },
];
