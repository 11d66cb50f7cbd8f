/** When a participant looks what its branches wait for, and what it reports to their owners. */
import { WaitReporter, type Answer, type BranchWait, type WaitReport } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
} from '@concordat/protocol';
import { NodeClock, Timeline } from './timeline.js';

const owner = 'coordr01' as Incarnation;
const other = 'coordr02' as Incarnation;
const wait = (id: string, of = owner): BranchWait => ({
  ...{ id, branch: makeBranchId(1), waitingMs: 100, on: { kind: 'transactionid' } },
  transaction: makeTransactionId(1, new Uint8Array(10), of),
  holders: [{ kind: 'session', pid: 7 }],
});

describe('The reporter of waits', () => {
  let timeline: Timeline;
  let looks: number;
  let seen: readonly BranchWait[] | Error;
  let isBusy: boolean;
  let answer: Answer<{ noted: true }>;
  let told: (readonly [Incarnation, WaitReport])[];
  let reporter: WaitReporter;

  beforeEach(() => {
    timeline = new Timeline();
    looks = 0;
    seen = [];
    isBusy = true;
    answer = { kind: 'answered', answer: { noted: true } };
    told = [];
    reporter = new WaitReporter(
      {
        clock: new NodeClock(timeline, () => true),
        resource: {
          waits: async () => {
            looks += 1;
            if (seen instanceof Error) throw seen;
            return seen;
          },
        },
        coordinators: {
          reportWaits: async (to, report) => {
            told.push([to, report]);
            return answer;
          },
        },
      },
      {
        participant: 'ledger-east' as ParticipantName,
        instance: 'inst0001' as InstanceId,
        isBusy: () => isBusy,
      },
    );
  });
  afterEach(() => reporter.stop());

  const pass = (ms: number) => timeline.play(timeline.now + ms);
  const ids = () => told.map(([, { waits }]) => waits.map(({ id }) => id).join());

  it('looks while a branch is at work, and not at all while none is', async () => {
    await pass(1_000);
    expect(looks).toBe(0);
    reporter.nudge();
    await pass(200);
    expect(looks).toBeGreaterThan(2);
    isBusy = false;
    await pass(100);
    const before = looks;
    await pass(5_000);
    expect(looks).toBe(before);
  });

  it('sends nothing while no branch waits', async () => {
    reporter.nudge();
    await pass(5_000);
    expect(told).toEqual([]);
  });

  it('reports to each owner its own, at once, and again each second while nothing changes', async () => {
    seen = [wait('a'), wait('b', other)];
    reporter.nudge();
    await pass(60);
    expect(told.map(([to]) => to).sort()).toEqual([owner, other]);
    expect(ids()).toEqual(['a', 'b']);
    await pass(900);
    expect(told).toHaveLength(2);
    await pass(300);
    expect(told).toHaveLength(4);
  });

  it('reports what changed, with a number that grows', async () => {
    seen = [wait('a')];
    reporter.nudge();
    await pass(60);
    seen = [wait('a'), wait('b')];
    await pass(100);
    expect(ids()).toEqual(['a', 'a,b']);
    const [one, two] = told.map(([, { sequence }]) => sequence) as [number, number];
    expect(two).toBeGreaterThan(one);
  });

  it('takes back what is over until it is acknowledged, and sends nothing from then on', async () => {
    seen = [wait('a')];
    reporter.nudge();
    await pass(60);
    [seen, isBusy, answer] = [[], false, { kind: 'no-answer', why: 'lost' }];
    await pass(300);
    expect(ids().slice(0, 3)).toEqual(['a', '', '']);
    answer = { kind: 'answered', answer: { noted: true } };
    await pass(300);
    const before = told.length;
    const looked = looks;
    await pass(5_000);
    expect([told.length, looks]).toEqual([before, looked]);
  });

  it('reports nothing of what it could not see, and goes on looking', async () => {
    seen = new Error('the database is away');
    reporter.nudge();
    await pass(300);
    expect(told).toEqual([]);
    seen = [wait('a')];
    await pass(100);
    expect(ids()).toEqual(['a']);
  });
});
