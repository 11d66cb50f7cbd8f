/**
 * Good histories made bad, each in one way, with the invariant that this breaks. Guards the checker:
 * every line here is a false history that a product could cause, and none may pass.
 */
import { ALONE } from './alone-history.js';
import { AUDIT } from './audit-mutations.js';
import { at, EAST, FIRST, gid, tx, us, WEST } from './good-pieces.js';
import type { Event, Unstamped } from './history.js';
import { add, all, change, decision, drop, set, type Fields, type Mutation } from './mutation.js';

const outcome = (
  transaction: string,
  branch: string,
  participant: string,
  kind: 'branch' | 'tombstone',
): Event =>
  at(2_001, {
    type: 'outcome',
    participant,
    transaction,
    branch,
    kind,
    createdAtUs: us(120),
    committedAtUs: us(900),
  });
const balance = (participant: string, key: string, value: number | null): Event =>
  at(2_004, { type: 'balance', participant, key, value });
const poll = (t: number, more: Fields): Event =>
  at(t, { type: 'poll', prepared: [], open: 0, decisions: [], ...more } as Unstamped);

/** The timeline of a journal row with one step moved before another. */
function stepMoved(transaction: string, type: string, before: string): Mutation['mutate'] {
  return change({ type: 'journal', transaction }, (event) => {
    if (event.type !== 'journal') return [event];
    const moved = event.timeline.filter((step) => step.type === type).slice(0, 1);
    const rest = event.timeline.filter((step) => !moved.includes(step));
    const place = rest.findIndex((step) => step.type === before);
    const timeline = [...rest.slice(0, place), ...moved, ...rest.slice(place)];
    return [
      { ...event, timeline: timeline.map((step, index) => ({ ...step, sequence: index + 1 })) },
    ];
  });
}

/** The timeline of a journal row in which a prepare is sent again before a step. */
export function sentAgain(transaction: string, branch: string, before: string): Mutation['mutate'] {
  return change({ type: 'journal', transaction }, (event) => {
    if (event.type !== 'journal') return [event];
    const at = event.timeline.findIndex((step) => step.type === before);
    const again = { type: 'prepare-sent', branch, sequence: 0 };
    const timeline = [...event.timeline.slice(0, at), again, ...event.timeline.slice(at)];
    return [
      { ...event, timeline: timeline.map((step, index) => ({ ...step, sequence: index + 1 })) },
    ];
  });
}

