/**
 * What participants ask and report, held against what is known: the shipped engine on a simulated
 * register, with an owner and a history that say what the test wants.
 */
import {
  CoordinatorChannel,
  HistoryWriter,
  Liveness,
  NotBelieved,
  ParticipantChannel,
  Refusal,
  RegisterUnknown,
  TransactionHistory,
  TransactionManager,
  type Answer,
  type HeuristicReport,
  type Question,
  type TransactionManagerOptions,
  type TransactionStory,
} from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type Decision,
  type HeuristicEvidence,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { Random } from './random.js';
import { RegisterStore, SimulatedRegister } from './simulated-register.js';
import { NodeClock, Timeline } from './timeline.js';

const silence = <T>(): Promise<Answer<T>> => new Promise(() => undefined);
const EAST = 'ledger-east' as ParticipantName;
const WEST = 'ledger-west' as ParticipantName;
const [ONE, TWO, SEVEN] = [makeBranchId(1), makeBranchId(2), makeBranchId(7)] as const;
const LOST = { decision: 'commit', found: 'missing', explanation: 'it is gone' } as const;
const COMMITTED = { decision: 'abort', found: 'committed', explanation: 'it is there' } as const;
const DAY = 24 * 60 * 60_000;

class Silent extends ParticipantChannel {
  work = () => silence<never>();
  prepare = () => silence<never>();
  finish = () => silence<never>();
  assertFits(): void {}
}

class NoHistory extends HistoryWriter {
  note(): void {}
}

/** The owner of every transaction that is not of the engine under test. */
class Owner extends CoordinatorChannel {
  says: Answer<{ live: boolean }> = { kind: 'no-responders' };
  inquire = () => silence<never>();
  enlist = () => silence<never>();
  ping = (): Promise<Answer<never>> => Promise.resolve({ kind: 'no-responders' });
  reportHeuristic = () => silence<never>();
  lowWaterMark = () => silence<never>();
  reportWaits = () => silence<never>();
  isLive = () => Promise.resolve(this.says);
}

class Told extends TransactionHistory {
  readonly stories = new Map<TransactionId, TransactionStory>();
  isAway = false;
  override storyOf(transaction: TransactionId): Promise<TransactionStory | undefined> {
    if (this.isAway) return Promise.reject(new RegisterUnknown('the history is away'));
    return Promise.resolve(this.stories.get(transaction));
  }
  override withoutEnd = () => Promise.resolve([]);
}

function engine(options: Partial<TransactionManagerOptions> = {}) {
  const timeline = new Timeline();
  const random = new Random(1);
  const alive = () => true;
  const store = new RegisterStore();
  const faults = { unknown: 0, delayMsMax: 2 };
  const register = new SimulatedRegister(store, timeline, random, () => faults, alive);
  const incarnation = tokenFrom(random.bytes(8));
  const [coordinators, history] = [new Owner(), new Told()];
  const clock = new NodeClock(timeline, alive);
  const manager = new TransactionManager(
    {
      ...{ register, history, clock, entropy: random },
      liveness: new Liveness(coordinators, incarnation),
      channel: new Silent(),
      historyWriter: new NoHistory(),
    },
    { incarnation, cluster: tokenFrom(random.bytes(8)), ...options },
  );
  const played = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false;
    promise.finally(() => (settled = true)).catch(() => undefined);
    await timeline.play(timeline.now + 60_000, () => settled);
    return promise;
  };
  const id = (madeAtMs = clock.wallNow(), owner = tokenFrom(random.bytes(8))) =>
    makeTransactionId(madeAtMs, random.bytes(10), owner);
  const decide = (transaction: TransactionId, proposed: Decision) =>
    played(
      register.decide({
        ...{ transaction, proposed, finisher: incarnation },
        branches:
          proposed === 'abort'
            ? []
            : [
                { branch: ONE, participant: EAST, work: 'bundled' },
                { branch: TWO, participant: WEST, work: 'bundled' },
              ],
      }),
    );
  /** What becomes of a report: `recorded`, or what is said against it. */
  const report = async (
    transaction: TransactionId,
    participant: ParticipantName,
    branch = ONE,
    evidence: HeuristicEvidence = LOST,
  ): Promise<string> => {
    const said: HeuristicReport = { transaction, branch, participant, evidence };
    try {
      await played(manager.recordReported(said));
      return 'recorded';
    } catch (error) {
      if (error instanceof NotBelieved || error instanceof Refusal) return error.code;
      throw error;
    }
  };
  const ask = (question: Question) => played(manager.inquire(question));
  const heuristics = () => [...store.rows.values()].flatMap((row) => row.heuristics);
  return {
    ...{ store, faults, manager, timeline, clock, coordinators, history, incarnation },
    ...{ id, decide, report, ask, heuristics },
  };
}

type Engine = ReturnType<typeof engine>;
let at: Engine;
beforeEach(() => {
  at = engine();
});

