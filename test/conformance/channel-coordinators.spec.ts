/**
 * What is asked of coordinators over a real broker: inquiries, enlistments, pings, marks, the nudge,
 * and how a participant that knows nothing but the broker finds its cluster.
 */
import { ClusterNotFound, discoverCluster, NatsCoordinatorChannel } from '@concordat/channel';
import type { BranchWait, WaitReport } from '@concordat/engine';
import type { BranchId, ClusterId, Incarnation } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import {
  CLUSTER,
  EAST,
  FIRST,
  gate,
  instanceId,
  newTransaction,
  OWNER,
  Stage,
  WEST,
} from './channel-stage.js';
import { serveCoordinator } from '@concordat/channel';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  await stage.close();
});

const OTHER = 'coordr02' as Incarnation;
const NO_WAITS = { kind: 'answered', answer: [] };
/** So patient that nothing is asked twice, however busy the machine. */
const PATIENT = 60_000;

describe('a coordinator', () => {
  it('answers an inquiry of any participant with the decision on record', async () => {
    const transaction = newTransaction();
    const asked: unknown[] = [];
    await stage.coordinator({
      inquire: async (inquiry) => {
        asked.push(inquiry);
        return { kind: 'decided', decision: 'commit' };
      },
    });
    const asker = await stage.asker(EAST, 1, PATIENT);
    const inquiry = { transaction, branch: FIRST, participant: EAST };
    expect(await asker.inquire(inquiry)).toEqual({
      kind: 'answered',
      answer: { kind: 'decided', decision: 'commit' },
    });
    expect(asked).toEqual([{ ...inquiry, asker: { participant: EAST, instance: instanceId(1) } }]);
  });

  it('that does not know is no answer, never a decision', async () => {
    await stage.coordinator({ inquire: () => Promise.reject(new Error('register away')) });
    const asker = await stage.asker();
    const answer = await asker.inquire({
      transaction: newTransaction(),
      branch: FIRST,
      participant: EAST,
    });
    expect(answer).toMatchObject({ kind: 'no-answer' });
  });

  it('takes what a participant’s branches wait for, and reports it to other coordinators when they ask', async () => {
    const transaction = newTransaction();
    const told: WaitReport[] = [];
    const instants = { sinceMs: 1_000, heardAtMs: 1_060 };
    await stage.coordinator({
      waits: (report) => void told.push(report),
      waitsOf: (transactions) =>
        told.flatMap(({ participant, instance, waits }) =>
          waits
            .filter((wait) => transactions.includes(wait.transaction))
            .map((wait) => ({
              transaction: wait.transaction,
              waits: [{ ...wait, participant, instance, ...instants }],
            })),
        ),
    });
    const wait: BranchWait = {
      ...{ transaction, branch: FIRST, id: '7.3/9.1', waitingMs: 60, on: { kind: 'tuple' } },
      holders: [{ kind: 'session', pid: 8, application: 'psql' }],
    };
    const report = { participant: EAST, instance: instanceId(1), sequence: 1, waits: [wait] };
    const asker = await stage.asker();
    expect(await asker.reportWaits(OWNER, report)).toMatchObject({ kind: 'answered' });
    expect(told).toEqual([report]);
    const connection = await stage.connection('questions');
    const other = new NatsCoordinatorChannel(connection, {
      cluster: CLUSTER,
      asker: { coordinator: OTHER },
    });
    expect(await other.waitsOf(OWNER, [transaction, newTransaction()])).toEqual({
      kind: 'answered',
      answer: [
        {
          transaction,
          waits: [{ ...wait, participant: EAST, instance: instanceId(1), ...instants }],
        },
      ],
    });
    expect(await asker.reportWaits('gone0001' as Incarnation, report)).toEqual({
      kind: 'no-responders',
    });
  });

  it('records a heuristic outcome that a participant reports, and confirms no other', async () => {
    const report = {
      transaction: newTransaction('gone0001' as Incarnation),
      branch: FIRST,
      participant: EAST,
      evidence: { decision: 'commit', found: 'missing', explanation: 'rolled back manually' },
    } as const;
    const told: unknown[] = [];
    let away = true;
    await stage.coordinator({
      reportHeuristic: async (one) => {
        if (away) throw new Error('register away');
        told.push(one);
        return { recorded: true };
      },
    });
    const asker = await stage.asker();
    expect(await asker.reportHeuristic(report)).toMatchObject({ kind: 'no-answer' });
    away = false;
    const explanation = 'x'.repeat(5_000);
    const long = { ...report, evidence: { ...report.evidence, explanation } };
    for (const one of [report, long]) {
      expect(await asker.reportHeuristic(one)).toEqual({
        kind: 'answered',
        answer: { recorded: true },
      });
    }
    expect(told[0]).toEqual(report);
    expect(told).toHaveLength(2);
  });

  it('enlists at the owner of the transaction and nowhere else', async () => {
    const mine = newTransaction(OWNER);
    const enlist = (branch: string) => () =>
      ({
        kind: 'enlisted',
        branch: branch as BranchId,
        timeLeftMs: 900.2,
        idleLeaseMs: 500,
      }) as const;
    await stage.coordinator({ enlist: enlist('3') }, OWNER);
    await stage.coordinator({ enlist: enlist('4') }, OTHER);
    const asker = await stage.asker();
    const by = { participant: EAST, instance: instanceId(1) };
    expect(await asker.enlist({ transaction: mine, ...by })).toEqual({
      kind: 'answered',
      answer: { kind: 'enlisted', branch: '3', timeLeftMs: 901, idleLeaseMs: 500 },
    });
    const orphan = newTransaction('gone0001' as Incarnation);
    expect(await asker.enlist({ transaction: orphan, ...by })).toEqual({ kind: 'no-responders' });
  });

  it('is known to be gone by the absence of its subjects, and asked by other coordinators', async () => {
    const transaction = newTransaction();
    const mark = newTransaction();
    await stage.coordinator({
      isLive: (one) => one === transaction,
      lowWaterMark: async () => mark,
    });
    const peer = new NatsCoordinatorChannel(await stage.connection('peer'), {
      cluster: stage.cluster,
      asker: { coordinator: OTHER },
    });
    expect(await peer.ping(OWNER)).toEqual({ kind: 'answered', answer: { alive: true } });
    expect(await peer.ping('gone0001' as Incarnation)).toEqual({ kind: 'no-responders' });
    expect(await peer.isLive(OWNER, transaction)).toEqual({
      kind: 'answered',
      answer: { live: true },
    });
    expect(await peer.isLive(OWNER, newTransaction())).toEqual({
      kind: 'answered',
      answer: { live: false },
    });
    expect(await peer.lowWaterMark()).toEqual({ kind: 'answered', answer: { below: mark } });
    const inquiry = { transaction, branch: FIRST, participant: WEST };
    expect(await peer.inquire(inquiry)).toMatchObject({ kind: 'answered' });
  });

  it('is asked once more while its answer is out, since another may be the one that hangs', async () => {
    let asked = 0;
    await stage.coordinator({
      inquire: async () => {
        asked += 1;
        return asked === 1 ? new Promise<never>(() => undefined) : { kind: 'undecided' };
      },
    });
    const asker = await stage.asker();
    const inquiry = { transaction: newTransaction(), branch: FIRST, participant: EAST };
    expect(await asker.inquire(inquiry)).toEqual({
      kind: 'answered',
      answer: { kind: 'undecided' },
    });
    expect(asked).toBe(2);
  });

  it('that refuses the second question does not hide the answer to the first', async () => {
    const refused = gate();
    const tap = await stage.stranger();
    tap.subscribe(`concordat.${stage.cluster}.v1.reply.p.>`, { callback: () => refused.open() });
    await tap.flush();
    let asked = 0;
    await stage.coordinator({
      inquire: async () => {
        asked += 1;
        if (asked > 1) throw new Error('not known');
        await refused.opened;
        return { kind: 'decided', decision: 'commit' };
      },
    });
    const asker = await stage.asker(EAST, 1, 500);
    const inquiry = { transaction: newTransaction(), branch: FIRST, participant: EAST };
    expect(await asker.inquire(inquiry)).toMatchObject({
      kind: 'answered',
      answer: { decision: 'commit' },
    });
    expect(asked).toBe(2);
  });

  it('shares inquiries with the others, and each is answered once', async () => {
    const answeredBy: string[] = [];
    for (const incarnation of [OWNER, OTHER]) {
      await stage.coordinator(
        {
          inquire: async () => {
            answeredBy.push(incarnation);
            return { kind: 'undecided' };
          },
        },
        incarnation,
      );
    }
    const asker = await stage.asker(EAST, 1, PATIENT);
    const inquiry = { transaction: newTransaction(), branch: FIRST, participant: EAST };
    await Promise.all(Array.from({ length: 100 }, () => asker.inquire(inquiry)));
    expect(answeredBy).toHaveLength(100);
    expect(new Set(answeredBy).size).toBe(2);
  });

  it('nudges participants when it comes up', async () => {
    const nudged = gate<Incarnation>();
    await stage.participant({}, { onCoordinatorUp: nudged.open });
    const { server } = await stage.coordinator();
    server.announceUp();
    expect(await nudged.opened).toBe(OWNER);
  });
});

