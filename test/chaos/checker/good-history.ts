/**
 * A good history, written manually: one of everything that may happen, and all of it right. The checker
 * must find nothing in it, and something in each of its mutations (mutations.ts). Guards the checker:
 * one that never complains is worth nothing.
 */
import { alone } from './alone-history.js';
import { auditHash } from './audit.js';
import {
  at,
  CLUSTER,
  EAST,
  FIRST,
  gid,
  SECOND,
  STOCK,
  SUCCESSOR,
  tx,
  us,
  WEST,
} from './good-pieces.js';
import type { AuditRow, Event, OutcomeRow, TimelineEntry } from './history.js';

type Move = readonly [participant: string, key: string, delta: number];

interface Sent {
  readonly label: string;
  readonly op?: string;
  readonly moves: readonly Move[];
  readonly key?: string;
  readonly mayRefuse?: true;
}

function invoke(t: number, attempt: string, { label, op, moves, key, mayRefuse }: Sent): Event {
  return at(t, {
    type: 'invoke',
    attempt,
    proc: `client-${attempt}`,
    op: op ?? 'transfer',
    at: 'coordinator-2',
    label,
    ...(key === undefined ? {} : { key }),
    ...(mayRefuse ? { mayRefuse } : {}),
    deltas: moves.map(([participant, name, delta]) => ({ participant, key: name, delta })),
  });
}

/** What the databases and the journal hold of a commit that was decided at `t`. */
function committed(
  t: number,
  transaction: string,
  label: string,
  participants: readonly string[],
  key: string | null = null,
): Event[] {
  const branches = participants.map((participant, index) => ({
    branch: String(index + 1),
    participant,
  }));
  return [
    at(2_000, {
      type: 'decision',
      transaction,
      decision: 'commit',
      label,
      key: key === null ? null : `client:${key}`,
      branches,
      decidedAtUs: us(t),
      endedAtUs: us(t + 20),
      outcome: 'committed',
    }),
    ...branches.map(({ branch, participant }) => outcomeRow(t, transaction, branch, participant)),
    journal(
      transaction,
      label,
      branches.map((one) => one.branch),
    ),
  ];
}

function outcomeRow(
  t: number,
  transaction: string,
  branch: string,
  participant: string,
  kind: OutcomeRow['kind'] = 'branch',
): Event {
  return at(2_001, {
    type: 'outcome',
    participant,
    transaction,
    branch,
    kind,
    createdAtUs: us(t - 10),
    committedAtUs: us(t + 5),
  });
}

function journal(transaction: string, label: string, branches: readonly string[]): Event {
  const steps: Omit<TimelineEntry, 'sequence'>[] = [
    { type: 'begun' },
    ...branches.map((branch) => ({ type: 'prepare-sent', branch })),
    ...branches.map((branch) => ({ type: 'voted', branch, said: 'prepared' })),
    { type: 'proposed', said: 'commit' },
    { type: 'decided', said: 'commit' },
    ...branches.map((branch) => ({ type: 'commit-sent', branch })),
    ...branches.map((branch) => ({ type: 'acknowledged', branch, said: 'committed' })),
    { type: 'ended', said: 'committed' },
  ];
  const timeline = steps.map((step, index) => ({ sequence: index + 1, ...step }));
  return at(2_003, { type: 'journal', transaction, label, branches, timeline });
}

function told(
  t: number,
  attempt: string,
  transaction: string,
  moment: 'decided' | 'completed',
  outputs?: Record<string, unknown>,
): Event {
  return at(t, {
    type: 'ok',
    attempt,
    transaction,
    told: 'committed',
    moment,
    ...(outputs ? { outputs } : {}),
  });
}

const increment: readonly Move[] = [
  [EAST, 'counter', 1],
  [WEST, 'counter', 1],
  [STOCK, 'counter.available', 1],
];
const counters = (value: number): Record<string, unknown> => ({
  [EAST]: [{ balance: value }],
  [WEST]: [{ balance: value }],
  [STOCK]: [{ available: value, reserved: 0 }],
});