describe('A heuristic outcome that a participant reports', () => {
  it('is recorded for its own branch of a commit, once', async () => {
    const transaction = at.id();
    await at.decide(transaction, 'commit');
    expect(await at.report(transaction, EAST)).toBe('recorded');
    expect(await at.report(transaction, EAST)).toBe('recorded');
    expect(at.heuristics()).toEqual([{ branch: ONE, participant: EAST, evidence: LOST }]);
  });

  it('is not believed of a transaction of which nothing is known, and nothing is written for it', async () => {
    const transaction = at.id();
    expect(await at.report(transaction, EAST, ONE, COMMITTED)).toBe('unknown-transaction');
    const own = at.id(undefined, at.incarnation);
    expect(await at.report(own, EAST, ONE, COMMITTED)).toBe('unknown-transaction');
    expect(await at.report(own, EAST, ONE, LOST)).toBe('no-contradiction');
    expect(at.store.rows.size).toBe(0);
  });

  it.each([
    ['another participant’s branch', EAST, TWO, LOST, 'wrong-participant'],
    ['a branch that the commit did not name', EAST, SEVEN, COMMITTED, 'unknown-branch'],
    ['a decision that was another', EAST, ONE, COMMITTED, 'no-contradiction'],
    [
      'what agrees with the decision',
      EAST,
      ONE,
      { ...LOST, found: 'committed' },
      'no-contradiction',
    ],
  ] as const)('is not believed of %s', async (_what, participant, branch, evidence, code) => {
    const transaction = at.id();
    await at.decide(transaction, 'commit');
    at.history.stories.set(transaction, {
      branches: [
        { branch: ONE, participant: EAST },
        { branch: TWO, participant: WEST },
      ],
      isComplete: true,
    });
    expect(await at.report(transaction, participant, branch, evidence)).toBe(code);
    expect(at.heuristics()).toEqual([]);
  });

  it('is believed of a branch that only the history names, as that of a read-only vote', async () => {
    const transaction = at.id();
    await at.decide(transaction, 'commit');
    const reported = () => at.report(transaction, EAST, SEVEN, COMMITTED);
    // A history that may lack branches refuses no report, and neither does one that cannot be read.
    expect(await reported()).toBe('cannot-tell-now');
    at.history.stories.set(transaction, { branches: [], isComplete: false });
    expect(await reported()).toBe('cannot-tell-now');
    at.history.isAway = true;
    await expect(reported()).rejects.toThrow(RegisterUnknown);
    at.history.isAway = false;
    expect(at.heuristics()).toEqual([]);
    const branches = [{ branch: SEVEN, participant: EAST }];
    at.history.stories.set(transaction, { branches, isComplete: true });
    expect(await reported()).toBe('recorded');
  });

  it('is neither believed nor refused while the register is away', async () => {
    const transaction = at.id();
    await at.decide(transaction, 'commit');
    at.faults.unknown = 1;
    await expect(at.report(transaction, EAST, TWO)).rejects.toThrow(RegisterUnknown);
    at.faults.unknown = 0;
    expect(await at.report(transaction, EAST, TWO)).toBe('wrong-participant');
  });

  it('waits while its owner lives or is silent, and is believed by the story it left behind', async () => {
    const transaction = at.id();
    const branches = [{ branch: ONE, participant: EAST }];
    at.history.stories.set(transaction, { branches, isComplete: false });
    const reported = () => at.report(transaction, EAST, ONE, COMMITTED);
    at.coordinators.says = { kind: 'answered', answer: { live: true } };
    expect(await reported()).toBe('cannot-tell-now');
    at.coordinators.says = { kind: 'no-answer', why: 'time-out' };
    for (let n = 0; n < 5; n++) expect(await reported()).toBe('cannot-tell-now');
    expect(at.store.rows.size).toBe(0);
    at.coordinators.says = { kind: 'no-responders' };
    expect(await at.report(transaction, WEST, ONE, COMMITTED)).toBe('wrong-participant');
    expect(await at.report(transaction, EAST, ONE, LOST)).toBe('no-contradiction');
    expect(at.store.rows.size).toBe(0);
    expect(await reported()).toBe('recorded');
    expect(at.store.rows.get(transaction)).toMatchObject({ decision: 'abort' });
  });

  it('counts at its owner against what the owner has decided, and for the branches it has', async () => {
    const { manager } = at;
    const { transaction } = manager.begin({ principal: 'client' });
    const instance = tokenFrom(new Uint8Array(8));
    manager.enlist({ transaction, participant: EAST, instance });
    const reported = (participant = EAST, branch = ONE) =>
      at.report(transaction, participant, branch, COMMITTED);
    expect(await reported()).toBe('no-contradiction');
    await manager.rollback(transaction, 'enough', { until: 'decided', waitMs: 0 });
    expect(await reported(WEST)).toBe('wrong-participant');
    expect(await reported(WEST, TWO)).toBe('unknown-branch');
    expect(at.store.rows.size).toBe(0);
    expect(await reported()).toBe('recorded');
  });

  it('of an abort whose owner left no history is believed, since no other record can contradict it', async () => {
    const transaction = at.id();
    const asker = { participant: EAST };
    await at.ask({ transaction, branch: ONE, participant: EAST, asker });
    expect(await at.report(transaction, EAST, ONE, COMMITTED)).toBe('recorded');
    expect(await at.report(transaction, WEST, TWO, COMMITTED)).toBe('recorded');
    expect(await at.report(transaction, EAST, TWO, COMMITTED)).toBe('wrong-participant');
  });

  it('of an abort is compared with the history of its owner, whichever process asked first', async () => {
    const transaction = at.id();
    const branches = [{ branch: ONE, participant: EAST }];
    at.history.stories.set(transaction, { branches, isComplete: true });
    const asker = { participant: WEST };
    await at.ask({ transaction, branch: ONE, participant: WEST, asker });
    expect(await at.report(transaction, WEST, ONE, COMMITTED)).toBe('wrong-participant');
    expect(await at.report(transaction, WEST, TWO, COMMITTED)).toBe('unknown-branch');
    expect(await at.report(transaction, EAST, ONE, COMMITTED)).toBe('recorded');
    // The first process that asks in another's place, or reports, keeps no other from its answer.
    const own = { participant: EAST };
    const inquiry = { transaction, branch: ONE, participant: EAST, asker: own };
    expect(await at.ask(inquiry)).toEqual({ kind: 'decided', decision: 'abort' });
  });

  it('waits its turn when its participant reports many, and loses nothing by that', async () => {
    at = engine({ reportsPerParticipant: { burst: 2, perSecond: 1 } });
    const ids = [at.id(), at.id(), at.id()] as const;
    for (const transaction of ids) await at.decide(transaction, 'commit');
    expect(await at.report(ids[0], EAST)).toBe('recorded');
    expect(await at.report(ids[1], EAST)).toBe('recorded');
    expect(await at.report(ids[2], EAST)).toBe('over-quota');
    expect(await at.report(ids[2], WEST, TWO)).toBe('recorded');
    await at.timeline.play(at.timeline.now + 1_000);
    expect(await at.report(ids[2], EAST)).toBe('recorded');
  });
});

