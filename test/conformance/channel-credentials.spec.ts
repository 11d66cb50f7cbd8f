/**
 * What each kind of credentials of deploy/nats.conf can bring about in another's name, on a broker
 * started with exactly that file, before a real register: nothing. What the broker lets through is
 * refused here, is counted, and changes no row and no live transaction.
 */
import {
  connectChannel,
  NatsCoordinatorChannel,
  NatsParticipantChannel,
  serveCoordinator,
  serveParticipant,
  Subjects,
  SystemEntropy,
  type ChannelConnection,
  type IncidentKind,
} from '@concordat/channel';
import type { DecisionLog } from '@concordat/decision-log';
import { Liveness, TransactionManager } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type HeuristicEvidence,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { startNats, waitFor, type NatsServer } from '@concordat/testing';
import { PermissionViolationError, type NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { EAST, FIRST, instanceId, WEST } from './channel-stage.js';
import { DecisionLogStage, SettableClock } from './decision-log-stage.js';

const INVENTORY = 'inventory' as ParticipantName;
const PARTICIPANTS = [EAST, WEST, INVENTORY];
const USERS = ['coordinator', 'coordinator-answers', ...PARTICIPANTS];
const LOST = { decision: 'commit', found: 'missing', explanation: 'it is gone' } as const;
const COMMITTED = { decision: 'abort', found: 'committed', explanation: 'it is there' } as const;
const SECOND = makeBranchId(2);
const SEVENTH = makeBranchId(7);
const DAY = 24 * 60 * 60_000;
/** Rows that inquiries of one participant may have written here. */
const BURST = 5;

const deployed = readFileSync(new URL('../../deploy/nats.conf', import.meta.url), 'utf8');
const passwords = new Map(USERS.map((user) => [user, `secret-of-${user}`]));
/** In production they come from the environment; nats-server looks into its file first. */
const variables = USERS.map((user) => {
  const name = user === 'coordinator-answers' ? 'answers' : user;
  return `NATS_${name.toUpperCase().replace('-', '_')}_PASSWORD: "${passwords.get(user)}"`;
});

const clock = new SettableClock();
const incarnation: Incarnation = tokenFrom(randomBytes(8));
const closers: (() => Promise<unknown>)[] = [];
let stage: DecisionLogStage;
let broker: NatsServer;
let url: string;
let log: DecisionLog;
let dba: pg.Client;
let manager: TransactionManager;
let answers: ChannelConnection;
let subjects: Subjects;

beforeAll(async () => {
  [stage, broker] = await Promise.all([
    DecisionLogStage.open(),
    startNats({ config: [...variables, deployed].join('\n') }),
  ]);
  url = await stage.database();
  log = await stage.log(url, { clock, horizonMs: 0 });
  dba = await stage.dba(url);
  subjects = new Subjects(log.clusterId);
  await serve();
}, 120_000);

// Also after a failure: what stays open keeps timers for as long as it may live.
afterEach(async () => {
  for (const { transaction } of [...manager.live()].filter((one) => one.endedAtMs === undefined)) {
    await manager.rollback(transaction, 'over', { until: 'completed', waitMs: 10_000 });
  }
});

afterAll(async () => {
  for (const close of closers.reverse()) await close();
  await broker?.dispose();
  await stage?.close();
}, 60_000);

/** A coordinator on its two users, and three participants that do everything they are asked to. */
async function serve(): Promise<void> {
  const { register, historyWriter, history, clusterId: cluster } = log;
  const commands = await as('coordinator');
  answers = await as('coordinator-answers');
  const channel = new NatsParticipantChannel(commands, { cluster, incarnation });
  const asker = { coordinator: incarnation };
  const coordinators = new NatsCoordinatorChannel(commands, { cluster, asker });
  const liveness = new Liveness(coordinators, incarnation);
  const entropy = new SystemEntropy();
  manager = new TransactionManager(
    { register, channel, liveness, historyWriter, history, clock, entropy },
    { incarnation, cluster, abortsPerParticipant: { burst: BURST, perSecond: 0.001 } },
  );
  closers.push(() => manager.drain(0));
  await serveCoordinator(answers, {
    cluster,
    incarnation,
    handlers: {
      inquire: (inquiry) => manager.inquire(inquiry),
      reportHeuristic: (report) => manager.recordReported(report),
      enlist: (enlistment) => manager.enlist(enlistment),
      isLive: (id) => manager.isLive(id),
      lowWaterMark: () => register.lowWaterMark(),
    },
  });
  const instance = instanceId(1);
  for (const participant of PARTICIPANTS) {
    await serveParticipant(await as(participant), {
      ...{ cluster, participant, instance, version: '1.0.0' },
      handlers: {
        work: async () => ({ result: { kind: 'done', outputs: [] }, instance }),
        prepare: async () => ({ kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance }),
        finish: async ({ decision }) => ({
          kind: 'acknowledged',
          outcome: { kind: decision === 'commit' ? 'committed' : 'aborted' },
        }),
        inspect: async () => ({}),
      },
    });
  }
}

async function as(user: string): Promise<ChannelConnection> {
  const password = passwords.get(user) ?? '';
  const servers = broker.url.replace('//', `//${user}:${password}@`);
  const connection = await connectChannel({ servers, name: user, firstConnectMs: 20_000 });
  closers.push(() => connection.close());
  return connection;
}

/** A committed transaction, on record as such: branch 1 of the east, branch 2 of the west. */
async function committed(): Promise<TransactionId> {
  const operations = [{ name: 'x', input: {} }];
  const branches = [EAST, WEST].map((participant) => ({ participant, operations }));
  const wait = { until: 'completed', waitMs: 30_000 } as const;
  const view = await manager.submit({ principal: 'client', branches }, wait);
  expect(view.status).toBe('committed');
  const { transaction } = view;
  const isOnRecord = async () =>
    (await log.register.standing(transaction))?.endedAtMs !== undefined &&
    (await log.history.storyOf(transaction))?.isComplete === true;
  await waitFor(isOnRecord, { what: 'its end and its story to be written' });
  return transaction;
}

/** Its owner no longer has it in memory: only the record can answer. */
const forgotten = (transaction: TransactionId) =>
  waitFor(() => manager.view(transaction) === undefined, { what: 'its owner to forget it' });

const madeUp = (madeAtMs = Date.now()): TransactionId =>
  makeTransactionId(madeAtMs, randomBytes(10), tokenFrom(randomBytes(8)));

/** Everything that a forgery could change: the register, and what is live. */
async function everything(): Promise<unknown> {
  const text = `SELECT (SELECT json_agg(d ORDER BY d.transaction) FROM concordat.decision d) AS decisions,
                       (SELECT json_agg(h) FROM concordat.heuristic h) AS heuristics`;
  const live = [...manager.live()].flatMap((one) => (one.endedAtMs ? [] : [one.branches.length]));
  return { ...(await dba.query(text)).rows[0], live };
}

async function rows(table: 'decision' | 'heuristic'): Promise<number> {
  const { rows } = await dba.query(`SELECT count(*)::int AS n FROM concordat.${table}`);
  return (rows[0] as { n: number }).n;
}

const count = (kind: IncidentKind): number => answers.incidents.count(kind);

describe('with the credentials of deploy/nats.conf', () => {
  it('only the participant itself asks, enlists or reports in its name', async () => {
    const [ended, open] = [await committed(), manager.begin({ principal: 'client' }).transaction];
    const before = await everything();
    for (const user of USERS) {
      const forgeries = PARTICIPANTS.filter((name) => name !== user).flatMap((victim) =>
        forgeriesOf(victim, ended, open),
      );
      const asked = count('wrong-asker');
      const refused = await publishedInVain(user, forgeries);
      const passed = forgeries.filter(({ subject }) => !refused.has(subject));
      // Coordinators may ask as coordinators; what they may not ask, or ask without a name, is refused.
      const through = user === 'coordinator' ? new Set(['c']) : new Set<string>();
      const kinds = new Set(passed.map(({ subject }) => subject.split('.')[4]));
      expect({ user, kinds }).toEqual({ user, kinds: through });
      await waitFor(() => count('wrong-asker') - asked === passed.length, {
        what: `the ${passed.length} questions of ${user} to be refused`,
      });
    }
    expect(await everything()).toEqual(before);
  });

  it('a stranger without credentials, or with wrong ones, does not get in', async () => {
    const tried = [{}, { user: EAST, pass: 'guess' }, { user: 'admin', pass: 'admin' }];
    for (const credentials of tried) {
      const nats = connect({ servers: broker.url, reconnect: false, ...credentials });
      await expect(nats).rejects.toThrow(/authorization/i);
    }
  });

  it('a participant is refused what its own name does not cover, and changes nothing by it', async () => {
    const ended = await committed();
    const open = manager.begin({ principal: 'client' }).transaction;
    await manager.work(open, WEST, [{ name: 'x', input: {} }]);
    const far = madeUp(Date.now() + 2 * DAY);
    const tries: [ParticipantName, string, object, string][] = [
      [
        EAST,
        'report-heuristic',
        about(ended, FIRST, { ...LOST, found: 'committed' }),
        'malformed-message',
      ],
      [EAST, 'report-heuristic', about(ended, FIRST, COMMITTED), 'no-contradiction'],
      [EAST, 'report-heuristic', about(ended, SECOND, LOST), 'wrong-participant'],
      [EAST, 'report-heuristic', about(ended, SEVENTH, COMMITTED), 'unknown-branch'],
      [INVENTORY, 'report-heuristic', about(ended, FIRST, LOST), 'wrong-participant'],
      [EAST, 'report-heuristic', about(madeUp(), FIRST, COMMITTED), 'unknown-transaction'],
      [EAST, 'report-heuristic', about(open, FIRST, COMMITTED), 'no-contradiction'],
      [WEST, 'report-heuristic', about(open, FIRST, COMMITTED), 'no-contradiction'],
      [
        EAST,
        'report-heuristic',
        { ...about(ended, SECOND, LOST), participant: WEST },
        'wrong-asker',
      ],
      [
        EAST,
        'enlist',
        { transaction: open, instance: instanceId(1), participant: WEST },
        'wrong-asker',
      ],
      [EAST, 'inquire', { ...about(ended, SECOND), participant: WEST }, 'wrong-asker'],
      [EAST, 'inquire', about(ended, SECOND), 'wrong-participant'],
      [EAST, 'inquire', about(open, FIRST), 'wrong-participant'],
      [EAST, 'inquire', about(far, FIRST), 'made-in-the-future'],
      [EAST, 'ping', { coordinator: incarnation }, 'wrong-asker'],
      [EAST, 'live', { transaction: open, coordinator: incarnation }, 'wrong-asker'],
    ];
    const before = await everything();
    const counted = ['wrong-asker', 'disbelieved', 'unreadable'] as const;
    const incidents = counted.map(count).reduce((a, b) => a + b);
    for (const [user, verb, body, code] of tries) {
      expect({ verb, body, ...(await ask(user, verb, body)) }).toMatchObject({
        ...{ verb, body, type: 'refused', code },
      });
    }
    expect(counted.map(count).reduce((a, b) => a + b) - incidents).toBe(tries.length);
    expect(await everything()).toEqual(before);
  });

  it('a participant reports its own branch, and inquires and enlists in its own name', async () => {
    const ended = await committed();
    expect(await ask(WEST, 'report-heuristic', about(ended, SECOND, LOST))).toMatchObject({
      type: 'recorded',
    });
    expect(await log.register.standing(ended)).toMatchObject({
      heuristics: [{ branch: SECOND, participant: WEST, evidence: LOST }],
    });
    expect(await ask(EAST, 'inquire', about(ended, FIRST))).toMatchObject({
      standing: { kind: 'decided', decision: 'commit' },
    });
    const open = manager.begin({ principal: 'client' }).transaction;
    const enlist = { transaction: open, instance: instanceId(1) };
    expect(await ask(INVENTORY, 'enlist', enlist)).toMatchObject({ type: 'enlisted', branch: '1' });
  });

  it('while the register is away no report is believed and none refused', async () => {
    const ended = await committed();
    const report = about(ended, SECOND, LOST);
    await forgotten(ended);
    await stage.server.stop({ mode: 'immediate' });
    for (const user of [EAST, WEST]) {
      expect(await ask(user, 'report-heuristic', report)).toMatchObject({ code: 'unavailable' });
    }
    await stage.server.start();
    dba = await stage.dba(url);
    const again = (user: ParticipantName) =>
      waitFor(
        async () => {
          const said = await ask(user, 'report-heuristic', report);
          return said['code'] === 'unavailable' ? undefined : said;
        },
        { what: 'the register to be back' },
      );
    expect(await again(EAST)).toMatchObject({ code: 'wrong-participant' });
    expect(await again(WEST)).toMatchObject({ type: 'recorded' });
  });

  it('made-up ids write so many rows and no more, which retention takes away again', async () => {
    const before = await rows('decision');
    const over = count('over-quota');
    const said = new Map<string, number>();
    for (let n = 0; n < BURST + 10; n++) {
      const { type, standing, code } = await ask(EAST, 'inquire', about(madeUp(), FIRST));
      const what = type === 'standing' ? JSON.stringify(standing) : String(code);
      said.set(what, (said.get(what) ?? 0) + 1);
    }
    expect(Object.fromEntries(said)).toEqual({
      '{"kind":"decided","decision":"abort"}': BURST,
      overloaded: 10,
    });
    expect((await rows('decision')) - before).toBe(BURST);
    const text = `SELECT note->'asked'->>'participant' AS asked FROM concordat.decision
      WHERE decision = 'abort' ORDER BY decided_at DESC LIMIT ${BURST}`;
    expect((await dba.query(text)).rows).toEqual(Array(BURST).fill({ asked: EAST }));
    expect(count('over-quota') - over).toBe(10);
    // Another one still has aborts recorded: its branches may be in doubt for a reason.
    expect(await ask(WEST, 'inquire', about(madeUp(), FIRST))).toMatchObject({
      standing: { decision: 'abort' },
    });
    await log.register.prune(0);
    // What is left is kept on purpose: the transaction that is heuristic.
    expect(await rows('decision')).toBe(await rows('heuristic'));
  });
});

function about(transaction: TransactionId, branch: string, evidence?: HeuristicEvidence) {
  return { transaction, branch, ...(evidence ? { evidence } : {}) };
}

interface Forgery {
  readonly subject: string;
  readonly body: object;
}

/** Every way to a coordinator with a question in the name of the victim. */
function forgeriesOf(
  victim: ParticipantName,
  ended: TransactionId,
  open: TransactionId,
): Forgery[] {
  const questions = {
    'report-heuristic': about(ended, victim === EAST ? FIRST : SECOND, LOST),
    enlist: { transaction: open, instance: instanceId(1) },
    inquire: about(madeUp(), FIRST),
  };
  const root = `concordat.${log.clusterId}.v1.coord`;
  return Object.entries(questions).flatMap(([verb, body]) =>
    [`p.${victim}`, `c.${incarnation}`].flatMap((asker) =>
      ['any', incarnation].map((to) => ({
        subject: `${root}.${asker}.${to}.${verb}`,
        body: { type: verb, participant: victim, ...body },
      })),
    ),
  );
}

/** Publishes as a user, with an inbox that suits the subject; the subjects that the broker refused. */
async function publishedInVain(user: string, forgeries: readonly Forgery[]): Promise<Set<string>> {
  const nats = await connect({ servers: broker.url, user, pass: passwords.get(user) });
  const refused = new Set<string>();
  try {
    void (async () => {
      for await (const status of nats.status()) {
        if (status.type !== 'error') continue;
        if (status.error instanceof PermissionViolationError) refused.add(status.error.subject);
      }
    })();
    for (const { subject, body } of forgeries) {
      const [, , , , kind, name] = subject.split('.');
      const token = randomBytes(8).toString('hex');
      const root = `concordat.${log.clusterId}.v1.reply.${kind}.${name}`;
      const reply = kind === 'p' ? `${root}.${instanceId(1)}.${token}` : `${root}.${token}`;
      nats.publish(subject, message(body), { reply });
    }
    // A violation of its own marks the end: the broker reports them in order.
    nats.publish('fence');
    await waitFor(() => refused.delete('fence'), { what: 'the last violation' });
    return refused;
  } finally {
    await nats.close();
  }
}

const message = (body: object): string => JSON.stringify({ v: 1, cluster: log.clusterId, ...body });

/** Asks below the own name of a participant, with its own credentials; resolves with the answer. */
async function ask(
  user: ParticipantName,
  verb: string,
  body: object,
): Promise<Record<string, unknown>> {
  const nats = await bareAs(user);
  const reply = subjects.replyToParticipant(user, instanceId(2), randomBytes(8).toString('hex'));
  const subject = `${subjects.questionPrefix({ participant: user })}${
    verb === 'enlist' || verb === 'ping' || verb === 'live' ? incarnation : 'any'
  }.${verb}`;
  const question = message({ type: verb, participant: user, ...body });
  const answer = await nats.request(subject, question, { reply, noMux: true, timeout: 20_000 });
  return answer.json();
}

const bare = new Map<string, NatsConnection>();

async function bareAs(user: string): Promise<NatsConnection> {
  let nats = bare.get(user);
  if (!nats) {
    nats = await connect({ servers: broker.url, user, pass: passwords.get(user) });
    bare.set(user, nats);
    const opened = nats;
    closers.push(() => opened.close());
  }
  return nats;
}
