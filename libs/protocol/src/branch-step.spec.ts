import {
  BRANCH_ABSENT,
  PeerViolation,
  stepBranch,
  voteNo,
  type BranchEvent,
  type BranchState,
  type BranchStep,
} from './index.js';

function play(events: readonly BranchEvent[], from: BranchState = BRANCH_ABSENT) {
  let state = from;
  const steps: BranchStep[] = [];
  for (const event of events) {
    const step = stepBranch(state, event);
    steps.push(step);
    state = step.state;
  }
  return {
    state,
    did: steps.flatMap((one) => one.records.map((r) => r.type)),
    said: steps.flatMap((one) => one.messages.map((m) => m.type)),
    last: steps.at(-1) as BranchStep,
  };
}

const begun: BranchEvent = { type: 'begun', work: 'bundled' };
const due: BranchEvent = { type: 'prepare-due' };
const answered = (kind: 'prepared' | 'read-only'): BranchEvent => ({
  type: 'prepare-answered',
  result: { kind },
});

describe('The branch machine', () => {
  it('says yes only after the database answered PREPARE with its own tag', () => {
    const asked = play([begun, due]);
    expect(asked.did).toEqual(['prepare']);
    expect(asked.said).toEqual([]);
    const yes = play([answered('prepared')], asked.state);
    expect(yes.last.messages).toEqual([{ type: 'vote', vote: { kind: 'prepared' } }]);
    expect(yes.state.phase).toBe('prepared');
  });

  it('leaves round two to others when nothing was written', () => {
    const { state, last } = play([begun, due, answered('read-only')]);
    expect(last.messages).toEqual([{ type: 'vote', vote: { kind: 'read-only' } }]);
    expect(state).toEqual({ phase: 'ended', how: { kind: 'read-only' } });
  });

  it('stays in doubt, and says no, when the answer to PREPARE was lost', () => {
    const result = { kind: 'unknown', reason: 'connection lost' } as const;
    const { state, last } = play([begun, due, { type: 'prepare-answered', result }]);
    expect(state.phase).toBe('prepared');
    expect(last.messages).toMatchObject([{ vote: { kind: 'no', retryable: true } }]);
  });

  it('says the true cause, where more is known than that no answer came, and stays in doubt', () => {
    const vote = voteNo('RESOURCE_FAULT', 'the disk failed');
    const result = { kind: 'unknown', reason: 'an I/O error', vote } as const;
    const { state, last } = play([begun, due, { type: 'prepare-answered', result }]);
    expect(state.phase).toBe('prepared');
    expect(last.messages).toEqual([{ type: 'vote', vote }]);
  });

  it('rolls back and says no when an operation refuses', () => {
    const vote = voteNo('OUT_OF_STOCK', 'none left');
    const { did, last } = play([begun, { type: 'refused', vote }]);
    expect(did).toEqual(['rollback']);
    expect(last.messages).toEqual([{ type: 'vote', vote }]);
  });

  it('never says yes after an abort overtook the PREPARE', () => {
    const { said, did } = play([begun, due, { type: 'abort-received' }, answered('prepared')]);
    expect(did).toEqual(['prepare', 'abort']);
    expect(said).toEqual([]);
  });

  it('refuses a second prepare for a branch that is already here', () => {
    expect(() => play([begun, begun])).toThrow(PeerViolation);
  });

  it('refuses to commit what never voted', () => {
    expect(() => play([begun, { type: 'commit-received' }])).toThrow(PeerViolation);
    expect(() => play([begun, due, { type: 'commit-received' }])).toThrow(PeerViolation);
  });

  it('finishes a branch it does not remember: the database knows', () => {
    const { did, state } = play([
      { type: 'commit-received' },
      { type: 'commit-answered', result: { kind: 'committed' } },
    ]);
    expect(did).toEqual(['commit']);
    expect(state).toEqual({ phase: 'ended', how: { kind: 'committed' } });
  });

  it('acknowledges a commit that left no trace as heuristic, never as committed', () => {
    const evidence = { decision: 'commit', found: 'missing', explanation: 'gone' } as const;
    const { last } = play([
      { type: 'commit-received' },
      { type: 'commit-answered', result: { kind: 'heuristic', evidence } },
    ]);
    expect(last.messages).toMatchObject([{ outcome: { kind: 'heuristic', evidence } }]);
  });

  it('answers "not yet" while another session is finishing it, and can be asked again', () => {
    const busy = { kind: 'busy', reason: 'another session' } as const;
    const { state, said } = play([
      { type: 'commit-received' },
      { type: 'commit-answered', result: busy },
    ]);
    expect(said).toEqual(['not-yet']);
    expect(play([{ type: 'commit-received' }], state).did).toEqual(['commit']);
  });

  it('ends running work before it writes the tombstone', () => {
    const { did } = play([begun, { type: 'abort-received' }]);
    expect(did).toEqual(['rollback', 'abort']);
  });

  it('keeps a lease on open work only', () => {
    expect(stepBranch(BRANCH_ABSENT, begun).timers).toEqual([]);
    const open: BranchEvent = { type: 'begun', work: 'open' };
    expect(stepBranch(BRANCH_ABSENT, open).timers).toEqual([{ type: 'lease' }]);
  });
});
