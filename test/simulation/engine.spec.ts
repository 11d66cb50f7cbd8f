/** Statements about the engine that need a register and a network, but no whole world. */
import {
  CoordinatorChannel,
  Journal,
  MessageTooLarge,
  ParticipantChannel,
  Recoverer,
  TransactionManager,
  type Answer,
  type PrepareRequest,
  type WorkRequest,
} from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type ParticipantName,
} from '@concordat/protocol';
import { Random } from './random.js';
import { RegisterStore, SimulatedRegister } from './simulated-register.js';
import { NodeClock, Timeline } from './timeline.js';

/** Everybody is silent: what is sent is never answered. */
const silence = <T>(): Promise<Answer<T>> => new Promise(() => undefined);

class SilentParticipants extends ParticipantChannel {
  work = () => silence<never>();
  prepare = () => silence<never>();
  finish = () => silence<never>();
  /** A call with an input longer than this fits into no message. */
  assertFits({ operations = [], to }: PrepareRequest | WorkRequest): void {
    const bytes = JSON.stringify(operations).length;
    if (bytes > 1_000) throw new MessageTooLarge(bytes, 1_000, to.participant);
  }
}

class AbsentCoordinators extends CoordinatorChannel {
  inquire = () => silence<never>();
  enlist = () => silence<never>();
  ping = () => silence<never>();
  reportHeuristic = () => silence<never>();
  lowWaterMark = () => silence<never>();
  isLive = () => Promise.resolve({ kind: 'no-responders' } as const);
}

class NoJournal extends Journal {
  note(): void {}
}

function engine(liveMax = 100, channel = new SilentParticipants()) {
  const timeline = new Timeline();
  const random = new Random(1);
  const alive = () => true;
  const faults = () => ({ unknown: 0, delayMsMax: 2 });
  const store = new RegisterStore();
  const register = new SimulatedRegister(store, timeline, random, faults, alive);
  const incarnation = tokenFrom(random.bytes(8));
  const coordinators = new AbsentCoordinators();
  const clock = new NodeClock(timeline, alive);
  const manager = new TransactionManager(
    {
      register,
      channel,
      coordinators,
      journal: new NoJournal(),
      clock,
      entropy: random,
    },
    { incarnation, cluster: tokenFrom(random.bytes(8)), liveMax },
  );
  const recoverer = new Recoverer({ register, coordinators, clock }, manager, {
    incarnation,
    periodMs: 2_000,
    batch: 10,
  });
  /** Plays the timeline until the promise has settled. */
  const played = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false;
    void promise.finally(() => (settled = true));
    await timeline.play(timeline.now + 60_000, () => settled);
    return promise;
  };
  return { timeline, store, register, incarnation, manager, recoverer, random, played };
}

const east = 'ledger-east' as ParticipantName;

describe('The engine', () => {
  it('answers an inquiry for its branch: what was not part of the decision is aborted', async () => {
    const { register, manager, random, incarnation, played } = engine();
    const owner = tokenFrom(random.bytes(8));
    const transaction = makeTransactionId(1, random.bytes(10), owner);
    const [decided, duplicate] = [makeBranchId(1), makeBranchId(2)];
    await played(
      register.decide({
        transaction,
        proposed: 'commit',
        finisher: incarnation,
        branches: [{ branch: decided, participant: east, work: 'bundled' }],
      }),
    );
    const ask = (branch: typeof decided) => played(manager.inquire({ transaction, branch }));
    expect(await ask(decided)).toEqual({ kind: 'decided', decision: 'commit' });
    expect(await ask(duplicate)).toEqual({ kind: 'decided', decision: 'abort' });
  });

  it('admits others while a hung participant keeps aborted transactions waiting', async () => {
    const { manager, timeline } = engine(2);
    const branches = [{ participant: east, operations: [{ name: 'debit', input: {} }] }];
    const wait = { until: 'decided', waitMs: 0 } as const;
    const submit = () => manager.submit({ principal: 'client', timeoutMs: 50, branches }, wait);
    await Promise.all([submit(), submit()]);
    await expect(submit()).rejects.toMatchObject({ code: 'too-many-transactions' });
    await timeline.play(timeline.now + 100);
    expect([...manager.live()].map((one) => one.status)).toEqual(['aborting', 'aborting']);
    expect((await submit()).status).toBe('preparing');
  });

  it('forgets no branch that joined by a direct call when a later call is too large', async () => {
    const { manager } = engine();
    const { transaction } = manager.begin({ principal: 'client' });
    const instance = tokenFrom(new Uint8Array(8));
    const first = manager.enlist({ transaction, participant: east, instance });
    expect(first).toMatchObject({ kind: 'enlisted', rejoined: false });
    const large = [{ name: 'credit', input: 'x'.repeat(2_000) }];
    await expect(manager.work(transaction, east, large)).rejects.toMatchObject({
      code: 'message-too-large',
    });
    const again = manager.enlist({ transaction, participant: east, instance });
    expect(again).toMatchObject({ kind: 'enlisted', rejoined: true });
    const wait = { until: 'decided', waitMs: 0 } as const;
    expect(await manager.rollback(transaction, 'enough', wait)).toMatchObject({
      decision: 'abort',
    });
  });

  it('keeps the evidence of a branch that answers after its abort is told no longer', async () => {
    const channel = new SilentParticipants();
    let answer: (answer: Answer<never>) => void = () => undefined;
    channel.finish = () => new Promise<Answer<never>>((resolve) => (answer = resolve));
    const { manager, timeline, register } = engine(100, channel);
    const { transaction } = manager.begin({ principal: 'client' });
    manager.enlist({ transaction, participant: east, instance: tokenFrom(new Uint8Array(8)) });
    await manager.rollback(transaction, 'enough', { until: 'decided', waitMs: 0 });
    const late = answer;
    await timeline.play(timeline.now + 300_001, () => !manager.isLive(transaction));
    expect(manager.view(transaction)).toMatchObject({ status: 'aborted' });
    const explanation = 'its own outcome row is committed';
    const evidence = { decision: 'abort', found: 'committed', explanation } as const;
    const outcome = { kind: 'heuristic', evidence } as const;
    late({ kind: 'answered', answer: { kind: 'acknowledged', outcome } as never });
    await timeline.play(timeline.now + 1_000);
    const standing = register.standing(transaction);
    await timeline.play(timeline.now + 1_000);
    expect(await standing).toMatchObject({
      decision: 'abort',
      heuristics: [{ participant: east, evidence }],
    });
  });

  it('ends again a commit of its own whose noted end a failover of the register has lost', async () => {
    const { store, register, manager, recoverer, random, incarnation, timeline, played } = engine();
    const transaction = makeTransactionId(1, random.bytes(10), incarnation);
    const branches = [{ branch: makeBranchId(1), participant: east, work: 'bundled' }] as const;
    await played(
      register.decide({ transaction, proposed: 'commit', finisher: incarnation, branches }),
    );
    register.noteEnded(transaction, 'committed');
    await timeline.play(timeline.now + 100);
    expect(await played(recoverer.pass())).toEqual({ claimed: 0 });
    expect(store.failOver(timeline.now, () => true)).toBe(1);
    store.comeBack();
    expect(await played(recoverer.pass())).toEqual({ claimed: 1 });
    expect(manager.view(transaction)).toMatchObject({ status: 'committing', takenOver: true });
  });
});
