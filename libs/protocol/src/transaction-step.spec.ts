import {
  TRANSACTION_BEGUN,
  InvariantViolation,
  PeerViolation,
  makeBranchId,
  stepTransaction,
  takeOver,
  voteNo,
  type Enlisted,
  type ParticipantName,
  type TransactionEvent,
  type TransactionState,
  type TransactionStep,
} from './index.js';

const [b1, b2, b3] = [makeBranchId(1), makeBranchId(2), makeBranchId(3)];
const branch = (id: typeof b1, work: Enlisted['work'] = 'bundled'): Enlisted => ({
  branch: id,
  participant: `service-${id}` as ParticipantName,
  work,
});
const prepared = { kind: 'prepared' } as const;
const readOnly = { kind: 'read-only' } as const;

/** Plays events and returns every step. */
function play(events: readonly TransactionEvent[], from: TransactionState = TRANSACTION_BEGUN) {
  const steps: TransactionStep[] = [];
  let state = from;
  for (const event of events) {
    const step = stepTransaction(state, event);
    steps.push(step);
    state = step.state;
  }
  const said = steps.flatMap((one) => one.messages.map((m) => `${m.type} ${m.branch}`));
  const forced = steps.flatMap((one) => one.records.map((r) => r.type));
  return { state, steps, said, forced, last: steps.at(-1) as TransactionStep };
}

const begun: TransactionEvent[] = [
  { type: 'enlisted', branch: branch(b1) },
  { type: 'enlisted', branch: branch(b2) },
  { type: 'prepare-requested' },
];