describe('discovery', () => {
  it('finds the cluster from the broker alone', async () => {
    await stage.coordinator({}, OWNER);
    await stage.coordinator({}, OTHER);
    const connection = await stage.connection('newcomer');
    expect(await discoverCluster(connection, { waitMs: 5_000 })).toBe(stage.cluster);
  });

  it('waits for the first coordinator', async () => {
    const connection = await stage.connection('newcomer');
    const found = discoverCluster(connection, { gatherMs: 40 });
    await stage.coordinator();
    expect(await found).toBe(stage.cluster);
  });

  it('refuses to choose between two clusters, and says what to do when there is none', async () => {
    const connection = await stage.connection('newcomer');
    await expect(discoverCluster(connection, { waitMs: 50, gatherMs: 30 })).rejects.toThrow(
      /no coordinator answered.*configure the cluster id/,
    );
    await stage.coordinator();
    await serveCoordinator(await stage.connection('elsewhere'), {
      cluster: 'clustr02' as ClusterId,
      incarnation: OTHER,
      handlers: {
        inquire: async () => ({ kind: 'undecided' }),
        reportHeuristic: async () => ({ recorded: true }),
        enlist: () => ({ kind: 'refused', code: 'x', reason: 'x' }),
        isLive: () => false,
        lowWaterMark: async () => newTransaction(),
      },
    });
    await expect(discoverCluster(connection)).rejects.toThrow(ClusterNotFound);
    await expect(discoverCluster(connection)).rejects.toThrow(/clustr01 and clustr02/);
  });
});

