/**
 * The tables of both machines are exactly what the code does: every state that two branches can bring a
 * machine into is visited with every event, and each arrow of a table is taken at least once. What a
 * table does not name is refused or is our mistake.
 */
import {
  BRANCH_ABSENT,
  BRANCH_TRANSITIONS,
  InvariantViolation,
  PeerViolation,
  TRANSACTION_BEGUN,
  TRANSACTION_TRANSITIONS,
  makeBranchId,
  stepBranch,
  stepTransaction,
  takeOver,
  voteNo,
  type BranchEvent,
  type BranchOutcome,
  type BranchState,
  type Enlisted,
  type ParticipantName,
  type TransactionEvent,
  type TransactionState,
} from './index.js';

const NO = voteNo('BUSY', 'later');
const evidence = { decision: 'commit', found: 'missing', explanation: 'it is gone' } as const;
const OUTCOMES: readonly BranchOutcome[] = [
  { kind: 'committed' },
  { kind: 'aborted' },
  { kind: 'heuristic', evidence },
];

const branches: readonly Enlisted[] = [1, 2].map((ordinal) => ({
  branch: makeBranchId(ordinal),
  participant: `service-${ordinal}` as ParticipantName,
  work: ordinal === 1 ? 'bundled' : 'open',
}));

const TRANSACTION_EVENTS: readonly TransactionEvent[] = [
  { type: 'prepare-requested' },
  { type: 'prepare-requested', order: 'ordered' },
  { type: 'prepare-requested', inOnePhase: true },
  { type: 'deadline-passed' },
  { type: 'rollback-requested', cause: { kind: 'rollback-requested', reason: 'enough' } },
  { type: 'decided', decision: 'commit' },
  { type: 'decided', decision: 'abort' },
  { type: 'notification-over' },
  ...branches.flatMap(({ branch, participant, work }): TransactionEvent[] => [
    { type: 'enlisted', branch: { branch, participant, work } },
    { type: 'voted', branch, vote: { kind: 'prepared' } },
    { type: 'voted', branch, vote: { kind: 'read-only' } },
    { type: 'voted', branch, vote: { kind: 'committed' } },
    { type: 'voted', branch, vote: NO },
    { type: 'unreached', branch },
    { type: 'unanswered', branch },
    { type: 'forgotten', branch, reason: 'past retention' },
    { type: 'retry-due', branch },
    ...OUTCOMES.map((outcome): TransactionEvent => ({ type: 'acknowledged', branch, outcome })),
  ]),
];

const BRANCH_EVENTS: readonly BranchEvent[] = [
  { type: 'begun', work: 'open' },
  { type: 'begun', work: 'bundled' },
  { type: 'work-continued' },
  { type: 'prepare-due' },
  { type: 'refused', vote: NO },
  { type: 'prepare-answered', result: { kind: 'prepared' } },
  { type: 'prepare-answered', result: { kind: 'read-only' } },
  { type: 'prepare-answered', result: { kind: 'committed' } },
  { type: 'prepare-answered', result: { kind: 'rolled-back', vote: NO } },
  { type: 'prepare-answered', result: { kind: 'unknown', reason: 'lost' } },
  { type: 'commit-received' },
  { type: 'abort-received' },
  { type: 'commit-answered', result: { kind: 'committed' } },
  { type: 'commit-answered', result: { kind: 'heuristic', evidence } },
  { type: 'commit-answered', result: { kind: 'busy', reason: 'busy' } },
  { type: 'abort-answered', result: { kind: 'aborted' } },
  { type: 'abort-answered', result: { kind: 'committed' } },
  { type: 'abort-answered', result: { kind: 'heuristic', evidence } },
  { type: 'abort-answered', result: { kind: 'unknown', reason: 'lost' } },
];

/** Every arrow that is taken from the first states on, as `phase event phase`. */
function closure<State extends { phase: string }, Event extends { type: string }>(
  first: readonly State[],
  events: readonly Event[],
  step: (state: State, event: Event) => { readonly state: State },
): Set<string> {
  const arrows = new Set<string>();
  const seen = new Set(first.map(keyOf));
  const open = [...first];
  for (let state = open.pop(); state; state = open.pop()) {
    for (const event of events) {
      let next: State;
      try {
        next = step(state, event).state;
      } catch (error) {
        const isRefused = error instanceof PeerViolation || error instanceof InvariantViolation;
        // A table that lacks an arrow is our mistake as well, but not one that a machine may make.
        if (!isRefused || error.message.includes('may not go')) throw error;
        continue;
      }
      arrows.add(`${state.phase} ${event.type} ${next.phase}`);
      const key = keyOf(next);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return arrows;
}

/** Explanations and causes do not matter to any step. */
function keyOf(state: object): string {
  return JSON.stringify(state, (name, value: unknown) => {
    if (name === 'cause' || name === 'explanation' || name === 'reason') return undefined;
    return value instanceof Map || value instanceof Set ? [...value] : value;
  });
}

function arrowsOf(table: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>) {
  return Object.entries(table).flatMap(([from, events]) =>
    Object.entries(events).flatMap(([event, all]) => all.map((to) => `${from} ${event} ${to}`)),
  );
}

describe('The tables of transitions', () => {
  it('of the transaction name what happens, and nothing else', () => {
    const first: TransactionState[] = [TRANSACTION_BEGUN, takeOver(branches).state];
    const taken = closure(first, TRANSACTION_EVENTS, stepTransaction);
    expect([...taken].sort()).toEqual(arrowsOf(TRANSACTION_TRANSITIONS).sort());
  });

  it('of the branch name what happens, and nothing else', () => {
    const taken = closure<BranchState, BranchEvent>([BRANCH_ABSENT], BRANCH_EVENTS, stepBranch);
    expect([...taken].sort()).toEqual(arrowsOf(BRANCH_TRANSITIONS).sort());
  });

  it('have no way from committing to aborting or back, and none out of a transaction that has ended', () => {
    const { committing, aborting, ended } = TRANSACTION_TRANSITIONS;
    expect(Object.values(committing).flat()).not.toContain('aborting');
    expect(Object.values(aborting).flat()).not.toContain('committing');
    expect(new Set(Object.values(ended).flat())).toEqual(new Set(['ended']));
  });
});
