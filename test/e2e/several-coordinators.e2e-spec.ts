/**
 * Three coordinators behind a balancer that sends every request to another one. Whose a transaction is
 * holds at each of them, with any fate of the one that began it: its client finds it, and for every
 * other client it is as unknown as one that never was.
 */
import { waitFor } from '@concordat/testing';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  idOfAStranger,
  Product,
  transferBody,
  type CoordinatorId,
  type Json,
} from '../stage/product.js';
import { forged } from './forged.js';
import { describeSameKey } from './same-key.js';
import { contradictions, COORDINATORS, StepByStep } from './step-by-step.js';

const LOCKED = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
const OTHERS: readonly CoordinatorId[] = ['coordinator', 'coordinator-3'];

describe('With several coordinators', () => {
  const other = randomBytes(32).toString('base64url');
  let folder: string;
  let product: Product;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'concordat-keys-'));
    const sha256 = createHash('sha256').update(other).digest('hex');
    const file = join(folder, 'keys.json');
    await writeFile(file, JSON.stringify([{ id: 'other', scope: 'client', sha256 }]));
    product = await Product.start({ armable: true, env: { CONCORDAT_KEYS_FILE: file } });
    await Promise.all(['coordinator-2', 'coordinator-3'].map((id) => start(id as CoordinatorId)));
    await product.openAccounts(1_000_000);
  });

  afterEach(() => product.restore());

  afterAll(async () => {
    await product.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (id: CoordinatorId) => product.startService(id);

  interface Asked {
    readonly at?: CoordinatorId;
    readonly key?: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
  }

  const post = (path: string, asked: Asked = {}) => product.request('POST', path, asked);
  const get = (path: string, asked: Asked = {}) => product.request('GET', path, asked);

  /** Begins at the coordinator that dies later; by default a transaction that stays open. */
  async function begin(body: unknown = {}, at: CoordinatorId = 'coordinator-2'): Promise<string> {
    const begun = await post('/v1/transactions', { body, at });
    expect(begun.status).toBeLessThan(300);
    return String(begun.body['transactionId']);
  }

  const transactionsOf = ({ body }: { readonly body: Json }) =>
    (body['transactions'] as unknown as Json[]).map((one) => String(one['transactionId']));

  const debit = {
    participant: 'ledger-east',
    operations: [{ name: 'debit', input: { account: 'alice', amount: 1 } }],
  };

  /** Asks in every way; the codes that do not say "unknown". */
  async function toldOther(id: string, at: CoordinatorId): Promise<string[]> {
    const path = `/v1/transactions/${id}`;
    const told: string[] = [];
    for (const [method, address, body] of [
      ['GET', path],
      ['HEAD', path],
      ['GET', `${path}?wait=20s&until=completed`],
      ['GET', `${path}/events`],
      ['POST', `${path}/branches`, debit],
      ['POST', `${path}/commit`],
      ['POST', `${path}/rollback`],
    ] as const) {
      const answer = await product.request(method, address, { at, key: other, body });
      const unknown = { transactionId: id, code: 'unknown-or-forgotten', status: 404 };
      const isUnknown =
        method === 'HEAD' ||
        Object.entries(unknown).every(
          ([name, value]) => (answer.body as Record<string, unknown>)[name] === value,
        );
      if (answer.status !== 404 || !isUnknown) told.push(`${method} ${address}: ${answer.status}`);
    }
    const { status } = await get('/v1/transactions?principal=client', { at, key: other });
    if (status !== 403) told.push(`list of client at ${at}: ${status}`);
    for (const filter of ['', '?status=committed', '?status=aborted']) {
      const page = await get(`/v1/transactions${filter}`, { at, key: other });
      if (transactionsOf(page).includes(id)) told.push(`list ${filter} at ${at}`);
    }
    return told;
  }

  describe('a transaction of another client', () => {
    it('is unknown at each of them right after the answer, and its own client finds it', async () => {
      const committed = await begin(transferBody(1));
      const open = await begin();
      for (const at of COORDINATORS) {
        expect(await toldOther(committed, at)).toEqual([]);
        expect(await toldOther(open, at)).toEqual([]);
        const found = await get(`/v1/transactions/${committed}`, { at });
        expect(found.body).toMatchObject({ decision: 'commit', principal: 'client' });
        const opened = await get(`/v1/transactions/${open}`, { at });
        expect(opened.status).toBe(200);
        expect(opened.body).toMatchObject({ principal: 'client' });
        expect(transactionsOf(await get('/v1/transactions', { at }))).toContain(committed);
      }
      expect(
        (await post(`/v1/transactions/${open}/rollback`, { at: 'coordinator-2' })).status,
      ).toBe(200);
    });

    it('is unknown also after its coordinator was killed, and its own client finds it', async () => {
      const open = await begin();
      const rolledBack = await begin();
      await post(`/v1/transactions/${rolledBack}/rollback`, { at: 'coordinator-2' });
      const committed = await begin(transferBody(1));
      await product.kill('coordinator-2');
      const ids = [open, rolledBack, committed];
      for (const at of OTHERS) {
        for (const id of ids) expect(await toldOther(id, at)).toEqual([]);
      }
      const statuses = ['aborted', 'aborted', 'committed'];
      for (const at of OTHERS) {
        for (const [index, id] of ids.entries()) {
          const found = await get(`/v1/transactions/${id}?wait=20s&until=completed`, { at });
          expect(found.body).toMatchObject({ status: statuses[index], principal: 'client' });
        }
        const listed = transactionsOf(await get('/v1/transactions', { at }));
        for (const id of ids) expect(listed).toContain(id);
        for (const id of ids) expect(await toldOther(id, at)).toEqual([]);
      }
    });

    it('is its client’s when a participant’s inquiry recorded the abort of a dead owner', async () => {
      product.arm('coordinator-2', 'decide.pre=kill');
      await begin(transferBody(1)).catch(() => undefined);
      await product.service('coordinator-2').exited;
      await product.untilNothingInDoubt();
      const [row] = await product.sql<{ transaction: string; principal: string }>(
        'concordat',
        `SELECT transaction, principal FROM concordat.decision
          WHERE decision = 'abort' ORDER BY transaction DESC LIMIT 1`,
      );
      expect(row?.principal).toBe('client');
      const id = String(row?.transaction);
      for (const at of OTHERS) {
        expect(await toldOther(id, at)).toEqual([]);
        const found = await get(`/v1/transactions/${id}`, { at });
        expect(found.body).toMatchObject({ status: 'aborted', principal: 'client' });
        expect(transactionsOf(await get('/v1/transactions?status=aborted', { at }))).toContain(id);
      }
    });

    it('is unknown while its coordinator does not answer, and its own client gets that answer', async () => {
      const open = await begin();
      product.service('coordinator-2').kill('SIGSTOP');
      expect(await toldOther(open, 'coordinator')).toEqual([]);
      const own = await get(`/v1/transactions/${open}`);
      expect(own.body).toMatchObject({ code: 'not-known-now', retryable: true });
    });

    it('is seen at each by operators and viewers', async () => {
      const open = await begin();
      for (const key of [product.viewerKey, product.operatorKey]) {
        for (const at of COORDINATORS) {
          const seen = await get(`/v1/transactions/${open}`, { at, key });
          expect(seen.body).toMatchObject({ transactionId: open, principal: 'client' });
        }
      }
    });
  });

  it('what a dead one left to its participant in one phase is settled, though nothing asks for it', async () => {
    await product.restart('coordinator-2', { env: { CONCORDAT_ONE_PHASE: 'enabled' } });
    const body = { branches: [debit], commit: true, timeoutMs: 1_000 };
    const alone = () => post('/v1/transactions?wait=1s', { body, at: 'coordinator-2' });
    let id = '';
    await waitFor(
      async () => (id = String((await alone()).body['transactionId'])).endsWith('-ledger-east'),
      { what: 'a single branch to be sent in one phase' },
    );
    product.service('ledger-east').kill('SIGSTOP');
    id = String((await alone()).body['transactionId']);
    const rows = (text: string) => product.sql('concordat', text, [id]);
    const isIn = (table: string) => async () =>
      (await rows(`SELECT FROM concordat.${table} WHERE transaction = $1`)).length > 0;
    await waitFor(isIn('journal'), { what: 'its owner to note it' });
    await product.kill('coordinator-2');
    product.service('ledger-east').kill('SIGCONT');
    await waitFor(isIn('decision'), { what: 'its end', timeoutMs: 30_000 });
  });

  it('an id that a client invents is unknown, to any request, and leaves nothing behind', async () => {
    const count = 'SELECT count(*)::int AS n FROM concordat.decision';
    const before = await product.sql('concordat', count);
    for (const at of COORDINATORS) {
      expect(await toldOther(idOfAStranger(), at)).toEqual([]);
    }
    expect(await product.sql('concordat', count)).toEqual(before);
  });

  describe('an operator’s key in a client’s open transaction', () => {
    const key = () => product.operatorKey;
    const audited = (id: string) =>
      product.sql<{ action: string; phase: string }>(
        'concordat',
        'SELECT action, phase FROM concordat.audit WHERE transaction = $1 ORDER BY sequence',
        [id],
      );

    it('neither works nor commits, at any coordinator and whether or not it is live', async () => {
      const open = await begin();
      for (const at of COORDINATORS) {
        for (const [what, body] of [['branches', debit], ['commit']] as const) {
          const answer = await post(`/v1/transactions/${open}/${what}`, { at, key: key(), body });
          expect(answer.status).toBe(403);
          expect(answer.body).toMatchObject({ code: 'forbidden', transactionId: open });
        }
      }
      expect((await get(`/v1/transactions/${open}`, { at: 'coordinator-2' })).body).toMatchObject({
        status: 'active',
        branches: [],
      });
      expect(await audited(open)).toEqual([]);
      await product.kill('coordinator-2');
      expect((await post(`/v1/transactions/${open}/commit`, { key: key() })).status).toBe(403);
    });

    it('rolls back at each of them, and that is audited before it is done', async () => {
      for (const at of COORDINATORS) {
        const open = await begin();
        const answer = await post(`/v1/transactions/${open}/rollback`, { at, key: key() });
        expect(answer.body).toMatchObject({ decision: 'abort' });
        expect(await audited(open)).toEqual([
          { action: 'abort', phase: 'asked' },
          { action: 'abort', phase: 'done' },
        ]);
      }
    });

    it('may do all of it in what it began itself, at the coordinator that began it', async () => {
      const begun = await post('/v1/transactions', { body: {}, key: key() });
      const path = `/v1/transactions/${String(begun.body['transactionId'])}`;
      expect((await post(`${path}/branches`, { key: key(), body: debit })).status).toBe(200);
      expect((await post(`${path}/commit`, { key: key() })).body).toMatchObject({
        decision: 'commit',
      });
    });
  });

  describe('an open transaction, whose every call goes to another coordinator', () => {
    const work = (id: string, asked: Asked = {}) =>
      post(`/v1/transactions/${id}/branches`, { body: debit, ...asked });
    const commit = (id: string, asked: Asked = {}) => post(`/v1/transactions/${id}/commit`, asked);
    const rollback = (id: string, asked: Asked = {}) =>
      post(`/v1/transactions/${id}/rollback`, asked);
    const owner = () => product.service('coordinator-2');
    const decisionOf = async (id: string) => {
      const text = 'SELECT decision FROM concordat.decision WHERE transaction = $1';
      return (await product.sql<{ decision: string }>('concordat', text, [id]))[0]?.decision;
    };

    /** Work on an account that no other test waits for. */
    const on = (account: string) => ({
      participant: 'ledger-east',
      operations: [{ name: 'debit', input: { account, amount: 1 } }],
    });

    const balanceOf = async (account: string) => {
      const text = 'SELECT balance FROM account WHERE id = $1';
      const [row] = await product.sql<{ balance: string }>('ledger-east', text, [account]);
      return Number(row?.balance);
    };

    beforeAll(async () => {
      await StepByStep.open(product);
      const operations = ['first', 'second'].map((account) => ({
        name: 'open',
        input: { account, amount: 100 },
      }));
      await product
        .client()
        .transactions.submit({ branches: [{ participant: 'ledger-east', operations }] });
    });

    it('commits, step by step, ten of ten, and its money is there', async () => {
      const steps = await StepByStep.over(product);
      await steps.times(10);
      expect(steps.told.filter(({ end }) => end !== 'committed')).toEqual([]);
      expect(await steps.wrong()).toEqual([]);
    });

    it('commits or aborts while coordinators die and are restarted, and one retry fixes all', async () => {
      const steps = await StepByStep.over(product);
      let isOver = false;
      const load = steps.load(10, () => isOver);
      await product.kill('coordinator-3');
      await start('coordinator-3');
      await steps.untilAllServe(1);
      await product.restart('coordinator-2');
      isOver = true;
      await load;
      const unmended = steps.told.filter(({ end }) => end === 'unmended');
      expect({ wrong: await steps.wrong(), unmended }).toEqual({ wrong: [], unmended: [] });
      expect(steps.told.filter(({ end }) => end === 'committed').length).toBeGreaterThan(10);
    });

    it('is counted where it is sent on and where it is done, with how long it took', async () => {
      const numbers = async (at: CoordinatorId, name: string): Promise<number> => {
        const headers = { authorization: `Bearer ${product.viewerKey}` };
        const text = await (await fetch(`${product.url(at)}/metrics`, { headers })).text();
        const line = text.split('\n').find((one) => one.startsWith(`concordat_${name} `));
        return Number(line?.split(' ').at(-1));
      };
      const all = () =>
        Promise.all([
          numbers('coordinator', 'forwards_total{result="answered"}'),
          numbers('coordinator', 'forward_seconds_count'),
          numbers('coordinator', 'forwards_under_way'),
          numbers('coordinator-2', 'forwards_carried_out_total'),
        ]);
      const [answered, timed, , done] = await all();
      const id = await begin();
      expect((await work(id, { at: 'coordinator' })).status).toBe(200);
      expect((await rollback(id, { at: 'coordinator' })).status).toBe(200);
      expect(await all()).toEqual([answered + 2, timed + 2, 0, done + 2]);
    });

    it('is rolled back anywhere, and releases its locks at once', async () => {
      const id = await begin();
      expect((await work(id, { at: 'coordinator' })).status).toBe(200);
      const answer = await rollback(id, {
        at: 'coordinator-3',
        body: { reason: 'changed my mind' },
      });
      expect(answer.body).toMatchObject({
        status: 'aborting',
        cause: { kind: 'rollback-requested', reason: 'changed my mind' },
      });
      expect((await commit(id)).body).toMatchObject({ code: 'transaction-aborted' });
      expect((await work(id)).body).toMatchObject({ code: 'transaction-aborted' });
      const next = await begin(transferBody(1), 'coordinator');
      expect(await decisionOf(next)).toBe('commit');
      expect(await contradictions(product, id)).toEqual([]);
    });

    it('answers elsewhere as its owner does, and later: moments, instants, preferences, entity tags', async () => {
      const id = await begin();
      await work(id, { at: 'coordinator' });
      const answer = await post(`/v1/transactions/${id}/commit?until=completed`, {
        at: 'coordinator-3',
        headers: { prefer: 'wait=20' },
      });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ status: 'committed', principal: 'client' });
      expect(answer.headers.get('preference-applied')).toBe('wait=20');
      expect(answer.headers.get('location')).toBe(`/v1/transactions/${id}`);
      expect(answer.headers.get('etag')).not.toBeNull();
      expect(await contradictions(product, id, answer, 'coordinator-2')).toEqual([]);
      expect((await rollback(id)).body).toMatchObject({ code: 'already-committed' });
      const refused = await work(await begin(), {
        body: { participant: 'nobody', operations: [{ name: 'x' }] },
      });
      expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(refused.body).toMatchObject({ cause: { kind: 'unreachable', participant: 'nobody' } });
    });

    it('runs work under a key once, to any coordinator the repeat is sent', async () => {
      const id = await begin();
      const headers = { 'idempotency-key': 'work-1' };
      const answers = [];
      for (const at of [...COORDINATORS, ...COORDINATORS]) {
        answers.push(await work(id, { at, headers }));
      }
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      const replays = answers.map((one) => one.headers.get('idempotent-replayed'));
      expect(replays).toEqual([null, 'true', 'true', 'true', 'true', 'true']);
      const joined = await Promise.all(
        COORDINATORS.map((at) => work(id, { at, headers: { 'idempotency-key': 'work-2' } })),
      );
      expect(new Set(joined.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      const other = await work(id, { headers, body: { ...debit, participant: 'ledger-west' } });
      expect(other.body).toMatchObject({ code: 'idempotency-key-reused' });
      const before = (await product.balances()).alice;
      await commit(id);
      await product.untilAllEnded();
      expect((await product.balances()).alice).toBe(before - 2);
    });

    it('that is too large for a message to its owner is refused by that name, and lives on', async () => {
      const id = await begin();
      const large = (length: number) => ({
        participant: 'ledger-east',
        operations: [{ name: 'debit', input: { account: 'x'.repeat(length), amount: 1 } }],
      });
      const most = 1_048_576 - JSON.stringify(large(0)).length;
      const answer = await work(id, { body: large(most) });
      expect(answer.status).toBe(413);
      expect(answer.body).toMatchObject({ code: 'forward-too-large', transactionId: id });
      expect((await work(id)).status).toBe(200);
      expect((await commit(id)).status).toBe(200);
    });

    it('whose owner is silent: nothing is claimed, and a rollback goes through the register', async () => {
      const [committed, rolledBack] = [await begin(), await begin()];
      await work(committed);
      owner().kill('SIGSTOP');
      const asked = await commit(committed, { at: 'coordinator-3' });
      expect(asked.status).toBe(503);
      expect(asked.body).toMatchObject({ code: 'not-known-now', retryable: true });
      const unkeyed = await work(committed);
      expect(unkeyed.body).toMatchObject({ code: 'not-known-now', retryable: false });
      const ended = await rollback(rolledBack);
      expect(ended.body).toMatchObject({ decision: 'abort', status: 'aborted' });
      expect(await decisionOf(committed)).toBeUndefined();
      owner().kill('SIGCONT');
      // What was sent meanwhile is carried out now, late: the first commit decides.
      expect((await commit(committed)).body).toMatchObject({ decision: 'commit' });
      expect((await commit(rolledBack)).body).toMatchObject({ code: 'transaction-aborted' });
      expect(await decisionOf(rolledBack)).toBe('abort');
    });

    it('whose owner dies between two calls releases its rows within seconds', async () => {
      const body = on('first');
      const id = await begin();
      expect((await work(id, { body })).status).toBe(200);
      const next = work(await begin({}, 'coordinator'), { at: 'coordinator', body });
      await waitFor(async () => (await product.sql('ledger-east', LOCKED)).length > 0, {
        what: 'the next to wait for its row',
      });
      const from = performance.now();
      await product.kill('coordinator-2');
      expect((await next).status).toBe(200);
      expect(performance.now() - from).toBeLessThan(8_000);
      expect(await decisionOf(id)).toBe('abort');
    });

    it('whose owner dies in the middle of work is aborted, and answered soon', async () => {
      const body = on('first');
      const id = await begin();
      const blocker = await begin({}, 'coordinator');
      expect((await work(blocker, { body })).status).toBe(200);
      const waiting = work(id, { at: 'coordinator-3', body });
      await waitFor(async () => (await product.sql('ledger-east', LOCKED)).length > 0, {
        what: 'the work to wait for a lock',
      });
      const from = performance.now();
      await product.kill('coordinator-2');
      expect((await waiting).body).toMatchObject({ code: 'transaction-aborted' });
      expect(performance.now() - from).toBeLessThan(10_000);
      expect(await decisionOf(id)).toBe('abort');
      await rollback(blocker);
    });

    it('whose forwarder dies in the middle of work gets the answer by a repeat under the key', async () => {
      const body = on('second');
      const id = await begin();
      const blocker = await begin({}, 'coordinator');
      expect((await work(blocker, { body })).status).toBe(200);
      const headers = { 'idempotency-key': 'work-3' };
      const lost = work(id, { at: 'coordinator-3', headers, body }).catch(() => 'lost');
      await waitFor(async () => (await product.sql('ledger-east', LOCKED)).length > 0, {
        what: 'the work to wait for a lock',
      });
      await product.kill('coordinator-3');
      expect(await lost).toBe('lost');
      const again = work(id, { headers, body });
      await rollback(blocker, { at: 'coordinator' });
      expect((await again).headers.get('idempotent-replayed')).toBe('true');
      expect((await commit(id)).body).toMatchObject({ decision: 'commit' });
      await product.untilAllEnded();
      expect(await balanceOf('second')).toBe(99);
    });

    it('is asked for its rights again by its owner, also by a coordinator', async () => {
      const id = await begin();
      expect(await forged(product, id)).toEqual([
        ['other', 'client', 404],
        ['operator', 'operator', 403],
      ]);
      expect((await get(`/v1/transactions/${id}`, { at: 'coordinator-2' })).body).toMatchObject({
        status: 'active',
      });
    });
  });

  describeSameKey(() => product);
});