const DECISIONS: readonly Mutation[] = [
  {
    what: 'an outcome row is dropped',
    breaks: 'I1',
    names: gid(tx(1), 2),
    mutate: drop({ type: 'outcome', transaction: tx(1), participant: WEST }),
  },
  {
    what: 'a prepare is sent again though its vote has come',
    breaks: 'I3',
    names: gid(tx(1), 1),
    mutate: sentAgain(tx(1), '1', 'proposed'),
  },
  {
    what: 'a branch finished manually is not reported heuristic',
    breaks: 'I1',
    names: gid(tx(11), 2),
    mutate: drop({ type: 'heuristic' }),
  },
  {
    what: 'a decision is flipped',
    breaks: 'I2',
    names: tx(1),
    mutate: set({ type: 'decision', transaction: tx(1) }, { decision: 'abort' }),
  },
  {
    what: 'a transaction has two decisions',
    breaks: 'I2',
    names: tx(7),
    mutate: add(decision(tx(7), { decision: 'abort', label: 'count-1', branches: [] })),
  },
  {
    what: 'an acknowledgement comes before the decision',
    breaks: 'I3',
    names: gid(tx(2), 1),
    mutate: stepMoved(tx(2), 'acknowledged', 'decided'),
  },
  {
    what: 'commit is proposed before a vote',
    breaks: 'I3',
    names: tx(2),
    mutate: stepMoved(tx(2), 'proposed', 'voted'),
  },
  {
    what: 'a branch was committed before commit was decided',
    breaks: 'I3',
    names: gid(tx(1), 1),
    mutate: set(
      { type: 'outcome', transaction: tx(1), participant: EAST },
      { committedAtUs: us(39) },
    ),
  },
  {
    what: 'a branch was still at work when commit was decided',
    breaks: 'I3',
    names: gid(tx(1), 1),
    mutate: set(
      { type: 'outcome', transaction: tx(1), participant: EAST },
      { createdAtUs: us(41) },
    ),
  },
  {
    what: 'a participant is left out of the decision',
    breaks: 'I3',
    names: tx(8),
    mutate: set(
      { type: 'decision', transaction: tx(8) },
      {
        branches: [
          { branch: '1', participant: EAST },
          { branch: '2', participant: WEST },
        ],
      },
    ),
  },
  {
    what: 'a transaction that was not asked for is committed',
    breaks: 'I3',
    names: tx(99),
    mutate: add(decision(tx(99), { label: 'nobody' }), outcome(tx(99), '2', WEST, 'branch')),
  },
  {
    what: 'a committed branch has a tombstone',
    breaks: 'I13',
    names: gid(tx(1), 1),
    mutate: add(outcome(tx(1), '1', EAST, 'tombstone')),
  },
  {
    what: 'a branch prepares after its tombstone',
    breaks: 'I13',
    names: gid(tx(3), 2),
    mutate: add(
      poll(230, {
        prepared: [{ gid: gid(tx(3), 2), database: 'ledger_west', preparedAtUs: us(225) }],
      }),
    ),
  },
  {
    what: 'abort was on record first and commit is at the end',
    breaks: 'I14',
    names: tx(1),
    mutate: add(poll(45, { decisions: [{ transaction: tx(1), decision: 'abort' }] })),
  },
  {
    what: 'an incarnation commits long after its death',
    breaks: 'I14',
    names: tx(4, FIRST),
    mutate: set({ type: 'decision', transaction: tx(4, FIRST) }, { decidedAtUs: us(6_000) }),
  },
  {
    what: 'a commit is open at the end',
    breaks: 'I17',
    names: tx(7),
    mutate: set({ type: 'decision', transaction: tx(7) }, { endedAtUs: null, outcome: null }),
  },
  {
    what: 'a commit was noted as ended before a branch had committed',
    breaks: 'I17',
    names: gid(tx(7), 1),
    mutate: set({ type: 'decision', transaction: tx(7) }, { endedAtUs: us(291) }),
  },
  {
    what: 'a decision is forgotten',
    breaks: 'I17',
    names: tx(5, FIRST),
    mutate: drop({ type: 'decision', transaction: tx(5, FIRST) }),
  },
  {
    what: 'a heuristic is reported without a manual change',
    breaks: 'heuristic',
    names: gid(tx(11), 2),
    mutate: drop({ type: 'dba' }),
  },
  {
    what: 'two transactions have one order here and the other there',
    breaks: 'order',
    names: tx(7),
    mutate: set(
      { type: 'outcome', transaction: tx(7), participant: WEST },
      { committedAtUs: us(346) },
    ),
  },
  {
    what: 'an increment saw another number elsewhere',
    breaks: 'order',
    names: tx(8),
    mutate: set(
      { type: 'ok', attempt: '8' },
      { outputs: { [EAST]: [{ balance: 2 }], [WEST]: [{ balance: 1 }] } },
    ),
  },
];

