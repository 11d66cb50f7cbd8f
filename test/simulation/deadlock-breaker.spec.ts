/** Which cycles of waits are broken, whom it costs its life, and what has to be seen before. */
import {
  DeadlockBreaker,
  WaitBoard,
  WaitQuestions,
  cycleOf,
  victimsAmong,
  type Answer,
  type BranchWait,
  type SeenWaits,
  type TransactionWaits,
  type Wait,
} from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  type AbortCause,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { NodeClock, Timeline } from './timeline.js';

const [here, there] = ['coordr01', 'coordr02'] as [Incarnation, Incarnation];
const [east, west] = ['east', 'west'] as [ParticipantName, ParticipantName];
const instance = 'inst0001' as InstanceId;
const id = (ms: number, owner = here): TransactionId =>
  makeTransactionId(ms, new Uint8Array(10), owner);

/** `waiter` waits at a participant for what `holder` holds there. */
function wait(waiter: TransactionId, participant: ParticipantName, holder: TransactionId): Wait {
  return {
    ...{ transaction: waiter, participant, instance, branch: makeBranchId(1) },
    ...{ id: `${waiter} at ${participant}`, waitingMs: 100, sinceMs: 0, heardAtMs: 100 },
    on: { kind: 'transactionid', relation: 'account', row: '(0,1)' },
    holders: [{ kind: 'branch', transaction: holder, branch: makeBranchId(1), isPrepared: true }],
  };
}

describe('A cycle of waits', () => {
  const [one, two, three] = [id(1), id(2), id(3)] as [TransactionId, TransactionId, TransactionId];
  const among = (...waits: Wait[]) => {
    return (of: TransactionId) => waits.filter((each) => each.transaction === of);
  };
  const members = (cycle: ReturnType<typeof cycleOf>) =>
    cycle?.map((edge) => edge.wait.transaction);

  it('is found from its youngest transaction, and from no other', () => {
    const waits = among(wait(one, east, two), wait(two, west, three), wait(three, east, one));
    expect(members(cycleOf(three, waits))).toEqual([three, one, two]);
    expect(cycleOf(two, waits)).toBeUndefined();
    expect(cycleOf(one, waits)).toBeUndefined();
  });

  it('is not where one waits for a cycle, or is waited for by none', () => {
    const waits = among(wait(one, east, two), wait(two, west, one), wait(three, east, one));
    expect(cycleOf(three, waits)).toBeUndefined();
    expect(members(cycleOf(two, waits))).toEqual([two, one]);
  });

  it('costs one transaction, and none that is in another one only with that one', () => {
    const waits = [
      ...[wait(one, east, two), wait(two, west, one)],
      ...[wait(two, east, three), wait(three, west, two)],
    ];
    const graph = new Map([one, two, three].map((each) => [each, among(...waits)(each)]));
    expect(victimsAmong(graph).map(members)).toEqual([[two, one]]);
  });

  it('of one with itself is none', () => {
    expect(cycleOf(one, among(wait(one, east, one)))).toBeUndefined();
  });
});

class World extends WaitQuestions {
  readonly timeline = new Timeline();
  readonly clock = new NodeClock(this.timeline, () => true);
  readonly aborted: (readonly [TransactionId, AbortCause])[] = [];
  readonly asked: string[] = [];
  /** What was reported of waits, each time that order was kept. */
  readonly kept: SeenWaits[] = [];
  /** What a second look shows. */
  now: Wait[] = [];
  /** What the other coordinator received. */
  elsewhere: Wait[] = [];
  readonly board = new WaitBoard(this.clock, () => true);
  readonly breaker = new DeadlockBreaker(
    {
      board: this.board,
      questions: this,
      clock: this.clock,
      manager: {
        breakDeadlock: (victim, cause) => {
          this.aborted.push([victim, cause]);
          return true;
        },
        keepOrder: (seen) => {
          this.kept.push(seen);
        },
      },
    },
    { incarnation: here },
  );
  private sequence = 0;

  report(participant: ParticipantName, waits: readonly BranchWait[]): void {
    this.sequence += 1;
    this.board.report({ participant, instance, sequence: this.sequence, waits });
  }

  async waitsOf(
    owner: Incarnation,
    transactions: readonly TransactionId[],
  ): Promise<Answer<readonly TransactionWaits[]>> {
    this.asked.push(owner);
    const waits = this.elsewhere.filter((one) => transactions.includes(one.transaction));
    return {
      kind: 'answered',
      answer: waits.map((each) => ({ transaction: each.transaction, waits: [each] })),
    };
  }

  async waitsNow(
    at: { readonly participant: ParticipantName },
    branches: readonly { readonly transaction: TransactionId }[],
  ): Promise<Answer<readonly BranchWait[]>> {
    this.asked.push(at.participant);
    const answer = this.now.filter(
      ({ participant, transaction }) =>
        participant === at.participant && branches.some((one) => one.transaction === transaction),
    );
    return { kind: 'answered', answer };
  }

  pass(ms: number): Promise<void> {
    return this.timeline.play(this.timeline.now + ms);
  }
}

