/** Swim lanes draw what the history says, and nothing else. */
import type { AdminTransaction, BranchState, TimelineEvent } from '@concordat/client';
import { layoutLanes } from './lanes.js';

const BEGUN = Date.parse('2026-11-21T12:00:00.000Z');
const iso = (afterMs: number): string => new Date(BEGUN + afterMs).toISOString();

function branch(name: string, more: Partial<BranchState> = {}): BranchState {
  return {
    branch: name,
    participant: `service-${name}`,
    work: 'bundled',
    operations: [],
    attempts: 0,
    ...more,
  };
}

type Told = readonly [afterMs: number, type: string, branch?: string, detail?: object];

function drawn(
  branches: readonly BranchState[],
  told: readonly Told[],
  more: Partial<AdminTransaction['transaction']> = {},
): Pick<AdminTransaction, 'events' | 'transaction'> {
  const events = told.map(([afterMs, type, of, detail], index): TimelineEvent => ({
    sequence: index + 1,
    at: iso(afterMs),
    type,
    ...(of ? { branch: of } : {}),
    ...(detail ? { detail: detail as Record<string, unknown> } : {}),
  }));
  const transaction = {
    transactionId: 'tx',
    owner: 'one',
    status: 'committing',
    begunAt: iso(0),
    branches,
    version: 1,
    serverTime: iso(0),
    ...more,
  };
  return { events, transaction };
}

const STUCK = drawn(
  [
    branch('1', { vote: { kind: 'prepared' }, outcome: { kind: 'committed' } }),
    branch('2', { vote: { kind: 'prepared' }, attempts: 2, lastError: 'no answer' }),
    branch('3', { vote: { kind: 'read-only' } }),
  ],
  [
    [0, 'begun'],
    [1, 'prepare-sent', '1'],
    [1, 'prepare-sent', '2'],
    [1, 'prepare-sent', '3'],
    [20, 'voted', '1', { vote: 'prepared' }],
    [25, 'voted', '2', { vote: 'prepared' }],
    [30, 'voted', '3', { vote: 'read-only' }],
    [40, 'decided', undefined, { decision: 'commit' }],
    [50, 'acknowledged', '1', { outcome: 'committed' }],
    [60, 'unanswered', '2', { why: 'connection refused' }],
    [400, 'unanswered', '2', { why: 'connection refused' }],
  ],
  { decision: 'commit', decidedAt: iso(40) },
);

describe('Swim lanes', () => {
  it('draw the decision once, through all lanes, between the votes and the finishing', () => {
    const { decisionX, lanes, nowX } = layoutLanes(STUCK, BEGUN + 60_000, 1_000);
    expect(decisionX).toBeDefined();
    for (const lane of lanes) {
      for (const mark of lane.marks.filter(({ kind }) => kind === 'yes')) {
        expect(mark.x).toBeLessThan(decisionX ?? 0);
      }
    }
    expect(nowX).toBe(1_000);
  });

  it('show an unacknowledged commit from the decision until now', () => {
    const { lanes, decisionX } = layoutLanes(STUCK, BEGUN + 60_000, 1_000);
    const owed = lanes[1]?.spans.find((span) => span.kind === 'owed');
    expect(owed?.x0).toBe(decisionX);
    expect(owed?.x1).toBe(1_000);
    expect(lanes[1]?.marks.filter(({ kind }) => kind === 'trouble')).toHaveLength(2);
    expect(lanes[1]?.says).toBe(
      'service-2: voted prepared, 2 attempts to finish, last error: no answer',
    );
  });

  it('let a read-only branch hold nothing after its vote', () => {
    const { lanes } = layoutLanes(STUCK, BEGUN + 60_000, 1_000);
    expect(lanes[2]?.spans.map((span) => span.kind)).toEqual(['work']);
  });

  it('have neither a decision nor an end while there is none', () => {
    const open = drawn(
      [branch('1')],
      [
        [0, 'begun'],
        [1, 'prepare-sent', '1'],
      ],
    );
    const lanes = layoutLanes(open, BEGUN + 5_000, 600);
    expect(lanes.decisionX).toBeUndefined();
    expect(lanes.eras.map((era) => era.name)).toEqual(['undecided']);
  });

  it('have no now-line when it is over', () => {
    const over = { ...STUCK, transaction: { ...STUCK.transaction, endedAt: iso(500) } };
    expect(layoutLanes(over, BEGUN + 60_000, 600).nowX).toBeUndefined();
  });

  it('are drawn without a history, from the branches alone', () => {
    const { lanes } = layoutLanes({ ...STUCK, events: [] }, BEGUN + 60_000, 600);
    expect(lanes).toHaveLength(3);
    expect(lanes.every((lane) => lane.marks.length === 0)).toBe(true);
  });
});
