/** Health is true, recovers by itself, and a stop leaves nothing half-done. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { NatsCoordinatorChannel, connectChannel, type ChannelConnection } from '@concordat/channel';
import {
  madeAtMs,
  type BranchId,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { connect } from '@nats-io/transport-node';
import { WrongClock } from '../faults/stage/wrong-clock.js';
import { loadedByAStart } from '../stage/loaded.js';
import { idOfAStranger, Product } from '../stage/product.js';

const DAY_MS = 24 * 3_600_000;
/** Measured, it is some milliseconds more or less, and cut. */
const EIGHT_DAYS = '(8 d|7 d 23 h)';
const RETENTION_MS = 7 * DAY_MS;
const MAIN = resolve(import.meta.dirname, '../../apps/coordinator/dist/main.js');

describe('The coordinator', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ participants: [] });
  });

  afterAll(() => product.dispose());

  const ready = () => product.request('GET', '/readyz');
  const begin = () => product.request('POST', '/v1/transactions', { body: {} });
  /** Leaves nothing open, so that a later stop has nothing to wait for. */
  async function beginAndRollBack(): Promise<void> {
    const begun = await begin();
    expect(begun.status).toBe(201);
    const path = `/v1/transactions/${String(begun.body['transactionId'])}`;
    await product.request('POST', `${path}/rollback`);
  }
  const untilReady = (status: number) =>
    waitFor(async () => (await ready()).status === status, { what: `/readyz to say ${status}` });

  it('is ready when the register and the broker answer, and names both', async () => {
    const { status, body } = await ready();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'ready',
      dependencies: { register: { ok: true }, broker: { ok: true } },
    });
  });

  it('reports its health without a key, and its metrics to operators only', async () => {
    for (const path of ['/livez', '/startupz', '/readyz', '/docs', '/openapi.json', '/problems']) {
      expect((await fetch(`${product.coordinatorUrl}${path}`)).status).toBe(200);
    }
    const metrics = await fetch(`${product.coordinatorUrl}/metrics`, {
      headers: { authorization: `Bearer ${product.operatorKey}` },
    });
    const text = await metrics.text();
    for (const name of [
      'concordat_transactions_ended_total{outcome="committed"}',
      'concordat_transactions_live',
      'concordat_decision_seconds_bucket',
      'concordat_register_batches_total',
      'concordat_unfinished_commits',
      'concordat_unfinished_oldest_seconds',
      'concordat_broker_connected 1',
      'concordat_ready 1',
    ]) {
      expect(text).toContain(name);
    }
  });

  it('keeps an idle connection for longer than the minute for which proxies do', async () => {
    expect((await ready()).headers.get('keep-alive')).toBe('timeout=75');
  });

  it('is not ready while the broker is away, begins nothing, and recovers by itself', async () => {
    await product.stack.nats.stop();
    await untilReady(503);
    expect((await ready()).body).toMatchObject({
      status: 'not-ready',
      dependencies: { register: { ok: true }, broker: { ok: false } },
    });
    const refused = await begin();
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'broker-unavailable', retryable: true });
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect((await product.request('GET', '/livez')).status).toBe(200);
    await product.stack.nats.start();
    await untilReady(200);
    await beginAndRollBack();
  });

  it('is not ready while the register is away, begins nothing, and recovers by itself', async () => {
    await product.stack.postgres.stop({ mode: 'immediate' });
    await untilReady(503);
    expect((await ready()).body).toMatchObject({
      status: 'not-ready',
      dependencies: { register: { ok: false }, broker: { ok: true } },
    });
    const refused = await begin();
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'register-unavailable', retryable: true });
    const unknown = await product.request('GET', `/v1/transactions/${idOfAStranger()}`, {
      key: product.operatorKey,
    });
    // Not 404: nothing may be claimed about a transaction while no look is possible.
    expect(unknown.status).toBe(503);
    await product.stack.postgres.start();
    await untilReady(200);
    await beginAndRollBack();
  });

  it('announces itself as soon as it can answer, so that no branch in doubt need wait', async () => {
    const listening = await connect({ servers: product.stack.nats.url });
    try {
      const heard: string[] = [];
      listening.subscribe('concordat.*.v1.event.coordinator-up', {
        callback: (_error, message) => {
          heard.push(message.string());
        },
      });
      await listening.flush();
      await product.restart('coordinator');
      await waitFor(() => heard.length > 0, { what: 'the coordinator to say that it is up' });
      expect(JSON.parse(heard[0] ?? '')).toMatchObject({ v: 1, type: 'coordinator-up' });
    } finally {
      await listening.close();
    }
  });

  it('lets participants forget nothing that is younger than its horizon of ten minutes', async () => {
    const connection = await connectChannel({ servers: product.stack.nats.url, name: 'asker' });
    try {
      const coordinators = new NatsCoordinatorChannel(connection, {
        cluster: await product.cluster(),
        asker: { participant: 'asker' as ParticipantName, instance: 'asker001' as InstanceId },
      });
      const answer = await coordinators.lowWaterMark();
      const below = answer.kind === 'answered' ? madeAtMs(answer.answer.below) : Number.NaN;
      expect(below).toBeLessThanOrEqual(Date.now() - 10 * 60_000);
      expect(below).toBeGreaterThan(Date.now() - 11 * 60_000);
    } finally {
      await connection.close();
    }
  });

  describe('on a machine whose clock is wrong', () => {
    let clock: WrongClock;

    beforeAll(async () => {
      clock = await WrongClock.make();
      await beginAndRollBack();
      const told = 'SELECT FROM concordat.journal';
      await waitFor(async () => (await product.sql('concordat', told)).length > 0, {
        what: 'the history to have something that could be forgotten',
      });
    });

    afterAll(async () => {
      await clock.dispose();
      await product.restart('coordinator');
    });

    /** What may be forgotten goes by the database, whose clock is the test's. */
    async function expectNothingForgottenEarly(): Promise<void> {
      const text = `SELECT below, (SELECT count(*)::int FROM concordat.journal) AS told
                      FROM concordat.pruning_mark`;
      const [row] = await product.sql<{ below: TransactionId; told: number }>('concordat', text);
      expect(row?.told).toBeGreaterThan(0);
      if (row?.below) expect(madeAtMs(row.below)).toBeLessThanOrEqual(Date.now() - RETENTION_MS);
    }

    it.each([
      ['ahead of', 8 * DAY_MS],
      ['behind', -8 * DAY_MS],
    ])(
      'is not ready while it is eight days %s, forgets nothing, aborts nothing, and recovers by itself',
      async (side, offMs) => {
        await clock.preset(offMs);
        const service = await product.restart('coordinator', {
          env: clock.env,
          // Its first pruning, a heartbeat after the start.
          said: 'prune did not succeed and is tried again: nothing is forgotten now: the clock',
        });
        expect(await ready()).toMatchObject({
          status: 503,
          body: {
            status: 'not-ready',
            dependencies: {
              register: { ok: true },
              clock: { ok: false, detail: expect.stringMatching(`${EIGHT_DAYS} ${side} the`) },
            },
          },
        });
        const refused = await begin();
        expect(refused).toMatchObject({
          status: 503,
          body: {
            code: 'clock-off',
            retryable: true,
            detail: expect.stringMatching(/^Nothing was/),
          },
        });
        expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
        await expectNothingForgottenEarly();
        const { checks } = await product.admin().doctor();
        expect(checks).toContainEqual({
          at: 'coordinator',
          name: 'clock',
          result: 'bad',
          found: expect.stringMatching(
            `^${EIGHT_DAYS} ${side} the decision database's$`,
          ) as unknown,
          remedy: expect.stringContaining('set the wrong one right') as unknown,
        });
        await clock.set(service, 0);
        expect((await ready()).status).toBe(200); // At once, without a restart.
        const open = await begin();
        expect(open.status).toBe(201);
        const path = `/v1/transactions/${String(open.body['transactionId'])}`;
        await clock.set(service, offMs);
        expect((await begin()).body).toMatchObject({ code: 'clock-off' });
        // What has begun is carried through.
        expect(await product.request('POST', `${path}/commit`)).toMatchObject({
          status: 200,
          body: { status: 'committed' },
        });
        await clock.set(service, 0);
        await beginAndRollBack();
      },
    );
  });

  describe('beside one on a clone of its register', () => {
    const CLONE = 'cloned_register';
    const BOTH = ['coordinator', 'coordinator-2'] as const;
    const decided = idOfAStranger() as TransactionId;
    let cloneUrl: string;
    let connection: ChannelConnection;

    beforeAll(async () => {
      await product.service('coordinator').stop(); // No session may be open while it is copied.
      const original = new URL(product.stack.databases.concordat);
      const name = original.pathname.slice(1);
      const copied = `CREATE DATABASE ${CLONE} TEMPLATE ${name} OWNER ${original.username}`;
      await product.sql('superuser', copied);
      cloneUrl = Object.assign(new URL(original), { pathname: `/${CLONE}` }).href;
      await product.startService('coordinator');
      // What has been decided since, the clone does not know.
      await product.sql(
        'concordat',
        `INSERT INTO concordat.decision (transaction, decision, finisher, branches, ended_at, outcome)
         VALUES ($1, 'commit', '00000000', '[{"branch":"1","participant":"asker"}]', now(), 'committed')`,
        [decided],
      );
      connection = await connectChannel({ servers: product.stack.nats.url, name: 'in doubt' });
    });

    afterAll(async () => {
      await connection?.close();
    });

    /** Stops the second one, and waits until the first has looked after it without an answer. */
    async function untilAskedInVain(): Promise<void> {
      product.service('coordinator-2').kill('SIGSTOP');
      const listening = await connect({ servers: product.stack.nats.url });
      try {
        let heard = 0;
        listening.subscribe('concordat.*.v1.coord.c.*.*.ping', {
          callback: () => void (heard += 1),
        });
        await listening.flush();
        await waitFor(() => heard >= 2, { what: 'a second ping, after one without an answer' });
      } finally {
        await listening.close();
      }
    }

    it('gives no answer, nor does that one at any time, and goes on once it is alone', async () => {
      const participant = 'asker' as ParticipantName;
      const coordinators = new NatsCoordinatorChannel(connection, {
        cluster: await product.cluster(),
        asker: { participant, instance: 'asker001' as InstanceId },
      });
      const heard = { commit: 0, abort: 0, nothing: 0 };
      const inquire = async (): Promise<void> => {
        const inquiry = { transaction: decided, branch: '1' as BranchId, participant };
        const answer = await coordinators.inquire(inquiry);
        const told = answer.kind === 'answered' ? answer.answer : undefined;
        heard[told?.kind === 'decided' ? told.decision : 'nothing'] += 1;
      };
      await inquire();
      expect(heard).toEqual({ commit: 1, abort: 0, nothing: 0 });
      let isOver = false;
      const inDoubt = (async () => {
        while (!isOver) await inquire();
      })();
      try {
        await product.startService('coordinator-2', {
          env: { DATABASE_URL: cloneUrl },
          said: 'another register under this cluster id',
        });
        const found = expect.stringContaining(`database ${CLONE} (oid `) as unknown;
        for (const at of BOTH) {
          const answers = async () =>
            (await product.request('GET', '/livez', { at })).status === 200;
          await waitFor(() => answers().catch(() => false), { what: `${at} to listen` });
          expect(await product.request('GET', '/readyz', { at })).toMatchObject({
            status: 503,
            body: {
              dependencies: {
                register: { ok: true },
                peers: { ok: false, detail: expect.stringContaining('works on another register') },
              },
            },
          });
          const refused = [
            await product.request('POST', '/v1/transactions', { at, body: {} }),
            // A client gets 404 for what is not its own, with any state of the register.
            await product.request('GET', `/v1/transactions/${decided}`, {
              at,
              key: product.operatorKey,
            }),
          ];
          for (const one of refused) {
            expect(one).toMatchObject({ status: 503, body: { code: 'another-register' } });
            expect(one.headers.get('retry-after')).toMatch(/^\d+$/);
          }
          const { checks } = await product.admin(product.operatorKey, at).doctor();
          expect(checks).toContainEqual(
            expect.objectContaining({ name: 'one register', result: 'bad', found }),
          );
        }
        heard.commit = 0;
        for (let n = 0; n < 20; n++) await inquire();
        expect(heard).toMatchObject({ commit: 0, abort: 0 });
        await untilAskedInVain();
        expect((await ready()).status).toBe(503);
        await product.kill('coordinator-2');
        await untilReady(200);
      } finally {
        isOver = true;
        await inDoubt;
      }
      const told = heard.commit;
      await inquire();
      expect(heard).toMatchObject({ commit: told + 1, abort: 0 });
      await beginAndRollBack();
    });
  });

  describe('asked to stop', () => {
    it('admits nothing more, lets an open transaction be committed, and ends with 0', async () => {
      const open = await begin();
      const path = `/v1/transactions/${String(open.body['transactionId'])}`;
      const service = product.service('coordinator');
      service.kill('SIGTERM');
      await untilReady(503);
      expect((await ready()).body).toMatchObject({ status: 'draining' });
      const refused = await begin();
      expect(refused.body).toMatchObject({ status: 503, code: 'shutting-down' });
      const committed = await product.request('POST', `${path}/commit`);
      expect(committed.status).toBe(200);
      expect(await service.exited).toMatchObject({ code: 0 });
      await product.startService('coordinator');
      expect((await product.request('GET', path)).body).toMatchObject({ status: 'committed' });
    });

    it('says so before it refuses anything, for as long as balancers need', async () => {
      const noticeMs = 1_500;
      const env = { CONCORDAT_DRAIN_NOTICE_MS: String(noticeMs) };
      const service = await product.restart('coordinator', { env });
      const from = performance.now();
      service.kill('SIGTERM');
      await untilReady(503);
      await beginAndRollBack();
      const refused = await waitFor(
        async () => {
          const answer = await begin().catch(() => undefined);
          // Nothing was open any more: it may end before it could refuse.
          if (!answer || answer.status === 503) return { code: answer?.body['code'] };
          await product.request('POST', `${String(answer.headers.get('location'))}/rollback`);
          return undefined;
        },
        { what: 'a begin to be refused' },
      );
      expect(refused.code ?? 'shutting-down').toBe('shutting-down');
      expect(await service.exited).toMatchObject({ code: 0 });
      expect(performance.now() - from).toBeGreaterThan(noticeMs);
      await product.startService('coordinator');
    });

    it('by a terminal that goes away ends in good order', async () => {
      const open = await begin();
      const path = `/v1/transactions/${String(open.body['transactionId'])}`;
      const service = product.service('coordinator');
      service.kill('SIGHUP');
      await untilReady(503);
      expect((await product.request('POST', `${path}/commit`)).status).toBe(200);
      expect(await service.exited).toMatchObject({ code: 0 });
      await product.startService('coordinator');
    });

    it('ends the requests that wait', async () => {
      const open = await begin();
      const path = `/v1/transactions/${String(open.body['transactionId'])}`;
      const waiting = product.request('GET', `${path}?wait=60s`);
      const timeline = await fetch(`${product.coordinatorUrl}${path}/events`, {
        headers: {
          authorization: `Bearer ${product.clientKey}`,
          accept: 'text/event-stream',
        },
      });
      expect(timeline.status).toBe(200);
      const service = product.service('coordinator');
      service.kill('SIGINT');
      expect((await waiting).body).toMatchObject({ status: 'active' });
      expect(await timeline.text()).toContain('event: begun');
      await product.request('POST', `${path}/rollback`);
      expect(await service.exited).toMatchObject({ code: 0 });
      await product.startService('coordinator');
    });

    it('while the register is away still ends with 0, and soon', async () => {
      await product.stack.postgres.stop({ mode: 'immediate' });
      const service = product.service('coordinator');
      const from = performance.now();
      service.kill('SIGTERM');
      expect(await service.exited).toMatchObject({ code: 0 });
      expect(performance.now() - from).toBeLessThan(15_000);
      await product.stack.postgres.start();
    });
  });

  it('gets ready without what only its documentation, its files or a migration needs', async () => {
    const asked = ['pg', 'typeorm', 'express', '@nestjs/swagger'];
    expect(await loadedByAStart(product, 'coordinator', asked)).toEqual(['pg']);
  });
});

