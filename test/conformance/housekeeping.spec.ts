/**
 * Every coordinator on the list holds the low-water mark back, so none is removed for a missing answer alone.
 * Register and broker are real; the other coordinator is a responder, or no responder, under its name.
 */
import { NatsCoordinatorChannel, SystemClock, SystemEntropy } from '@concordat/channel';
import type { DecisionLog } from '@concordat/decision-log';
import {
  Housekeeping,
  Liveness,
  TransactionManager,
  type HousekeepingOptions,
} from '@concordat/engine';
import type { Incarnation, TransactionId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { CLUSTER, Stage as Wire, newTransaction } from './channel-stage.js';
import { DecisionLogStage } from './decision-log-stage.js';

const SELF = 'c00rdn01' as Incarnation;
const ignore = (): void => undefined;
const OTHER = 'c00rdn02' as Incarnation;

describe('Housekeeping', () => {
  let decisions: DecisionLogStage;
  let wire: Wire;
  let log: DecisionLog;
  let manager: TransactionManager;
  let housekeeping: Housekeeping | undefined;
  let stopHearing: () => void = () => undefined;

  beforeAll(async () => {
    decisions = await DecisionLogStage.open();
    wire = await Wire.open();
  });

  beforeEach(async () => {
    log = await decisions.log(await decisions.emptied());
    await log.register.heartbeat({ incarnation: OTHER });
  });

  afterEach(async () => {
    stopHearing();
    await housekeeping?.stop(true);
    await manager.drain(0);
  });

  afterAll(async () => {
    await wire.close();
    await decisions.close();
  });

  async function keepHouse(options: Partial<HousekeepingOptions> = {}): Promise<Housekeeping> {
    const { register, reader, historyWriter } = log;
    const clock = new SystemClock();
    const connection = await wire.connection(`questions-${SELF}`);
    const coordinators = new NatsCoordinatorChannel(connection, {
      cluster: CLUSTER,
      asker: { coordinator: SELF },
      questionMs: 100,
    });
    const liveness = new Liveness(coordinators, SELF);
    const channel = await wire.commander(SELF);
    const entropy = new SystemEntropy();
    manager = new TransactionManager(
      { register, channel, liveness, historyWriter, clock, entropy },
      { cluster: CLUSTER, incarnation: SELF },
    );
    housekeeping = new Housekeeping(
      { list: register, abandoned: reader, manager, liveness, clock },
      {
        ...{ incarnation: SELF, heartbeatMs: 10, pruneEveryMs: 0 },
        ...{ retentionMs: 3_600_000, quietMs: 0, silentMs: 0, ...options },
      },
      { pruned: ignore, struckOff: ignore, failed: ignore },
    );
    await housekeeping.start();
    return housekeeping;
  }

  async function listed(): Promise<Incarnation[]> {
    return (await log.register.coordinators()).map(({ incarnation }) => incarnation);
  }

  /** Lets the other one receive pings; the result counts them. */
  async function hearing(): Promise<() => number> {
    let heard = 0;
    const other = await wire.stranger();
    const hearing = other.subscribe(
      wire.subjects.toIncarnation({ coordinator: SELF }, OTHER, 'ping'),
      {
        callback: () => {
          heard += 1;
        },
      },
    );
    stopHearing = () => hearing.unsubscribe();
    await other.flush();
    return () => heard;
  }

  it('removes a coordinator without responders under its name', async () => {
    await keepHouse();
    await waitFor(async () => !(await listed()).includes(OTHER), { what: 'it to be removed' });
    expect(await listed()).toEqual([SELF]);
  });

  it('records an abort for what such a one left undecided, before it is removed', async () => {
    const abandoned = newTransaction(OTHER);
    await inHistory(abandoned);
    await keepHouse();
    await waitFor(async () => !(await listed()).includes(OTHER), { what: 'it to be removed' });
    expect(await log.register.standing(abandoned)).toMatchObject({ decision: 'abort' });
  });

  it('settles what such a one left long before it may be removed', async () => {
    const abandoned = newTransaction(OTHER);
    await inHistory(abandoned);
    await keepHouse({ silentMs: 3_600_000 });
    await waitFor(async () => (await log.register.standing(abandoned)) !== undefined, {
      what: 'an abort on record',
    });
    expect(await log.register.standing(abandoned)).toMatchObject({ decision: 'abort' });
    expect(await listed()).toContain(OTHER);
  });

  it('keeps a coordinator that receives and does not answer: a missing answer proves nothing', async () => {
    const heard = await hearing();
    await keepHouse();
    await waitFor(async () => heard() >= 2 || !(await listed()).includes(OTHER), {
      what: 'a second ping, after the first was not answered',
    });
    expect(await listed()).toContain(OTHER);
  });

  it('does not even ask about a coordinator with a recent heartbeat', async () => {
    const heard = await hearing();
    await keepHouse({ quietMs: 60_000, heartbeatMs: 1 });
    const first = await seen(SELF);
    await waitFor(async () => (await seen(SELF)) > first, { what: 'some rounds' });
    expect(heard()).toBe(0);
    expect(await listed()).toContain(OTHER);
  });

  it('stays on the list when it leaves with work to finish, and holds the mark back', async () => {
    await (await keepHouse()).stop(false);
    expect(await listed()).toContain(SELF);
  });

  it('takes itself off the list when it leaves with nothing to finish', async () => {
    await (await keepHouse()).stop(true);
    expect(await listed()).not.toContain(SELF);
  });

  it('says how far back it reaches: the oldest transaction that lives here holds the mark', async () => {
    log = await decisions.log(await decisions.emptied(), { horizonMs: 0 });
    await keepHouse();
    const floor = async () =>
      (await log.register.coordinators()).find((one) => one.incarnation === SELF)?.floor;
    // Both may be of one millisecond: the lower id is the older one.
    const begun = [1, 2].map(() => manager.begin({ principal: 'client' }).transaction).sort();
    for (const oldest of begun) {
      await waitFor(async () => (await floor()) === oldest, { what: 'its floor to be known' });
      await manager.rollback(oldest, 'enough', { until: 'completed', waitMs: 1_000 });
    }
    await waitFor(async () => !begun.includes((await floor()) as TransactionId), {
      what: 'the mark to rise again',
    });
  });

  /** The time of a coordinator's last heartbeat. */
  async function seen(incarnation: Incarnation): Promise<number> {
    const rows = await log.register.coordinators();
    const row = rows.find((one) => one.incarnation === incarnation);
    return Date.now() - (row?.seenAgoMs ?? Number.NaN);
  }

  async function inHistory(transaction: TransactionId): Promise<void> {
    const nowMs = Date.now() - 60_000;
    log.historyWriter.note({
      transaction,
      owner: OTHER,
      principal: 'client',
      status: 'preparing',
      timeoutMs: 1_000,
      begunAtMs: nowMs,
      branches: [],
      timeline: [],
      version: 1,
    });
    await log.historyWriter.flush();
  }
});