describe('a closer look', () => {
  const transaction = newTransaction();
  const gid = `cc:${CLUSTER}:${transaction}:1`;
  const key = { transaction, branch: FIRST };

  it('reaches one instance with everything that is wanted, and reads what it answers', async () => {
    const asked: unknown[] = [];
    const report = {
      working: 1,
      prepared: { inDoubt: 1, oldestAgeMs: 70, slotsUsed: 1, slotsMax: 9, forgotten: [gid] },
      page: { branches: [{ gid, heldMs: 70 }], next: gid },
      impact: {
        branches: [
          {
            ...{ gid, heldMs: 70, xidAge: 3, blockedSessions: 1 },
            locks: [{ relation: 'account', mode: 'RowExclusiveLock', rows: ['(0,1)'] }],
            waiters: [{ pid: 4711, waitingMs: 12, relation: 'account', row: '(0,1)' }],
          },
        ],
      },
      fates: [{ gid, fate: 'prepared' }],
      committed: { rows: [key], next: key },
      checks: [{ name: 'version', result: 'ok', found: 'Postgres 18' }],
    };
    await stage.participant({
      inspect: async (look, bytesMax) => {
        asked.push({ look, bytesMax });
        return report;
      },
    });
    const channel = await stage.commander();
    const look = {
      prepared: { after: gid, limit: 10 },
      gids: [gid],
      committed: { after: key, limit: 20 },
      checks: true,
    };
    const answer = await channel.look(EAST, look);
    expect(asked).toEqual([{ look, bytesMax: expect.any(Number) }]);
    expect(answer).toMatchObject({
      kind: 'answered',
      answer: {
        participant: EAST,
        instance: instanceId(1),
        report,
        details: {
          working: 1,
          slots: { used: 1, max: 9 },
          preparedCount: 1,
          oldestMs: 70,
          forgotten: [gid],
          page: { branches: [{ gid, ...key, heldMs: 70 }], next: gid },
          impact: report.impact,
          fates: report.fates,
          committed: report.committed,
          checks: report.checks,
        },
      },
    });
  });

  it('reads what it can of a strange report, and takes none for a broken message', async () => {
    const branches = [{ gid: 'a stranger’s', heldMs: 1 }, { gid, heldMs: 2 }, 7];
    const strange = {
      ...{ working: 'many', limits: 3, operations: ['debit', 4] },
      ...{ page: { branches }, committed: { rows: [{ transaction: 'no id' }] } },
    };
    await stage.participant({ inspect: async () => strange });
    const answer = await (await stage.commander()).look(EAST, { prepared: { limit: 10 } });
    expect(answer).toMatchObject({
      kind: 'answered',
      answer: {
        report: strange,
        details: { operations: ['debit'], page: { branches: [{ gid, heldMs: 2 }] } },
      },
    });
    // A page of rows that cannot all be read must not be taken for a shorter one.
    expect(answer).not.toHaveProperty('answer.details.committed');
  });

  it('of a process that is not there is proof of that, and of one that fails is none', async () => {
    const channel = await stage.commander();
    expect(await channel.look(WEST, {})).toEqual({ kind: 'no-responders' });
    await stage.participant({ inspect: () => Promise.reject(new Error('no database')) });
    expect(await channel.look(EAST, {})).toMatchObject({
      kind: 'no-answer',
      why: expect.stringContaining('cannot report now: no database') as unknown,
    });
  });

  it('that several ask for at once is taken once, and another one is another', async () => {
    const looks: string[] = [];
    const hold = gate();
    await stage.participant({
      inspect: async (look) => {
        looks.push(JSON.stringify(look));
        await hold.opened;
        return {};
      },
    });
    const channel = await stage.commander();
    const asked = [{ oldest: 5 }, { oldest: 5 }, { checks: true }].map((one) =>
      channel.look(EAST, one),
    );
    await waitFor(() => looks.length === 2, { what: 'both looks to be under way' });
    hold.open();
    for (const one of await Promise.all(asked)) expect(one.kind).toBe('answered');
    expect(looks.sort()).toEqual(['{"checks":true}', '{"oldest":5}']);
  });

  it('at what branches wait for is a look of its own, begun after it was asked for', async () => {
    let looks = 0;
    const hold = gate();
    await stage.participant({
      inspect: async () => {
        looks += 1;
        await hold.opened;
        return { waits: [] };
      },
    });
    const channel = await stage.commander();
    const at = { participant: EAST, instance: instanceId(1) };
    const branches = [{ transaction: newTransaction(), branch: FIRST }];
    const asked = [1, 2].map(() => channel.waitsNow(at, branches));
    await waitFor(() => looks === 2, { what: 'both looks to be under way' });
    hold.open();
    for (const one of await Promise.all(asked)) expect(one).toEqual(NO_WAITS);
    const gone = { ...at, instance: instanceId(2) };
    expect(await channel.waitsNow(gone, branches)).toEqual({ kind: 'no-responders' });
  });
});