describe('A coordinator does not start', () => {
  const key = 'a'.repeat(64);
  const usable = {
    PATH: process.env['PATH'],
    PORT: '0',
    DATABASE_URL: 'postgres://u:very-secret@127.0.0.1:1/x',
    NATS_URL: 'nats://127.0.0.1:1',
    CONCORDAT_START_WAIT_MS: '0',
    CONCORDAT_CLIENT_KEY_SHA256: key,
  };

  /** Starts it with an environment and resolves with how it ended. */
  function start(env: NodeJS.ProcessEnv): Promise<{ code: number | null; said: string }> {
    const child = spawn(process.execPath, [MAIN], { env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => (said += String(chunk)));
    }
    return new Promise((done) => child.once('close', (code) => done({ code, said })));
  }

  it('without keys, and says how to make one', async () => {
    const { code, said } = await start({ ...usable, CONCORDAT_CLIENT_KEY_SHA256: '' });
    expect(code).toBe(1);
    expect(said).toMatch(/No API key .*keygen --scope client/);
  });

  it('with a key that is a default word', async () => {
    // SHA-256 of "changeme".
    const weak = '057ba03d6c44104863dc7361fe4578965d1887360f90a0895882e58a6248fc86';
    const { code, said } = await start({ ...usable, CONCORDAT_CLIENT_KEY_SHA256: weak });
    expect(code).toBe(1);
    expect(said).toMatch(/default word "changeme".*keygen/);
  });

  it('with a wrong environment, and names everything wrong at once but no secret', async () => {
    const { code, said } = await start({
      ...usable,
      PORT: 'http',
      DATABASE_URL: 'mysql://u:very-secret@127.0.0.1/x',
      CONCORDAT_CLIENT_KEY_SHA256: 'my-plain-key',
    });
    expect(code).toBe(1);
    for (const name of ['PORT', 'DATABASE_URL', 'CONCORDAT_CLIENT_KEY_SHA256']) {
      expect(said).toContain(name);
    }
    expect(said).not.toMatch(/very-secret|my-plain-key/);
  });

  it('without a database, and says where it looked but not the password', async () => {
    const { code, said } = await start(usable);
    expect(code).toBe(1);
    expect(said).toMatch(/127\.0\.0\.1:1.*\nRemedy: start it, or correct its URL/);
    expect(said).not.toMatch(/very-secret|\n +at /);
  });
});