describe('Breaking a cycle', () => {
  const [older, younger] = [id(1), id(2)] as [TransactionId, TransactionId];
  const [first, second] = [wait(older, west, younger), wait(younger, east, older)];
  let world: World;

  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.breaker.stop());

  async function reportBoth(): Promise<void> {
    world.report(west, [first]);
    await world.pass(300);
    world.report(east, [second]);
    await world.pass(50);
  }

  it('aborts its youngest, once it was seen a second time, and says who waited for what', async () => {
    world.now = [first, second];
    await reportBoth();
    expect(world.aborted.map(([victim]) => victim)).toEqual([younger]);
    const [, cause] = world.aborted[0] ?? [];
    expect(cause).toMatchObject({
      ...{ kind: 'vote', participant: east },
      vote: { code: 'DISTRIBUTED_DEADLOCK', retryable: true },
    });
    const said = JSON.stringify(cause);
    for (const part of [older, younger, 'account', '(0,1)']) expect(said).toContain(part);
    expect(world.breaker.counters().broken).toBeGreaterThan(0);
  });

  it('asks no coordinator while nothing waits, and stops when nothing waits any more', async () => {
    await world.pass(5_000);
    expect(world.asked).toEqual([]);
    await reportBoth();
    expect(world.asked.length).toBeGreaterThan(0);
    world.report(east, []);
    world.report(west, []);
    await world.pass(200);
    const before = world.asked.length;
    await world.pass(5_000);
    expect(world.asked).toHaveLength(before);
  });

  it.each<[string, () => Wait[]]>([
    ['one of its waits is over', () => [second]],
    ['one of its waits is another one by now', () => [{ ...first, id: 'a later one' }, second]],
    ['one of its waits is for another by now', () => [wait(older, west, id(3)), second]],
  ])('aborts nothing where %s', async (_what, now) => {
    world.now = now();
    await reportBoth();
    expect(world.aborted).toEqual([]);
    expect(world.breaker.counters()).toMatchObject({ broken: 0 });
    expect(world.breaker.counters().unconfirmed).toBeGreaterThan(0);
  });

  it('aborts nothing where a participant does not report it', async () => {
    world.waitsNow = async () => ({ kind: 'no-answer', why: 'time-out' });
    await reportBoth();
    expect(world.aborted).toEqual([]);
  });

  it('follows waits to their owner, and breaks what comes back to a transaction of its own', async () => {
    const stranger = id(1, there);
    const back = wait(stranger, west, younger);
    world.elsewhere = [back];
    world.now = [wait(younger, east, stranger), back];
    world.report(east, [wait(younger, east, stranger)]);
    await world.pass(50);
    expect(world.asked).toContain(there);
    expect(world.aborted.map(([victim]) => victim)).toEqual([younger]);
  });

  describe('that leads through a branch without a session', () => {
    const turn = (waiter: TransactionId, before: TransactionId): Wait => ({
      ...wait(waiter, east, before),
      ...{ id: 'its turn', withoutSession: true },
    });

    it('asks about it each round, and aborts nothing while nothing shows its wait', async () => {
      world.now = [first];
      world.report(west, [first]);
      world.report(east, [turn(younger, older)]);
      await world.pass(350);
      expect(world.asked.filter((one) => one === east).length).toBeGreaterThan(2);
      expect(world.aborted).toEqual([]);
      expect(world.breaker.counters()).toEqual({ broken: 0, unconfirmed: 0 });
    });

    it('aborts nothing, even where a participant says that it saw that wait again', async () => {
      world.now = [first, turn(younger, older)];
      world.report(west, [first]);
      world.report(east, [turn(younger, older)]);
      await world.pass(350);
      expect(world.aborted).toEqual([]);
    });

    it('does not hide a longer one that leads through sessions alone', async () => {
      const third = id(3);
      const longer = [
        wait(third, west, younger),
        wait(younger, east, older),
        wait(older, west, third),
      ];
      world.now = longer;
      world.report(west, [longer[0] as Wait, longer[2] as Wait]);
      world.report(east, [longer[1] as Wait, turn(third, older)]);
      await world.pass(350);
      expect(world.aborted.map(([victim]) => victim)).toContain(third);
    });
  });

  it('leaves a cycle to the owner of its youngest', async () => {
    const stranger = id(9, there);
    world.elsewhere = [wait(stranger, west, younger)];
    world.now = [wait(younger, east, stranger), ...world.elsewhere];
    world.report(east, [wait(younger, east, stranger)]);
    await world.pass(500);
    expect(world.aborted).toEqual([]);
  });
});

describe('Keeping the order', () => {
  it('goes by what is reported, and goes on for as long as something waits', async () => {
    const world = new World();
    const waits = [wait(id(2), east, id(1))];
    world.report(east, waits);
    await world.pass(250);
    expect(world.kept.length).toBeGreaterThan(1);
    expect(world.kept[0]?.waits.map((one) => one.id)).toEqual(waits.map((one) => one.id));
    world.report(east, []);
    await world.pass(200);
    const before = world.kept.length;
    await world.pass(5_000);
    expect(world.kept).toHaveLength(before);
    world.breaker.stop();
  });

  it('reacts to what another coordinator asks about, where nothing of its own waits', async () => {
    const world = new World();
    world.board.asked([id(1)]);
    await world.pass(10);
    expect(world.kept.map(({ asked }) => [...asked])).toEqual([[id(1)]]);
    await world.pass(1_000);
    expect([...world.board.askedAbout()]).toEqual([]);
    world.breaker.stop();
  });
});