const CLIENTS: readonly Mutation[] = [
  {
    what: 'a transaction aborts in the calm',
    breaks: 'I4',
    names: '13',
    mutate: change({ type: 'ok', attempt: '13' }, ({ t }) => [
      at(t, { type: 'fail', attempt: '13', code: 'transaction-aborted', cause: 'deadline' }),
    ]),
  },
  {
    what: 'a commit acknowledged to a client is lost',
    breaks: 'I7',
    names: tx(1),
    mutate: all(
      drop({ type: 'decision', transaction: tx(1) }),
      drop({ type: 'outcome', transaction: tx(1) }),
      drop({ type: 'journal', transaction: tx(1) }),
      set({ type: 'balance', key: 'a0' }, { value: 986 }),
      set({ type: 'balance', key: 'b0' }, { value: 999 }),
    ),
  },
  {
    what: 'completed is answered before a branch has committed',
    breaks: 'I7',
    names: gid(tx(1), 2),
    mutate: set(
      { type: 'outcome', transaction: tx(1), participant: WEST },
      { committedAtUs: us(62) },
    ),
  },
  {
    what: 'committed is answered before it is decided',
    breaks: 'I7',
    names: tx(2),
    mutate: set({ type: 'ok', attempt: '2a' }, { wall: us(128) / 1_000 }),
  },
  {
    what: 'a look is answered committed for an aborted transaction',
    breaks: 'I7',
    names: tx(5, FIRST),
    mutate: set({ type: 'ok', attempt: '14' }, { transaction: tx(5, FIRST) }),
  },
  {
    what: 'a look is answered aborted for a committed transaction',
    breaks: 'I8',
    names: tx(1),
    mutate: set({ type: 'ok', attempt: '14' }, { told: 'aborted' }),
  },
  {
    what: 'an aborted transaction is resurrected',
    breaks: 'I8',
    names: gid(tx(3), 2),
    mutate: all(
      drop({ type: 'outcome', transaction: tx(3) }),
      add(decision(tx(3)), outcome(tx(3), '2', WEST, 'branch')),
    ),
  },
  {
    what: 'a client is answered aborted for a committed transaction',
    breaks: 'I8',
    names: tx(10),
    mutate: change({ type: 'ok', attempt: '10' }, ({ t }) => [
      at(t, { type: 'fail', attempt: '10', transaction: tx(10), code: 'transaction-aborted' }),
    ]),
  },
  {
    what: 'a roll-back that was confirmed is committed all the same',
    breaks: 'I8',
    names: gid(tx(12), 2),
    mutate: add(decision(tx(12), { label: 'reversed' }), outcome(tx(12), '2', WEST, 'branch')),
  },
  {
    what: 'a client is answered that nothing was begun, and it commits',
    breaks: 'I8',
    names: tx(9),
    mutate: add(decision(tx(9), { label: 'refused' }), outcome(tx(9), '2', WEST, 'branch')),
  },
  {
    what: 'an unanswered transaction is half there',
    breaks: 'I9',
    names: gid(tx(4, FIRST), 2),
    mutate: drop({ type: 'outcome', transaction: tx(4, FIRST), participant: WEST }),
  },
  {
    what: 'two transactions commit under one key',
    breaks: 'I16',
    names: tx(21),
    mutate: add(
      decision(tx(21), { label: 'keyed', key: 'client:k-2' }),
      outcome(tx(21), '2', WEST, 'branch'),
    ),
  },
  {
    what: 'one key gets two answers',
    breaks: 'I16',
    names: 'k-2',
    mutate: set({ type: 'ok', attempt: '2b' }, { outputs: { [EAST]: [{ balance: 1 }] } }),
  },
];

