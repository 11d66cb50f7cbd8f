import {
  InvariantViolation,
  ONLY_BRANCH,
  PeerViolation,
  TRANSACTION_BEGUN,
  decidedAt,
  formatGid,
  isTransactionId,
  madeAtMs,
  makeBranchId,
  makeTransactionId,
  markTransactionId,
  ownerOf,
  parseGid,
  stepBranch,
  stepTransaction,
  tokenFrom,
  unmarkedPart,
  voteNo,
  type Enlisted,
  type ParticipantName,
  type TransactionEvent,
  type TransactionState,
  type TransactionStep,
} from './index.js';

const participant = 'order-service' as ParticipantName;
const only: Enlisted = { branch: ONLY_BRANCH, participant, work: 'bundled' };
const begun: TransactionEvent[] = [
  { type: 'enlisted', branch: only },
  { type: 'prepare-requested', inOnePhase: true },
];
const voted = (vote: Extract<TransactionEvent, { type: 'voted' }>['vote']): TransactionEvent => ({
  type: 'voted',
  branch: ONLY_BRANCH,
  vote,
});
const acknowledged = (kind: 'committed' | 'aborted'): TransactionEvent => ({
  type: 'acknowledged',
  branch: ONLY_BRANCH,
  outcome: { kind },
});

function play(events: readonly TransactionEvent[]) {
  let state: TransactionState = TRANSACTION_BEGUN;
  const steps: TransactionStep[] = [];
  for (const event of events) {
    const step = stepTransaction(state, event);
    state = step.state;
    steps.push(step);
  }
  const said = steps.flatMap((one) => one.messages.map(({ type }) => type));
  const forced = steps.flatMap((one) => one.records.map(({ type }) => type));
  return { state, said, forced };
}

describe('A transaction in one phase', () => {
  it('ends with the vote of its branch that it has committed: no decision, no second round', () => {
    const { state, said, forced } = play([...begun, voted({ kind: 'committed' })]);
    expect(state).toMatchObject({ phase: 'ended', decision: 'commit', outcome: 'committed' });
    expect(said).toEqual(['prepare']);
    expect(forced).toEqual([]);
  });

  it('that wrote nothing ends with that', () => {
    expect(play([...begun, voted({ kind: 'read-only' })]).state).toMatchObject({
      phase: 'ended',
      decision: 'commit',
    });
  });

  const untold: Record<string, TransactionEvent> = {
    'a no, which can be the second copy’s': voted(voteNo('REFUSED', 'not enough')),
    silence: { type: 'deadline-passed' },
    'a rollback by its client': {
      type: 'rollback-requested',
      cause: { kind: 'rollback-requested', reason: 'changed my mind' },
    },
    'a branch that prepared instead': voted({ kind: 'prepared' }),
  };
  for (const [what, event] of Object.entries(untold)) {
    it(`is not decided by ${what}: its participant says which of the two stands`, () => {
      const asked = play([...begun, event]);
      expect(asked.state.phase).toBe('settling');
      expect(asked.said).toEqual(['prepare', 'settle']);
      expect(play([...begun, event, acknowledged('aborted')]).state).toMatchObject({
        phase: 'ended',
        decision: 'abort',
        outcome: 'aborted',
      });
      expect(play([...begun, event, acknowledged('committed')]).state).toMatchObject({
        phase: 'ended',
        decision: 'commit',
        outcome: 'committed',
      });
    });
  }

  it('reports the cause of its abort once the tombstone is there', () => {
    const vote = voteNo('REFUSED', 'not enough');
    const { state } = play([...begun, voted(vote), acknowledged('aborted')]);
    expect(state).toMatchObject({ cause: { kind: 'vote', participant, vote } });
  });

  it('asks without limit while its participant does not answer', () => {
    const again: TransactionEvent[] = [];
    for (let times = 0; times < 1_000; times++) {
      again.push({ type: 'unanswered', branch: ONLY_BRANCH });
      again.push({ type: 'retry-due', branch: ONLY_BRANCH });
    }
    const { state, said } = play([...begun, { type: 'deadline-passed' }, ...again]);
    expect(state.phase).toBe('settling');
    expect(said).toHaveLength(1_002);
  });

  describe('that its participant has forgotten', () => {
    const forgotten: TransactionEvent = {
      type: 'forgotten',
      branch: ONLY_BRANCH,
      reason: 'it is past retention',
    };
    const asked = [...begun, { type: 'deadline-passed' } as const];

    it('ends as neither of the two: not known, with evidence that is durable before anybody is told', () => {
      const { state, forced, said } = play([...asked, forgotten]);
      expect(state).toMatchObject({ phase: 'ended', outcome: 'heuristic-hazard' });
      expect(state).not.toHaveProperty('decision');
      expect(state).toMatchObject({
        heuristics: [{ branch: ONLY_BRANCH, participant, evidence: { found: 'unknown' } }],
      });
      expect(forced).toEqual(['heuristic']);
      expect(said).toEqual(['prepare', 'settle']);
    });

    it('is asked for no more, and becomes nothing else by what comes late', () => {
      const late: TransactionEvent[] = [
        { type: 'unanswered', branch: ONLY_BRANCH },
        { type: 'retry-due', branch: ONLY_BRANCH },
        acknowledged('aborted'),
        voted(voteNo('NO', 'no')),
        forgotten,
      ];
      const { state, forced, said } = play([...asked, forgotten, ...late]);
      expect(state).toEqual(play([...asked, forgotten]).state);
      expect(forced).toEqual(['heuristic']);
      expect(said).toEqual(['prepare', 'settle']);
    });
  });

  it('ends by the vote that comes late, and by no other late vote', () => {
    const late = [...begun, { type: 'deadline-passed' } as const];
    expect(play([...late, voted(voteNo('NO', 'no'))]).state.phase).toBe('settling');
    expect(play([...late, voted({ kind: 'committed' })]).state).toMatchObject({
      decision: 'commit',
    });
  });

  it('aborts at once where proof of non-delivery says that nothing was asked', () => {
    const { state, said } = play([...begun, { type: 'unreached', branch: ONLY_BRANCH }]);
    expect(state).toMatchObject({ phase: 'ended', decision: 'abort' });
    expect(said).toEqual(['prepare']);
  });

  it('is for one bundled branch', () => {
    const second: Enlisted = { ...only, branch: makeBranchId(2) };
    const two: TransactionEvent[] = [{ type: 'enlisted', branch: second }, ...begun];
    expect(() => play(two)).toThrow(InvariantViolation);
    const open: TransactionEvent[] = [
      { type: 'enlisted', branch: { ...only, work: 'open' } },
      { type: 'prepare-requested', inOnePhase: true },
    ];
    expect(() => play(open)).toThrow(InvariantViolation);
  });

  it('is the only one whose branch may commit by itself', () => {
    const two: TransactionEvent[] = [
      { type: 'enlisted', branch: only },
      { type: 'prepare-requested' },
    ];
    expect(() => play([...two, voted({ kind: 'committed' })])).toThrow(PeerViolation);
  });
});

