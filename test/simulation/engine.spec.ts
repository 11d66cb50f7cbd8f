/** Statements about the engine that need a register and a network, but no whole world. */
import {
  CoordinatorChannel,
  HistoryWriter,
  Liveness,
  MessageTooLarge,
  ParticipantChannel,
  Recoverer,
  TransactionHistory,
  TransactionManager,
  type Answer,
  type FinishAnswer,
  type FinishRequest,
  type PrepareAnswer,
  type PrepareRequest,
  type TransactionManagerOptions,
  type TransactionManagerPorts,
  type TransactionView,
  type WorkAnswer,
  type WorkRequest,
} from '@concordat/engine';
import {
  NoCode,
  makeBranchId,
  makeTransactionId,
  protocolNo,
  tokenFrom,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { Random } from './random.js';
import { RegisterStore, SimulatedRegister } from './simulated-register.js';
import { NodeClock, Timeline } from './timeline.js';

/** No process answers: what is sent is never answered. */
const silence = <T>(): Promise<Answer<T>> => new Promise(() => undefined);

class SilentParticipants extends ParticipantChannel {
  readonly sent: (WorkRequest | PrepareRequest | FinishRequest)[] = [];
  work = (request: WorkRequest): Promise<Answer<WorkAnswer>> => this.send(request);
  prepare = (request: PrepareRequest): Promise<Answer<PrepareAnswer>> => this.send(request);
  finish = (request: FinishRequest): Promise<Answer<FinishAnswer>> => this.send(request);
  /** A call with an input longer than this fits into no message. */
  assertFits({ operations = [], to }: PrepareRequest | WorkRequest): void {
    const bytes = JSON.stringify(operations).length;
    if (bytes > 1_000) throw new MessageTooLarge(bytes, 1_000, to.participant);
  }
  private send(request: WorkRequest | PrepareRequest | FinishRequest): Promise<Answer<never>> {
    this.sent.push(request);
    return silence();
  }
}

/** Every branch votes prepared, with this output, and does as asked. */
class Voters extends SilentParticipants {
  readonly finished: FinishRequest[] = [];
  constructor(private readonly output: unknown) {
    super();
  }
  override prepare = (_request?: PrepareRequest): Promise<Answer<PrepareAnswer>> =>
    Promise.resolve({
      kind: 'answered',
      answer: {
        kind: 'vote',
        vote: { kind: 'prepared' },
        outputs: [this.output],
        instance: 'inst0001' as InstanceId,
      },
    });
  override finish = (request: FinishRequest): Promise<Answer<FinishAnswer>> => {
    this.finished.push(request);
    const { decision } = request;
    const kind = decision === 'commit' ? 'committed' : 'aborted';
    return Promise.resolve({
      kind: 'answered',
      answer: { kind: 'acknowledged', outcome: { kind } },
    });
  };
}

class AbsentCoordinators extends CoordinatorChannel {
  inquire = () => silence<never>();
  enlist = () => silence<never>();
  ping = (): Promise<Answer<never>> => Promise.resolve({ kind: 'no-responders' });
  reportHeuristic = () => silence<never>();
  lowWaterMark = () => silence<never>();
  reportWaits = () => silence<never>();
  isLive = (): Promise<Answer<{ live: boolean }>> => Promise.resolve({ kind: 'no-responders' });
}

/** Owners that receive every question and answer none in time. */
class SlowCoordinators extends AbsentCoordinators {
  constructor(private readonly timeline: Timeline) {
    super();
  }
  override ping = () => silence<never>();
  override isLive = (): Promise<Answer<{ live: boolean }>> =>
    new Promise((resolve) => {
      this.timeline.at(1_000, () => resolve({ kind: 'no-answer', why: 'time-out' }));
    });
}

class NoHistory extends HistoryWriter {
  note(): void {}
}

/** Both ends of the history in one, whose database loses what the test makes it lose. */
class LossyHistory extends TransactionHistory {
  readonly noted = new Map<TransactionId, TransactionView>();
  readonly note = (view: TransactionView): void => void this.noted.set(view.transaction, view);
  override storyOf = () => Promise.resolve(undefined);
  override withoutEnd = (asked: readonly TransactionId[]) =>
    Promise.resolve(asked.filter((one) => this.noted.get(one)?.endedAtMs === undefined));
}

function engine(
  liveMax = 100,
  channel = new SilentParticipants(),
  others: (timeline: Timeline) => CoordinatorChannel = () => new AbsentCoordinators(),
  more: Partial<TransactionManagerPorts> = {},
  limits: Partial<TransactionManagerOptions> = {},
) {
  const timeline = new Timeline();
  const random = new Random(1);
  const alive = () => true;
  const faults = () => ({ unknown: 0, delayMsMax: 2 });
  const store = new RegisterStore();
  const register = new SimulatedRegister(store, timeline, random, faults, alive);
  const incarnation = tokenFrom(random.bytes(8));
  const liveness = new Liveness(others(timeline), incarnation);
  const clock = new NodeClock(timeline, alive);
  const manager = new TransactionManager(
    {
      register,
      channel,
      liveness,
      historyWriter: new NoHistory(),
      clock,
      entropy: random,
      ...more,
    },
    { incarnation, cluster: tokenFrom(random.bytes(8)), liveMax, ...limits },
  );
  const recoverer = new Recoverer({ register, liveness, clock }, manager, {
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
const west = 'ledger-west' as ParticipantName;
const atOnce = { until: 'decided', waitMs: 0 } as const;

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

  it('sends the commit at once to the instance that asks about it, and once: the next is for any', async () => {
    const channel = new SilentParticipants();
    channel.finish = async (request) => (channel.sent.push(request), { kind: 'no-responders' });
    const { manager, timeline, random, incarnation: owner } = engine(100, channel);
    const [transaction, branch] = [makeTransactionId(1, random.bytes(10), owner), makeBranchId(1)];
    const branches = [{ branch, participant: east, work: 'bundled' }] as const;
    const commit = { transaction, decision: 'commit', finisher: owner, decidedAtMs: 1 } as const;
    manager.adopt({ ...commit, branches, heuristics: [] });
    await timeline.play(timeline.now + 1);
    const asker = { participant: east, instance: 'inst0001' as InstanceId };
    await manager.inquire({ transaction, branch, participant: east, asker });
    expect(channel.sent[1]).toMatchObject({ to: { transaction, instance: 'inst0001' } });
    await timeline.play(timeline.now + 5_000); // It may be gone by then.
    const later = channel.sent.slice(2).map(({ to }) => to.instance);
    expect(new Set(later)).toEqual(new Set([undefined]));
  });

  it('takes one time-out of an owner for one, though five branches ask at once', async () => {
    const slow = (timeline: Timeline) => new SlowCoordinators(timeline);
    const { store, manager, random, played } = engine(100, undefined, slow);
    const transaction = makeTransactionId(1, random.bytes(10), tokenFrom(random.bytes(8)));
    const ask = (ordinal: number) =>
      manager.inquire({ transaction, branch: makeBranchId(ordinal) });
    const together = () => played(Promise.all([1, 2, 3, 4, 5].map(ask)));
    for (let round = 1; round <= 2; round++) {
      expect(new Set((await together()).map((one) => one.kind))).toEqual(new Set(['undecided']));
    }
    expect(store.rows.size).toBe(0);
    expect(await together()).toContainEqual({ kind: 'decided', decision: 'abort' });
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

  it('begins nothing that does not fit into memory beside what is live, until that has ended', async () => {
    const channel = new SilentParticipants();
    const { manager, timeline } = engine(100, channel, undefined, {}, { liveBytesMax: 3_000 });
    const input = 'x'.repeat(900);
    const branches = [{ participant: east, operations: [{ name: 'debit', input }] }];
    const submit = () => manager.submit({ principal: 'client', timeoutMs: 50, branches }, atOnce);
    await submit();
    await expect(submit()).rejects.toMatchObject({ code: 'too-many-bytes', retryAfterMs: 1_000 });
    expect(channel.sent).toHaveLength(1);
    // Aborted at its deadline: its inputs are not sent any more, and are not kept.
    await timeline.play(timeline.now + 100);
    expect(manager.limitStatistics().bytes).toBe(0);
    expect((await submit()).status).toBe('preparing');
  });

  it('gives up a transaction whose outputs do not fit into memory: reported as unknown, and sent to the branch as abort', async () => {
    const channel = new Voters('x'.repeat(5_000));
    const { manager, timeline } = engine(100, channel, undefined, {}, { liveBytesMax: 6_000 });
    const branches = [east, west].map((participant) => ({
      participant,
      operations: [{ name: 'read', input: {} }],
    }));
    const wait = { until: 'completed', waitMs: 5_000 } as const;
    const ended = manager.submit({ principal: 'client', branches }, wait);
    await timeline.play(timeline.now + 1_000);
    const view = await ended;
    expect(view).toMatchObject({ decision: 'abort', cause: { kind: 'given-up' } });
    expect(view.branches[0]?.vote).toBeUndefined();
    expect(channel.finished.map(({ to, decision }) => [to.participant, decision])).toEqual([
      [east, 'abort'],
      [west, 'abort'],
    ]);
    await timeline.play(timeline.now + 10_000);
    expect(manager.limitStatistics().bytes).toBe(0);
  });

  it('tells with each attempt how old the request is, not how old the attempt', async () => {
    const channel = new Voters('done');
    const ages: (number | undefined)[] = [];
    const vote = protocolNo(NoCode.deadlock, 'it lost');
    channel.prepare = (request?: PrepareRequest) => {
      ages.push(request?.ageMs);
      const instance = 'inst0001' as InstanceId;
      const answer = { kind: 'vote', vote, outputs: [], instance } as const;
      return new Promise((resolve) => {
        timeline.at(100, () => resolve({ kind: 'answered', answer }));
      });
    };
    const { manager, timeline } = engine(100, channel);
    const branches = [{ participant: east, operations: [{ name: 'debit', input: {} }] }];
    const wait = { until: 'decided', waitMs: 1_500 } as const;
    void manager.submit({ principal: 'client', branches, timeoutMs: 1_500 }, wait);
    await timeline.play(timeline.now + 2_000);
    expect(ages.length).toBeGreaterThan(2);
    ages.forEach((age, before) => expect(age).toBeGreaterThanOrEqual(100 * before));
    expect(ages[0]).toBe(0);
  });

  describe('whose prepare is not answered', () => {
    const branches = [east, west].map((participant) => ({
      participant,
      operations: [{ name: 'debit', input: {} }],
    }));

    function ofWest(silenceOfWest: Answer<never>) {
      const channel = new Voters('done');
      const usual = channel.prepare;
      channel.prepare = (request?: PrepareRequest) =>
        request?.to.participant === west ? Promise.resolve(silenceOfWest) : usual();
      const { manager, timeline } = engine(100, channel);
      const wait = { until: 'completed', waitMs: 20_000 } as const;
      const ended = manager.submit({ principal: 'client', branches, timeoutMs: 10_000 }, wait);
      return { channel, manager, timeline, ended };
    }

    it('and whose answer can no longer arrive gives up at once, takes it for no vote, and sends every branch an abort', async () => {
      const lost = { kind: 'no-answer', why: 'the broker is away', isLost: true } as const;
      const { channel, manager, timeline } = ofWest(lost);
      await timeline.play(timeline.now + 100);
      const [view] = [...manager.live()];
      expect(view).toMatchObject({
        decision: 'abort',
        cause: { kind: 'given-up', participant: west, reason: 'the broker is away' },
      });
      expect(view?.branches.map((one) => one.vote?.kind)).toEqual(['prepared', undefined]);
      expect(channel.finished.map(({ to, decision }) => [to.participant, decision])).toEqual([
        [east, 'abort'],
        [west, 'abort'],
      ]);
    });

    it('and whose answer may still arrive waits for the deadline', async () => {
      const { manager, timeline, ended } = ofWest({ kind: 'no-answer', why: 'time-out' });
      await timeline.play(timeline.now + 9_000);
      expect([...manager.live()].map((one) => one.status)).toEqual(['preparing']);
      await timeline.play(timeline.now + 2_000);
      expect(await ended).toMatchObject({ decision: 'abort', cause: { kind: 'deadline' } });
    });
  });

  it('begins nothing when one message of a whole transaction does not fit', async () => {
    const channel = new SilentParticipants();
    const { manager } = engine(100, channel);
    const branches = [
      { participant: east, operations: [{ name: 'debit', input: {} }] },
      { participant: west, operations: [{ name: 'credit', input: 'x'.repeat(2_000) }] },
    ];
    await expect(manager.submit({ principal: 'client', branches }, atOnce)).rejects.toMatchObject({
      code: 'message-too-large',
    });
    expect(channel.sent).toEqual([]);
    expect(manager.liveCount()).toBe(0);
  });

  it('sends participants the other participants, the asker, the time left and the trace', async () => {
    const channel = new SilentParticipants();
    const { manager, timeline, incarnation } = engine(100, channel);
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    const { transaction } = manager.begin({ principal: 'client', timeoutMs: 5_000, trace });
    manager.enlist({ transaction, participant: west, instance: tokenFrom(new Uint8Array(8)) });
    await timeline.play(timeline.now + 700);
    void manager.work(transaction, east, [{ name: 'debit', input: {} }]).catch(() => undefined);
    await timeline.play(timeline.now);
    const all = { epoch: incarnation, trace };
    expect(channel.sent).toMatchObject([{ ...all, call: 1, timeLeftMs: 4_300 }]);
    await timeline.play(timeline.now + 300);
    await manager.rollback(transaction, 'enough', atOnce);
    expect(channel.sent.slice(1)).toMatchObject([
      { ...all, decision: 'abort', to: { participant: west } },
      { ...all, decision: 'abort', to: { participant: east } },
    ]);
    const branches = [east, west].map((participant) => ({
      ...{ participant, operations: [{ name: 'debit', input: {} }] },
    }));
    channel.sent.length = 0;
    await manager.submit({ principal: 'client', timeoutMs: 5_000, trace, branches }, atOnce);
    expect(channel.sent).toMatchObject(
      [east, west].map((participant) => ({
        ...all,
        ...{ to: { participant }, participants: [east, west], timeLeftMs: 5_000 },
      })),
    );
  });

  it('asks open work to prepare within the time that is left of the whole', async () => {
    const channel = new SilentParticipants();
    const { manager, timeline } = engine(100, channel);
    const { transaction } = manager.begin({ principal: 'client', timeoutMs: 5_000 });
    manager.enlist({ transaction, participant: east, instance: tokenFrom(new Uint8Array(8)) });
    manager.enlist({ transaction, participant: west, instance: tokenFrom(new Uint8Array(8)) });
    await timeline.play(timeline.now + 1_200);
    await manager.commit(transaction, atOnce);
    expect(channel.sent).toMatchObject(
      [east, west].map((participant) => ({
        ...{ to: { participant }, participants: [east, west], timeLeftMs: 3_800, calls: 1 },
      })),
    );
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

  it('keeps the evidence of a branch that answers after its abort is no longer sent', async () => {
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
    register.noteEnded(transaction, 'committed', 1);
    await timeline.play(timeline.now + 100);
    expect(await played(recoverer.pass())).toEqual({ claimed: 0 });
    expect(store.failOver(timeline.now, () => true)).toBe(1);
    store.comeBack();
    expect(await played(recoverer.pass())).toEqual({ claimed: 1 });
    expect(manager.view(transaction)).toMatchObject({ status: 'committing', takenOver: true });
  });

  describe('whose end is in the history only', () => {
    const history = () => new LossyHistory();
    const readOnly = (channel: SilentParticipants): SilentParticipants => {
      const answer = { kind: 'vote', vote: { kind: 'read-only' }, outputs: [] } as never;
      channel.prepare = () => Promise.resolve({ kind: 'answered', answer });
      return channel;
    };
    const branches = [{ participant: east, operations: [{ name: 'look', input: {} }] }];

    it('notes the end of an abort again when the database has lost it', async () => {
      const told = history();
      const { manager, recoverer, timeline, played } = engine(100, undefined, undefined, {
        history: told,
        historyWriter: told,
      });
      const { transaction } = manager.begin({ principal: 'client' });
      await manager.rollback(transaction, 'enough', atOnce);
      expect(told.noted.get(transaction)).toMatchObject({ status: 'aborted' });
      told.noted.clear();
      await timeline.play(timeline.now + 10_000);
      await played(recoverer.pass());
      expect(told.noted.get(transaction)).toMatchObject({ status: 'aborted' });
      await timeline.play(timeline.now + 2_000);
      await played(recoverer.pass());
      await timeline.play(timeline.now + 1_000);
      expect(manager.view(transaction)).toBeUndefined();
    });

    it('leaves a commit that wrote nothing to no other before its end is on record', async () => {
      const told = history();
      const channel = readOnly(new SilentParticipants());
      const { manager, recoverer, timeline, played, store } = engine(100, channel, undefined, {
        history: told,
        historyWriter: told,
      });
      const view = await played(
        manager.submit({ principal: 'client', branches }, { ...atOnce, waitMs: 100 }),
      );
      expect(view).toMatchObject({ status: 'committed' });
      const { transaction } = view;
      const branch = makeBranchId(1);
      // Its branch gets the answer for a duplicate of it; the answer about the transaction stays the same.
      expect(await played(manager.inquire({ transaction, branch }))).toMatchObject({
        decision: 'abort',
      });
      expect(await played(manager.inquire({ transaction }))).toMatchObject({ decision: 'commit' });
      expect(store.rows.size).toBe(0);
      told.noted.clear();
      await timeline.play(timeline.now + 10_000);
      expect(manager.isLive(transaction)).toBe(true);
      await played(recoverer.pass());
      await timeline.play(timeline.now + 2_000);
      await played(recoverer.pass());
      expect(told.noted.get(transaction)).toMatchObject({ status: 'committed' });
      expect(manager.isLive(transaction)).toBe(false);
    });
  });
});