describe('the list of participants', () => {
  it('names every instance with its own report', async () => {
    await stage.participant({ inspect: async () => ({ inDoubt: 2 }) }, { ordinal: 1 });
    await stage.participant({ inspect: async () => ({ inDoubt: 0 }) }, { ordinal: 2 });
    await stage.participant({}, { ordinal: 3, participant: WEST });
    const channel = await stage.commander();
    const version = '1.2.3';
    const details = (inDoubt: number) => ({ report: { inDoubt }, details: { inDoubt } });
    expect(await channel.listParticipants()).toEqual([
      { participant: EAST, instance: instanceId(1), version, ...details(2) },
      { participant: EAST, instance: instanceId(2), version, ...details(0) },
      { participant: WEST, instance: instanceId(3), version, report: {}, details: {} },
    ]);
  });

  it('believes no participant that reports in the name of another', async () => {
    await stage.participant();
    const stranger = await stage.stranger();
    stranger.subscribe(stage.subjects.inspectAll, {
      callback: (_error, message) => {
        const { epoch, token } = message.json<{ epoch: Incarnation; token: string }>();
        stranger.publish(
          stage.subjects.replyToCommand(WEST, epoch, token),
          JSON.stringify({
            ...{ v: 1, type: 'inspected', participant: EAST, instance: instanceId(1) },
            ...{ version: '6.6.6', report: {} },
          }),
        );
      },
    });
    await stranger.flush();
    const listed = await (await stage.commander()).listParticipants();
    expect(listed.map((one) => one.version)).toEqual(['1.2.3']);
  });

  it('is what the tools of the NATS services protocol see', async () => {
    const { instance } = await stage.participant();
    const channel = await stage.commander();
    await channel.prepare(prepareOnce());
    const stranger = await stage.stranger();
    const ask = async (subject: string) =>
      (await stranger.request(subject)).json<Record<string, unknown>>();
    const identity = { name: EAST, id: instance, version: '1.2.3' };
    for (const suffix of ['', `.${EAST}`, `.${EAST}.${instance}`]) {
      expect(await ask(`$SRV.PING${suffix}`)).toMatchObject({
        type: 'io.nats.micro.v1.ping_response',
        ...identity,
        metadata: { 'concordat.cluster': stage.cluster },
      });
    }
    const info = await ask(`$SRV.INFO.${EAST}`);
    expect(info).toMatchObject({ type: 'io.nats.micro.v1.info_response', ...identity });
    expect(info['endpoints']).toContainEqual({
      name: 'prepare',
      subject: stage.subjects.command(EAST, 'prepare'),
      queue_group: EAST,
      metadata: {},
    });
    const stats = await ask('$SRV.STATS');
    expect(stats).toMatchObject({ type: 'io.nats.micro.v1.stats_response', ...identity });
    expect(stats['endpoints']).toContainEqual(
      expect.objectContaining({ name: 'prepare', num_requests: 1, num_errors: 0 }),
    );
    await waitFor(() => stage.incidents.length === 0, { what: 'no incident' });
  });
});

function prepareOnce() {
  return {
    to: { transaction: newTransaction(), branch: FIRST, participant: EAST },
    epoch: OWNER,
    participants: [EAST],
    timeLeftMs: 1_000,
  };
}