describe('A branch in one phase', () => {
  it('says that it has committed, and nothing of a vote that an abort has overtaken', () => {
    const preparing = { phase: 'preparing' } as const;
    const result = { kind: 'committed' } as const;
    const done = stepBranch(preparing, { type: 'prepare-answered', result });
    expect(done).toMatchObject({
      state: { phase: 'ended', how: { kind: 'committed' } },
      messages: [{ type: 'vote', vote: { kind: 'committed' } }],
    });
    const { state } = stepBranch(preparing, { type: 'abort-received' });
    expect(stepBranch(state, { type: 'prepare-answered', result }).messages).toEqual([]);
    const told = stepBranch(state, { type: 'abort-answered', result });
    expect(told.messages).toEqual([
      { type: 'acknowledge', decision: 'abort', outcome: { kind: 'committed' } },
    ]);
  });
});

describe('What is past the retention of its participant', () => {
  const reason = 'past retention';

  it('is acknowledged as neither of the two, and said to be forgotten', () => {
    const { state } = stepBranch({ phase: 'absent' }, { type: 'abort-received' });
    const result = { kind: 'forgotten', reason } as const;
    expect(stepBranch(state, { type: 'abort-answered', result }).messages).toEqual([
      { type: 'not-yet', decision: 'abort', reason, forgotten: true },
    ]);
  });
});

describe('The id of a transaction in one phase', () => {
  const owner = tokenFrom(new Uint8Array(8).fill(3));
  const id = makeTransactionId(1_700_000_000_000, new Uint8Array(10).fill(7), owner, participant);

  it('names the participant that decides it, beside its owner and its time', () => {
    expect(isTransactionId(id)).toBe(true);
    expect(decidedAt(id)).toBe(participant);
    expect(ownerOf(id)).toBe(owner);
    expect(madeAtMs(id)).toBe(1_700_000_000_000);
    expect(decidedAt(makeTransactionId(1, new Uint8Array(10), owner))).toBeUndefined();
  });

  it('keeps the name under a mark, which is made from it too', () => {
    const marked = markTransactionId(id, new Uint8Array(4).fill(9));
    expect(decidedAt(marked)).toBe(participant);
    expect(unmarkedPart(marked)).toBe(unmarkedPart(id));
    expect(unmarkedPart(id)).toContain(participant);
  });

  it('goes through a gid unchanged', () => {
    const parts = { cluster: owner, transaction: id, branch: ONLY_BRANCH };
    expect(parseGid(formatGid(parts))).toEqual(parts);
  });

  it('is no id with a name that is none', () => {
    for (const name of ['', '-', 'Orders', '1st', `a${'b'.repeat(32)}`]) {
      expect(isTransactionId(`${id.slice(0, 35)}-${name}`)).toBe(false);
    }
  });
});