const REST: readonly Mutation[] = [
  {
    what: 'it takes too long to end',
    breaks: 'I5',
    names: gid(tx(4, FIRST), 2),
    mutate: all(
      set({ type: 'initial' }, { boundMs: 400 }),
      add(
        poll(1_450, {
          prepared: [
            { gid: gid(tx(4, FIRST), 2), database: 'ledger_west', preparedAtUs: us(190) },
            { gid: 'somebody-else-1', database: 'ledger_east', preparedAtUs: us(100) },
            { gid: `cc:goodgood:x:1`, database: 'postgres', preparedAtUs: us(101) },
          ],
        }),
      ),
    ),
  },
  {
    what: 'it never ends',
    breaks: 'I5',
    names: 'rest',
    mutate: drop({ type: 'phase', phase: 'rest' }),
  },
  {
    what: 'the total is wrong',
    breaks: 'I6',
    names: 'wrong total',
    mutate: set({ type: 'balance', key: 'b1' }, { value: 1_061 }),
  },
  {
    what: 'a balance is negative, though the total is right',
    breaks: 'I6',
    names: 'negative value: ledger-east a0',
    mutate: all(
      set({ type: 'balance', key: 'a0' }, { value: -1 }),
      set({ type: 'balance', key: 'a1' }, { value: 1_822 }),
    ),
  },
  {
    what: 'a reader saw a negative balance',
    breaks: 'I6',
    names: tx(6),
    mutate: set({ type: 'ok', attempt: '6' }, { outputs: { [EAST]: [{ balance: -1 }] } }),
  },
  {
    what: 'an account has no value',
    breaks: 'I6',
    names: 'nil balance: ledger-east a1',
    mutate: set({ type: 'balance', key: 'a1' }, { value: null }),
  },
  {
    what: 'an account appears that was never opened',
    breaks: 'I6',
    names: 'unexpected key: ledger-west b7',
    mutate: add(balance(WEST, 'b7', 0)),
  },
  {
    what: 'counters that change together differ',
    breaks: 'I6',
    names: 'counter',
    mutate: set({ type: 'balance', participant: WEST, key: 'counter' }, { value: 1 }),
  },
  {
    what: 'a delta is applied twice',
    breaks: 'I12',
    names: gid(tx(1), 1),
    mutate: set({ type: 'balance', key: 'a0' }, { value: 786 }),
  },
  {
    what: 'money moved without a commit, though the total is right',
    breaks: 'I12',
    names: 'ledger-west b0 is 1098',
    mutate: all(
      set({ type: 'balance', key: 'b0' }, { value: 1_098 }),
      set({ type: 'balance', key: 'b1' }, { value: 1_061 }),
    ),
  },
  {
    what: 'a branch is left prepared',
    breaks: 'I10',
    names: gid(tx(3), 1),
    mutate: add(
      at(2_005, {
        type: 'prepared',
        gid: gid(tx(3), 1),
        database: 'ledger_east',
        xid: '77',
        preparedAtUs: us(130),
      }),
    ),
  },
  {
    what: 'a branch is in doubt for more than a minute',
    breaks: 'I10',
    names: gid(tx(4, FIRST), 2),
    mutate: change({ type: 'poll', t: 1_010 }, (event) => [
      { ...event, wall: event.wall + 61_000 },
    ]),
  },
  {
    what: 'a foreign prepared transaction is removed',
    breaks: 'I11',
    names: 'somebody-else-1',
    mutate: drop({ type: 'prepared', gid: 'somebody-else-1' }),
  },
  {
    what: 'a foreign prepared transaction is another one under the same name',
    breaks: 'I11',
    names: 'somebody-else-1',
    mutate: set({ type: 'prepared', gid: 'somebody-else-1' }, { xid: '990' }),
  },
  {
    what: 'one stuck branch delays the others',
    breaks: 'I18',
    names: gid(tx(16), 2),
    mutate: set({ type: 'ok', attempt: '17' }, { t: 7_000 }),
  },
  {
    what: 'nothing was stuck while the others were measured',
    breaks: 'I18',
    names: 'no branch was stuck',
    mutate: change({ type: 'poll', t: 1_958 }, (event) => [
      { ...event, prepared: [] } as unknown as Event,
    ]),
  },
  {
    what: 'a process gives up',
    breaks: 'alive',
    names: WEST,
    mutate: add(
      at(300, { type: 'life', service: WEST, event: 'ended', expected: false, words: 'assertion' }),
    ),
  },
  {
    what: 'the history is cut off',
    breaks: 'history',
    names: 'it does not end',
    mutate: drop({ type: 'phase', phase: 'dumped' }),
  },
  {
    what: 'a client has two answers to one question',
    breaks: 'history',
    names: '10 has 2 answers',
    mutate: add(at(401, { type: 'info', attempt: '10', why: 'it answered again' })),
  },
];

export const MUTATIONS: readonly Mutation[] = [
  ...DECISIONS,
  ...CLIENTS,
  ...REST,
  ...AUDIT,
  ...ALONE,
];