function beginning(): Event[] {
  return [
    at(0, {
      type: 'initial',
      cluster: CLUSTER,
      seed: 1,
      boundMs: 30_000,
      balances: {
        [EAST]: { a0: 1_000, a1: 1_000, counter: 0 },
        [WEST]: { b0: 1_000, b1: 1_000, counter: 0 },
        [STOCK]: { 'counter.available': 0, 'counter.reserved': 0 },
      },
      equal: [increment.map(([participant, key]) => ({ participant, key }))],
    }),
    at(1, { type: 'life', service: 'coordinator', event: 'up', incarnation: FIRST }),
    at(1, { type: 'life', service: 'coordinator-2', event: 'up', incarnation: SECOND }),
    at(5, { type: 'phase', phase: 'calm' }),
    at(90, { type: 'phase', phase: 'calm-over' }),
    at(91, { type: 'phase', phase: 'chaos' }),
  ];
}

/** The first coordinator is killed, with one of its commits decided and not delivered. */
function chaos(): Event[] {
  const kill = { type: 'fault', id: 1, fault: 'kill', target: 'coordinator' } as const;
  const ended = { type: 'life', service: 'coordinator', event: 'ended', expected: true } as const;
  return [
    at(100, { type: 'plant', gid: 'somebody-else-1', database: 'ledger_east', xid: '901' }),
    at(101, { type: 'plant', gid: `cc:${CLUSTER}:x:1`, database: 'postgres', xid: '902' }),
    at(200, { ...kill, phase: 'inject' }),
    at(200, { ...ended, incarnation: FIRST }),
    at(500, { type: 'life', service: 'coordinator', event: 'up', incarnation: SUCCESSOR }),
    at(501, { ...kill, phase: 'recovered' }),
  ];
}

/** One of everything a client may ask and get as an answer. */
function clients(): Event[] {
  const keyed = {
    label: 'keyed',
    key: 'k-2',
    moves: [
      [EAST, 'a1', -50],
      [WEST, 'b1', 50],
    ],
  } as const;
  const answer = { [EAST]: [{ balance: 950 }], [WEST]: [{ balance: 1_050 }] };
  return [
    invoke(10, '1', {
      label: 'one',
      moves: [
        [EAST, 'a0', -100],
        [WEST, 'b0', 100],
      ],
    }),
    told(60, '1', tx(1), 'completed'),
    invoke(110, '2a', keyed),
    invoke(110, '2b', keyed),
    told(140, '2a', tx(2), 'decided', answer),
    told(150, '2b', tx(2), 'decided', answer),
    invoke(120, '3', {
      label: 'overdraw',
      mayRefuse: true,
      moves: [
        [EAST, 'a0', -9_000],
        [WEST, 'b0', 9_000],
      ],
    }),
    at(145, {
      type: 'fail',
      attempt: '3',
      transaction: tx(3),
      code: 'transaction-aborted',
      cause: 'vote',
    }),
    invoke(180, '4', {
      label: 'unanswered',
      moves: [
        [EAST, 'a0', -10],
        [WEST, 'b1', 10],
      ],
    }),
    at(201, { type: 'info', attempt: '4', why: 'the connection broke' }),
    invoke(185, '5', {
      label: 'in-doubt',
      moves: [
        [EAST, 'a0', -7],
        [WEST, 'b0', 7],
      ],
    }),
    at(205, { type: 'info', attempt: '5', transaction: tx(5, FIRST), why: 'the connection broke' }),
    invoke(250, '6', { label: 'reading', op: 'read', moves: [] }),
    told(260, '6', tx(6), 'decided', { [EAST]: [{ balance: 900 }] }),
    invoke(270, '7', { label: 'count-1', op: 'increment', moves: increment }),
    told(310, '7', tx(7), 'completed', counters(1)),
    invoke(320, '8', { label: 'count-2', op: 'increment', moves: increment }),
    told(360, '8', tx(8), 'decided', counters(2)),
    invoke(370, '9', {
      label: 'refused',
      moves: [
        [EAST, 'a0', -3],
        [WEST, 'b0', 3],
      ],
    }),
    at(372, { type: 'fail', attempt: '9', code: 'register-unavailable' }),
    invoke(380, '10', {
      label: 'one-sided',
      moves: [
        [EAST, 'a0', -5],
        [EAST, 'a1', 5],
      ],
    }),
    told(400, '10', tx(10), 'decided'),
    invoke(420, '11', {
      label: 'by-hand',
      moves: [
        [EAST, 'a1', -20],
        [WEST, 'b0', 20],
      ],
    }),
    told(460, '11', tx(11), 'decided'),
    invoke(600, '12', {
      label: 'reversed',
      moves: [
        [EAST, 'a0', -4],
        [WEST, 'b0', 4],
      ],
    }),
    at(610, { type: 'ok', attempt: '12', transaction: tx(12), told: 'aborted', moment: 'decided' }),
    at(620, {
      type: 'invoke',
      attempt: '14',
      proc: 'client-14',
      op: 'look',
      at: 'coordinator',
      deltas: [],
    }),
    told(630, '14', tx(1), 'completed'),
    invoke(1_710, '13', {
      label: 'afterwards',
      moves: [
        [WEST, 'b0', -1],
        [EAST, 'a0', 1],
      ],
    }),
    told(1_760, '13', tx(13), 'completed'),
    invoke(1_912, '15', {
      label: 'steady',
      moves: [
        [EAST, 'a0', 2],
        [WEST, 'b0', -1],
        [WEST, 'b1', -1],
      ],
    }),
    told(1_920, '15', tx(15), 'decided'),
    invoke(1_931, '16', {
      label: 'stuck',
      op: 'purchase',
      moves: [
        [EAST, 'a0', -1],
        [WEST, 'b1', 1],
      ],
    }),
    told(1_939, '16', tx(16), 'decided'),
    invoke(1_945, '17', {
      label: 'beside',
      moves: [
        [EAST, 'a0', -1],
        [WEST, 'b0', 1],
      ],
    }),
    told(1_955, '17', tx(17), 'decided'),
  ];
}