describe('The transaction machine', () => {
  it('asks all branches to prepare at once and proposes commit only after the last vote', () => {
    const half = play([...begun, { type: 'voted', branch: b1, vote: prepared }]);
    expect(half.said).toEqual(['prepare 1', 'prepare 2']);
    expect(half.forced).toEqual([]);
    const full = play([{ type: 'voted', branch: b2, vote: prepared }], half.state);
    expect(full.forced).toEqual(['propose-commit']);
    expect(full.said).toEqual([]);
    expect(full.state.phase).toBe('deciding');
  });

  it('sends no commit before the commit is on record', () => {
    const { state } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: prepared },
      { type: 'voted', branch: b2, vote: prepared },
    ]);
    const decided = play([{ type: 'decided', decision: 'commit' }], state);
    expect(decided.said).toEqual(['commit 1', 'commit 2']);
    expect(decided.last.records).toEqual([]);
  });

  it('adopts an abort that was recorded first', () => {
    const { state } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: prepared },
      { type: 'voted', branch: b2, vote: prepared },
      { type: 'decided', decision: 'abort' },
    ]);
    expect(state).toMatchObject({ phase: 'aborting', durable: true });
  });

  it('writes nothing for an abort, and sends it to every branch that may have been reached', () => {
    const vote = voteNo('INSUFFICIENT_FUNDS', 'not enough');
    const { said, forced, state } = play([...begun, { type: 'voted', branch: b1, vote }]);
    expect(forced).toEqual([]);
    expect(said.slice(2)).toEqual(['abort 1', 'abort 2']);
    expect(state).toMatchObject({ phase: 'aborting', cause: { kind: 'vote', vote } });
  });

  it('sends no abort where nothing was delivered', () => {
    const { said, state } = play([...begun, { type: 'unreached', branch: b2 }]);
    expect(said.slice(2)).toEqual(['abort 1']);
    expect(state).toMatchObject({ cause: { kind: 'unreachable', branch: b2 } });
  });

  it('turns silence at the deadline into an abort that names the silent', () => {
    const { state } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: prepared },
      { type: 'deadline-passed' },
    ]);
    expect(state).toMatchObject({ cause: { kind: 'deadline', missing: ['service-2'] } });
  });

  it('ignores the deadline, a rollback and late votes once commit was proposed', () => {
    const { state } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: prepared },
      { type: 'voted', branch: b2, vote: prepared },
      { type: 'deadline-passed' },
      { type: 'rollback-requested', cause: { kind: 'rollback-requested', reason: 'no' } },
      { type: 'voted', branch: b1, vote: voteNo('LATE', 'late') },
    ]);
    expect(state.phase).toBe('deciding');
  });

  describe('that prepares in order', () => {
    /** Enlisted against the order of their participants' names. */
    const against: TransactionEvent[] = [
      { type: 'enlisted', branch: branch(b3) },
      { type: 'enlisted', branch: branch(b1) },
      { type: 'enlisted', branch: branch(b2) },
      { type: 'prepare-requested', order: 'ordered' },
    ];
    const yes = (id: typeof b1): TransactionEvent => ({
      type: 'voted',
      branch: id,
      vote: prepared,
    });

    it('asks by the names of participants, each when the one before has said yes', () => {
      expect(play(against).said).toEqual(['prepare 1']);
      expect(play([...against, yes(b1)]).said).toEqual(['prepare 1', 'prepare 2']);
      const readsOnly = { type: 'voted', branch: b2, vote: readOnly } as const;
      const all = play([...against, yes(b1), readsOnly, yes(b3)]);
      expect(all.said).toEqual(['prepare 1', 'prepare 2', 'prepare 3']);
      expect(all.forced).toEqual(['propose-commit']);
    });

    it('asks no branch twice when a vote is repeated', () => {
      expect(play([...against, yes(b1), yes(b1)]).said).toEqual(['prepare 1', 'prepare 2']);
    });

    it('asks no branch after a no, and sends the abort to those that were asked', () => {
      const vote = voteNo('DEADLOCK', 'it was the victim');
      const { said, state } = play([
        ...against,
        yes(b1),
        { type: 'voted', branch: b2, vote },
        { type: 'acknowledged', branch: b1, outcome: { kind: 'aborted' } },
        { type: 'acknowledged', branch: b2, outcome: { kind: 'aborted' } },
      ]);
      expect(said).toEqual(['prepare 1', 'prepare 2', 'abort 1', 'abort 2']);
      expect(state).toMatchObject({ phase: 'ended', outcome: 'aborted' });
    });

    it('names at its deadline whose vote is missing, not whose turn never came', () => {
      const { said, state } = play([...against, yes(b1), { type: 'deadline-passed' }]);
      expect(said.slice(2)).toEqual(['abort 1', 'abort 2']);
      expect(state).toMatchObject({ cause: { kind: 'deadline', missing: ['service-2'] } });
    });

    it('sends an abort to open branches too, whose turn never came', () => {
      const open: TransactionEvent[] = [
        { type: 'enlisted', branch: branch(b1) },
        { type: 'enlisted', branch: branch(b2, 'open') },
        { type: 'prepare-requested', order: 'ordered' },
        { type: 'unreached', branch: b1 },
      ];
      expect(play(open).said).toEqual(['prepare 1', 'abort 2']);
    });

    it('refuses the vote of a branch whose turn has not come', () => {
      expect(() => play([...against, yes(b2)])).toThrow(PeerViolation);
    });
  });

  it('counts the first vote of a branch only', () => {
    const { state } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: prepared },
      { type: 'voted', branch: b1, vote: voteNo('SECOND', 'changed my mind') },
    ]);
    expect(state.phase).toBe('preparing');
  });

  it('decides nothing and writes nothing when every vote is read-only', () => {
    const { state, forced, said } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: readOnly },
      { type: 'voted', branch: b2, vote: readOnly },
    ]);
    expect(forced).toEqual([]);
    expect(said).toEqual(['prepare 1', 'prepare 2']);
    expect(state).toMatchObject({ phase: 'ended', decision: 'commit', outcome: 'committed' });
  });

  it('leaves read-only branches out of round two', () => {
    const { said, steps } = play([
      ...begun,
      { type: 'voted', branch: b1, vote: readOnly },
      { type: 'voted', branch: b2, vote: prepared },
      { type: 'decided', decision: 'commit' },
    ]);
    expect(steps[4]?.records[0]).toMatchObject({ branches: [{ branch: b2 }] });
    expect(said.slice(2)).toEqual(['commit 2']);
  });

  it('delivers a commit on record until every branch has acknowledged, however often it takes', () => {
    let { state } = takeOver([branch(b1), branch(b2)]);
    for (let i = 0; i < 1_000; i++) {
      const failed = stepTransaction(state, { type: 'unanswered', branch: b2 });
      expect(failed.timers).toEqual([{ type: 'retry', branch: b2 }]);
      const again = stepTransaction(failed.state, { type: 'retry-due', branch: b2 });
      expect(again.messages).toMatchObject([{ type: 'commit', branch: b2 }]);
      state = again.state;
    }
    const done = play(
      [
        { type: 'acknowledged', branch: b2, outcome: { kind: 'committed' } },
        { type: 'acknowledged', branch: b1, outcome: { kind: 'committed' } },
        { type: 'acknowledged', branch: b1, outcome: { kind: 'committed' } },
      ],
      state,
    );
    expect(done.state).toMatchObject({ phase: 'ended', outcome: 'committed' });
    expect(done.forced).toEqual(['ended']);
  });

  it('never reports a branch that is not there as committed', () => {
    const evidence = { decision: 'commit', found: 'missing', explanation: 'gone' } as const;
    const { state, forced } = play(
      [
        { type: 'acknowledged', branch: b1, outcome: { kind: 'committed' } },
        { type: 'acknowledged', branch: b2, outcome: { kind: 'heuristic', evidence } },
      ],
      takeOver([branch(b1), branch(b2)]).state,
    );
    expect(forced).toEqual(['heuristic', 'ended']);
    expect(state).toMatchObject({ phase: 'ended', outcome: 'heuristic-mixed' });
  });

  it('takes "aborted" as the answer to a commit for what it is: heuristic', () => {
    const { state } = play(
      [{ type: 'acknowledged', branch: b1, outcome: { kind: 'aborted' } }],
      takeOver([branch(b1)]).state,
    );
    expect(state).toMatchObject({ outcome: 'heuristic-mixed' });
  });

  it('aborts open work that was begun, and nothing else, when the client rolls back', () => {
    const { said, state } = play([
      { type: 'enlisted', branch: branch(b1, 'open') },
      { type: 'enlisted', branch: branch(b2) },
      { type: 'rollback-requested', cause: { kind: 'rollback-requested', reason: 'changed' } },
    ]);
    expect(said).toEqual(['abort 1']);
    expect(state.phase).toBe('aborting');
  });

  it('ends a presumed abort when the time of its notifications is over, and names the branches that did not answer', () => {
    const { state } = play([
      ...begun,
      { type: 'deadline-passed' },
      { type: 'acknowledged', branch: b1, outcome: { kind: 'aborted' } },
      { type: 'notification-over' },
    ]);
    expect(state).toMatchObject({ phase: 'ended', outcome: 'aborted', silent: [b2] });
  });

  it('refuses a vote of a branch that never enlisted, or before it was asked', () => {
    const { state } = play(begun);
    const stranger: TransactionEvent = { type: 'voted', branch: b3, vote: prepared };
    expect(() => stepTransaction(state, stranger)).toThrow(PeerViolation);
    expect(() => stepTransaction(TRANSACTION_BEGUN, stranger)).toThrow(PeerViolation);
  });

  it('records a branch that answers after the end of its abort that it did the opposite', () => {
    const { state } = play([...begun, { type: 'deadline-passed' }, { type: 'notification-over' }]);
    expect(state).toMatchObject({ phase: 'ended', outcome: 'aborted', silent: [b1, b2] });
    const committed: TransactionEvent = {
      type: 'acknowledged',
      branch: b1,
      outcome: { kind: 'committed' },
    };
    const late = play([committed, committed], state);
    expect(late.forced).toEqual(['heuristic']);
    expect(late.said).toEqual([]);
    const plain: TransactionEvent = { ...committed, branch: b2, outcome: { kind: 'aborted' } };
    expect(play([plain], late.state).forced).toEqual([]);
  });

  it('crashes rather than change a decision', () => {
    const committing = takeOver([branch(b1)]).state;
    const abort: TransactionEvent = { type: 'decided', decision: 'abort' };
    expect(() => stepTransaction(committing, abort)).toThrow(InvariantViolation);
    const { state: aborting } = play([...begun, { type: 'deadline-passed' }]);
    const commit: TransactionEvent = { type: 'decided', decision: 'commit' };
    expect(() => stepTransaction(aborting, commit)).toThrow(InvariantViolation);
  });
});
