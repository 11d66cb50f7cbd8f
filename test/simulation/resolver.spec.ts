/** Statements about the resolver while somebody else finishes what it has on its list. */
import {
  BranchManager,
  CoordinatorChannel,
  Resolver,
  type Answer,
  type Inquiry,
  type InquiryAnswer,
} from '@concordat/engine';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { Random } from './random.js';
import { DatabaseStore } from './database-store.js';
import { SimulatedResource, type SimulatedSession } from './simulated-resource.js';
import { NodeClock, Timeline } from './timeline.js';

const silence = <T>(): Promise<Answer<T>> => new Promise(() => undefined);

/** Coordinators that know of nothing decided; the test acts between a question and its answer. */
class Coordinators extends CoordinatorChannel {
  readonly asked: TransactionId[] = [];
  between: () => Promise<unknown> = () => Promise.resolve();
  answer: InquiryAnswer = { kind: 'undecided' };
  inquire = async ({ transaction }: Inquiry): Promise<Answer<InquiryAnswer>> => {
    this.asked.push(transaction);
    await this.between();
    return { kind: 'answered', answer: this.answer };
  };
  enlist = () => silence<never>();
  ping = () => silence<never>();
  reportHeuristic = () => silence<never>();
  lowWaterMark = () => silence<never>();
  reportWaits = () => silence<never>();
  isLive = () => silence<never>();
}

describe('The resolver', () => {
  const participant = 'ledger-east' as ParticipantName;
  const timeline = new Timeline();
  const random = new Random(1);
  const [cluster, owner, instance] = [1, 2, 3].map(() => tokenFrom(random.bytes(8)));
  if (!cluster || !owner || !instance) throw new Error('three tokens');
  const alive = () => true;

  /** A participant that finds these branches prepared, and asks about one after the other. */
  function foundPrepared() {
    const transactions = [1, 2].map((ms) =>
      makeTransactionId(ms, random.bytes(10), owner as never),
    );
    const [first, second] = transactions as [TransactionId, TransactionId];
    const keyOf = (transaction: TransactionId) => ({
      ...{ cluster: cluster as never, participant, transaction, branch: makeBranchId(1) },
    });
    const store = new DatabaseStore();
    for (const one of [first, second]) {
      store.prepare(formatGid(keyOf(one)), { deltas: new Map() }, timeline.now);
    }
    const faults = () => ({ lostAnswer: 0, refusal: 0, slow: 0, delayMsMax: 2 });
    const resource = new SimulatedResource(store, timeline, random, faults, alive);
    const coordinators = new Coordinators();
    const clock = new NodeClock(timeline, alive);
    const ports = { resource, coordinators, clock, entropy: random };
    const options = { cluster: cluster as never, participant };
    const manager = new BranchManager<SimulatedSession>(
      ports,
      { ...options, instance: instance as never, inDoubtMax: 9, sessionsMax: 9 },
      { check: (call) => call, run: () => Promise.reject(new Error('nothing is run here')) },
    );
    const times = { periodMs: 1_000, graceMs: 0, concurrency: 1 };
    const resolver = new Resolver(ports, manager, { ...options, ...times });
    const commitSecond = () => manager.carryOut(keyOf(second), 'commit');
    const pass = async () => {
      let ended = false;
      const passing = resolver.pass(0).finally(() => (ended = true));
      await timeline.play(timeline.now + 60_000, () => ended);
      return passing;
    };
    return { first, second, store, resource, keyOf, coordinators, resolver, commitSecond, pass };
  }

  it('asks nothing about a branch that a coordinator finished meanwhile, and counts it so', async () => {
    const { first, coordinators, resolver, commitSecond, pass } = foundPrepared();
    coordinators.between = commitSecond;
    expect(await pass()).toEqual({ found: 2, resolved: 1 });
    expect(coordinators.asked).toEqual([first]);
    expect(resolver.report()).toMatchObject({ inDoubt: 1 });
  });

  it('finishes no branch a second time that a coordinator finished while its answer was on its way', async () => {
    const { first, second, resource, coordinators, commitSecond, pass } = foundPrepared();
    coordinators.answer = { kind: 'decided', decision: 'commit' };
    coordinators.between = async () => {
      if (coordinators.asked.length === 2) await commitSecond();
    };
    const commits: TransactionId[] = [];
    const commit = resource.commit.bind(resource);
    resource.commit = (key) => {
      commits.push(key.transaction);
      return commit(key);
    };
    expect(await pass()).toEqual({ found: 2, resolved: 2 });
    expect(coordinators.asked).toEqual([first, second]);
    expect(commits).toEqual([first, second]);
  });

  it('counts no branch as in doubt that was finished while the list was on its way', async () => {
    const { first, resource, coordinators, resolver, commitSecond, pass } = foundPrepared();
    const list = resource.listPrepared.bind(resource);
    resource.listPrepared = async (of) => {
      const listed = await list(of);
      await commitSecond();
      return listed;
    };
    await pass();
    expect(coordinators.asked).toEqual([first]);
    expect(resolver.report()).toMatchObject({ inDoubt: 1 });
  });

  it('reports how often in a row and since when it could not look, until it can', async () => {
    const { resource, resolver, pass } = foundPrepared();
    const list = resource.listPrepared.bind(resource);
    resource.listPrepared = () => Promise.reject(new Error('the database is away'));
    await pass();
    const failing = { passes: 1, sinceMs: expect.any(Number) as number };
    expect(resolver.report()).toMatchObject({ failing, lastError: 'the database is away' });
    const since = resolver.report().failing?.sinceMs;
    await timeline.play(timeline.now + 5_000);
    await pass();
    expect(resolver.report().failing).toEqual({ passes: 2, sinceMs: since });
    resource.listPrepared = list;
    await pass();
    expect(resolver.report().failing).toBeUndefined();
  });

  it('asks about a branch all the same that was found against its decision, to report it', async () => {
    const { first, second, store, keyOf, coordinators, commitSecond, pass } = foundPrepared();
    coordinators.between = () => {
      store.rollbackPrepared(formatGid(keyOf(second)));
      return commitSecond();
    };
    await pass();
    expect(coordinators.asked).toEqual([first, second]);
  });
});