describe('An inquiry from outside', () => {
  const asked = (transaction: TransactionId, participant = EAST, branch = ONE): Question => ({
    ...{ transaction, branch, participant },
    asker: { participant },
  });

  it('about another participant’s branch gets no answer', async () => {
    const [standing, live] = [at.id(), at.manager.begin({ principal: 'client' }).transaction];
    await at.decide(standing, 'commit');
    const instance = tokenFrom(new Uint8Array(8));
    at.manager.enlist({ transaction: live, participant: EAST, instance });
    for (const transaction of [standing, live]) {
      await expect(at.ask(asked(transaction, WEST))).rejects.toMatchObject({
        code: 'wrong-participant',
      });
    }
    expect(await at.ask(asked(standing))).toEqual({ kind: 'decided', decision: 'commit' });
    expect(await at.ask(asked(live))).toEqual({ kind: 'undecided' });
  });

  it('writes no row for an id of the far future, which nothing could ever prune', async () => {
    const far = at.id(at.clock.wallNow() + DAY + 60_000);
    await expect(at.ask(asked(far))).rejects.toMatchObject({ code: 'made-in-the-future' });
    expect(at.store.rows.size).toBe(0);
    const near = at.id(at.clock.wallNow() + DAY - 60_000);
    expect(await at.ask(asked(near))).toMatchObject({ decision: 'abort' });
    // What is on record for such an id is the answer all the same.
    await at.decide(far, 'commit');
    expect(await at.ask(asked(far))).toMatchObject({ decision: 'commit' });
  });

  it('over the quota of unknown transactions gets "later", never a decision or "undecided"', async () => {
    at = engine({ abortsPerParticipant: { burst: 3, perSecond: 1 } });
    for (let n = 0; n < 3; n++) await at.ask(asked(at.id()));
    const rows = at.store.rows.size;
    const refused = at.ask(asked(at.id()));
    await expect(refused).rejects.toMatchObject({ code: 'over-quota' });
    await expect(refused).rejects.toMatchObject({ retryAfterMs: expect.any(Number) as number });
    expect(at.store.rows.size).toBe(rows);
    // Others have quotas of their own, what is on record costs nothing, and a second later it goes on.
    expect(await at.ask(asked(at.id(), WEST))).toMatchObject({ decision: 'abort' });
    const standing = at.id();
    await at.decide(standing, 'commit');
    expect(await at.ask(asked(standing))).toMatchObject({ decision: 'commit' });
    await at.timeline.play(at.timeline.now + 1_000);
    expect(await at.ask(asked(at.id()))).toMatchObject({ decision: 'abort' });
  });

  it('costs its asker nothing where no row is written', async () => {
    at = engine({ abortsPerParticipant: { burst: 1, perSecond: 0.001 } });
    at.faults.unknown = 1;
    for (let n = 0; n < 5; n++) {
      expect(await at.ask(asked(at.id()))).toEqual({ kind: 'undecided' });
    }
    at.faults.unknown = 0;
    at.store.forget(at.clock.wallNow());
    expect(await at.ask(asked(at.id(at.clock.wallNow() - DAY)))).toEqual({ kind: 'forgotten' });
    expect(await at.ask(asked(at.id()))).toMatchObject({ decision: 'abort' });
  });
});