/** What the decision database and the participants hold at the end. */
function rows(): Event[] {
  const bare = { branches: [], label: null, key: null, outcome: 'aborted' } as const;
  const byHand = committed(450, tx(11), 'by-hand', [EAST, WEST]).filter(
    (event) => !(event.type === 'outcome' && event.participant === WEST),
  );
  return [
    ...committed(40, tx(1), 'one', [EAST, WEST]),
    ...committed(130, tx(2), 'keyed', [EAST, WEST], 'k-2'),
    outcomeRow(135, tx(3), '2', WEST, 'tombstone'),
    ...committed(199, tx(4, FIRST), 'unanswered', [EAST, WEST]),
    at(2_000, {
      type: 'decision',
      transaction: tx(5, FIRST),
      decision: 'abort',
      ...bare,
      decidedAtUs: us(700),
      endedAtUs: us(700),
    }),
    outcomeRow(700, tx(5, FIRST), '1', EAST, 'tombstone'),
    ...committed(290, tx(7), 'count-1', [EAST, WEST, STOCK]),
    ...committed(340, tx(8), 'count-2', [EAST, WEST, STOCK]),
    ...committed(395, tx(10), 'one-sided', [EAST]),
    ...byHand,
    at(455, { type: 'dba', gid: gid(tx(11), 2), act: 'rollback' }),
    at(2_002, {
      type: 'heuristic',
      transaction: tx(11),
      branch: '2',
      participant: WEST,
      found: 'missing',
    }),
    ...committed(1_740, tx(13), 'afterwards', [WEST, EAST]),
    ...committed(1_917, tx(15), 'steady', [EAST, WEST]),
    ...stuck(),
    ...committed(1_952, tx(17), 'beside', [EAST, WEST]),
  ];
}

/** Decided, and for a while not carried out in the west. */
function stuck(): Event[] {
  return committed(1_935, tx(16), 'stuck', [EAST, WEST]).map((event) => {
    if (event.type === 'decision') return { ...event, endedAtUs: us(1_980) };
    if (event.type !== 'outcome' || event.participant !== WEST) return event;
    return { ...event, committedAtUs: us(1_970) };
  });
}

function polls(): Event[] {
  const plants = [
    { gid: 'somebody-else-1', database: 'ledger_east', preparedAtUs: us(100) },
    { gid: `cc:${CLUSTER}:x:1`, database: 'postgres', preparedAtUs: us(101) },
  ];
  const left = { gid: gid(tx(4, FIRST), 2), database: 'ledger_west', preparedAtUs: us(190) };
  const late = { gid: gid(tx(16), 2), database: 'ledger_west', preparedAtUs: us(1_933) };
  const seen = (transaction: string, decision = 'commit') => ({ transaction, decision });
  return [
    at(50, { type: 'poll', prepared: [], open: 1, decisions: [seen(tx(1))] }),
    at(220, {
      type: 'poll',
      prepared: [...plants, left],
      open: 1,
      decisions: [seen(tx(2)), seen(tx(4, FIRST))],
    }),
    at(1_010, {
      type: 'poll',
      prepared: [...plants, left],
      open: 1,
      decisions: [
        seen(tx(5, FIRST), 'abort'),
        seen(tx(7)),
        seen(tx(8)),
        seen(tx(10)),
        seen(tx(11)),
      ],
    }),
    at(1_500, { type: 'poll', prepared: plants, open: 0, decisions: [] }),
    at(1_942, { type: 'poll', prepared: [...plants, late], open: 1, decisions: [seen(tx(16))] }),
    at(1_958, { type: 'poll', prepared: [...plants, late], open: 1, decisions: [] }),
    at(1_990, { type: 'poll', prepared: plants, open: 0, decisions: [seen(tx(13))] }),
  ];
}

function end(): Event[] {
  const balances = [
    [EAST, { a0: 886, a1: 935, counter: 2 }],
    [WEST, { b0: 1_099, b1: 1_060, counter: 2 }],
    [STOCK, { 'counter.available': 2, 'counter.reserved': 0 }],
  ] as const;
  return [
    at(1_000, { type: 'phase', phase: 'healed' }),
    at(1_600, { type: 'phase', phase: 'rest' }),
    at(1_700, { type: 'phase', phase: 'calm' }),
    at(1_900, { type: 'phase', phase: 'calm-over' }),
    at(1_910, { type: 'phase', phase: 'steady' }),
    at(1_925, { type: 'phase', phase: 'steady-over' }),
    at(1_940, { type: 'phase', phase: 'stuck' }),
    at(1_960, { type: 'phase', phase: 'stuck-over' }),
    ...balances.flatMap(([participant, keys]) =>
      Object.entries(keys).map(([key, value]) =>
        at(2_004, { type: 'balance', participant, key, value }),
      ),
    ),
    at(2_005, {
      type: 'prepared',
      gid: 'somebody-else-1',
      database: 'ledger_east',
      xid: '901',
      preparedAtUs: us(100),
    }),
    at(2_005, {
      type: 'prepared',
      gid: `cc:${CLUSTER}:x:1`,
      database: 'postgres',
      xid: '902',
      preparedAtUs: us(101),
    }),
    at(2_010, { type: 'phase', phase: 'dumped' }),
  ];
}

/** An operator: what was done, what was refused before it was begun, and what was never answered. */
function operators(): Event[] {
  const at1 = { type: 'act', at: 'coordinator' } as const;
  const asked = [
    { act: 'operator/1', action: 'abort', transaction: tx(20) },
    { act: 'operator/2', action: 'retry', transaction: tx(1) },
    { act: 'operator/3', action: 'retry', transaction: tx(5, FIRST) },
  ] as const;
  const entry = { by: 'key', role: 'operator', from: null, branch: null, gid: null, ticket: null };
  const of = ({ act: reason, action, transaction }: (typeof asked)[number]) => ({
    ...entry,
    reason,
    action,
    transaction,
  });
  const drafts: Omit<AuditRow, 't' | 'wall' | 'type' | 'sequence' | 'previous' | 'hash'>[] = [
    {
      ...of(asked[0]),
      atMs: 1,
      phase: 'asked',
      answers: null,
      before: { b: 1, a: 2 },
      after: null,
    },
    { ...of(asked[0]), atMs: 2, phase: 'done', answers: 1, before: null, after: { so: true } },
    { ...of(asked[2]), atMs: 3, phase: 'asked', answers: null, before: {}, after: null },
  ];
  let previous = '0'.repeat(64);
  const rows = drafts.map((draft, index): Event => {
    const row = { ...draft, sequence: index + 1, previous };
    previous = auditHash(row);
    return at(2_006, { type: 'audit', ...row, hash: previous });
  });
  return [
    ...asked.map((one, index) => at(300 + index * 20, { ...at1, ...one })),
    at(310, { type: 'acted', act: 'operator/1', told: 'done', audit: 1 }),
    at(325, { type: 'acted', act: 'operator/2', told: 'refused', why: 'not offered' }),
    at(350, { type: 'acted', act: 'operator/3', told: 'unknown', why: 'the connection broke' }),
    ...rows,
    at(2_007, { type: 'audit-head', sequence: rows.length, hash: previous }),
  ];
}

export function goodHistory(): Event[] {
  const during = [...chaos(), ...clients(), ...operators(), ...polls()];
  return [...beginning(), ...during, ...rows(), ...alone(), ...end()];
}
