/**
 * What participants do in edge cases: failed SQL that is never mentioned, slow operations, a DBA, used-up
 * slots, foreign prepared transactions.
 */
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { idOfAStranger, Product, transferBody } from '../stage/product.js';

describe('A branch', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ armable: true });
    await product.openAccounts(10_000);
  });

  afterAll(() => product.dispose());

  const post = (body: unknown) => product.request('POST', '/v1/transactions', { body });

  it('that hangs is aborted at the deadline, and its late prepare cannot land', async () => {
    const before = await product.balances();
    product.arm('ledger-west', 'prepare.pre#1=stop');
    const from = performance.now();
    const answer = await post(transferBody(100, { timeoutMs: 4_000 }));
    expect(answer.status).toBe(409);
    expect(answer.body['cause']).toMatchObject({ kind: 'deadline', missing: ['ledger-west'] });
    expect(performance.now() - from).toBeLessThan(10_000);
    // It wakes and goes on to prepare, long after all others have given up.
    product.service('ledger-west').kill('SIGCONT');
    const id = String(answer.body['transactionId']);
    await product.request('GET', `/v1/transactions/${id}?wait=20s&until=completed`);
    await product.untilAllEnded();
    expect(await product.balances()).toEqual(before);
    const text = 'SELECT kind FROM concordat_branch WHERE transaction = $1';
    expect(await product.sql('ledger-west', text, [id])).toEqual([{ kind: 'tombstone' }]);
  });

  it('that hangs takes nothing from those of other participants, however many are undecided for it', async () => {
    const env = { CONCORDAT_LIVE_MAX_PER_KEY: '2', CONCORDAT_ONE_PHASE: 'enabled' };
    await product.restart('coordinator', { env });
    const alone = (participant: string, account: string) => {
      const branches = [{ participant, operations: [{ name: 'balance', input: { account } }] }];
      const body = { branches, commit: true, timeoutMs: 1_000 };
      return product.request('POST', '/v1/transactions?wait=3s', { body });
    };
    const isAlone = async () =>
      String((await alone('ledger-west', 'bob')).body['transactionId']).endsWith('-ledger-west');
    await waitFor(isAlone, { what: 'a single branch to be sent in one phase' });
    product.service('ledger-west').kill('SIGSTOP');
    const answers = await Promise.all([alone('ledger-west', 'bob'), alone('ledger-west', 'bob')]);
    expect(answers.map(({ body }) => body['status'])).toEqual(['deciding', 'deciding']);
    // As many as one key may have. They only wait for what their participant has decided.
    expect((await alone('ledger-east', 'alice')).status).toBe(200);
    product.service('ledger-west').kill('SIGCONT');
    await product.restart('coordinator');
  });

  it('commits in one phase soon after a host has emptied all its tables', async () => {
    await product.restart('coordinator', { env: { CONCORDAT_ONE_PHASE: 'enabled' } });
    const alone = () => {
      const operations = [{ name: 'credit', input: { account: 'bob', amount: 1 } }];
      return post({ branches: [{ participant: 'ledger-west', operations }], commit: true });
    };
    const isAlone = async () =>
      String((await alone()).body['transactionId']).endsWith('-ledger-west');
    await waitFor(isAlone, { what: 'a single branch to be committed in one phase' });
    await product.sql('ledger-west', 'TRUNCATE concordat_closed, concordat_branch');
    expect(await alone()).toMatchObject({ status: 200, body: { decision: 'commit' } });
    await waitFor(isAlone, { what: 'one phase again' });
    await product.restart('coordinator');
  });

  it('that votes while its coordinator drains decides an answer, not a promise to look again', async () => {
    product.arm('ledger-west', 'prepare.pre#1=stop');
    const answer = post(transferBody(100, { timeoutMs: 9_000 }));
    await product.service('ledger-west').untilStopped();
    const coordinator = product.service('coordinator');
    coordinator.kill('SIGTERM');
    await waitFor(async () => (await product.request('GET', '/readyz')).status === 503, {
      what: 'the coordinator to drain',
    });
    product.service('ledger-west').kill('SIGCONT');
    expect(await answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
    expect(await coordinator.exited).toMatchObject({ code: 0 });
    await product.restore();
  });

  it('that a DBA rolled back makes its transaction heuristic, never committed', async () => {
    product.arm('ledger-west', 'commit.pre#1=stop');
    const answer = await post(transferBody(100));
    expect(answer.status).toBe(200);
    await product.untilReached('ledger-west', 'commit.pre');
    const [gid] = (await product.prepared())
      .filter((one) => one.database === 'ledger_west')
      .map((one) => one.gid);
    await product.sql('ledger-west', `ROLLBACK PREPARED '${String(gid)}'`);
    product.service('ledger-west').kill('SIGCONT');
    const id = String(answer.body['transactionId']);
    const path = `/v1/transactions/${id}?wait=20s&until=completed`;
    const { body } = await product.request('GET', path);
    expect(body).toMatchObject({ decision: 'commit', status: 'heuristic-mixed' });
    const west = (body['branches'] as unknown as Record<string, unknown>[]).find(
      (one) => one['participant'] === 'ledger-west',
    );
    expect(west).toMatchObject({
      outcome: { kind: 'heuristic', evidence: { decision: 'commit', found: 'missing' } },
    });
    // It is still heuristic after all processes have forgotten: it is in the register.
    await product.restart('coordinator');
    const later = await product.request('GET', `/v1/transactions/${id}`);
    expect(later.body).toMatchObject({ status: 'heuristic-mixed' });
    const reason = 'booked manually, see ledger entry 12';
    const act = `/v1/admin/transactions/${id}/actions`;
    const acknowledged = { action: 'acknowledge', reason, ticket: '12' } as const;
    const refused = await product.request('POST', act, { body: acknowledged });
    expect(refused.status).toBe(403);
    const { etag } = await product.admin().transaction(id);
    const { transaction } = await product.admin().act(id, acknowledged, etag);
    expect(transaction).toMatchObject({ resolved: { reason: `${reason} (12)` } });
  });

  it('that waits for a row says so before its time is over, with the table and who holds it', async () => {
    const { ledger_west } = product.stack.databases;
    const holder = new pg.Client({ connectionString: ledger_west, application_name: 'month end' });
    await holder.connect();
    await holder.query(`BEGIN; SELECT FROM account WHERE id = 'bob' FOR UPDATE`);
    const answer = await post(transferBody(100, { timeoutMs: 3_000 }));
    await holder.end();
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      retryable: true,
      cause: {
        ...{ kind: 'vote', participant: 'ledger-west', code: 'LOCK_TIMEOUT' },
        details: { relation: 'account', holder: { application: 'month end' } },
      },
    });
    expect(answer.body['detail']).toMatch(/a row of account, .* held by session \d+ \(month end\)/);
    const said = product.service('ledger-west').output();
    expect(said).toMatch(/votes no, LOCK_TIMEOUT/);
    expect(said).not.toMatch(/connection to the database was lost/);
  });

  it('never touches a prepared transaction that is not ours', async () => {
    const database = 'ledger-east';
    await product.sql(database, 'CREATE TABLE IF NOT EXISTS planted (id int)');
    const strange = `cc:zzzzzzzz:${idOfAStranger()}:1`;
    for (const gid of ['somebody-elses', strange]) {
      await product.sql(
        database,
        `BEGIN; INSERT INTO planted VALUES (1); PREPARE TRANSACTION '${gid}'`,
      );
    }
    expect((await post(transferBody(1))).status).toBe(200);
    await product.restart('ledger-east');
    await product.restart('coordinator');
    const own = async () =>
      (await product.prepared()).filter(
        ({ gid }) => !gid.includes('zzzzzzzz') && gid.startsWith('cc:'),
      );
    await waitFor(async () => (await own()).length === 0, { what: 'our own branches to end' });
    const left = (await product.prepared()).map((one) => one.gid).sort();
    expect(left).toEqual([strange, 'somebody-elses']);
    for (const gid of left) await product.sql(database, `ROLLBACK PREPARED '${gid}'`);
  });
});

describe('When the prepared slots are spent', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({
      postgres: { settings: { max_prepared_transactions: 3 } },
      env: { CONCORDAT_IN_DOUBT_MAX: '2' },
    });
    await product.openAccounts(10_000);
  });

  afterAll(() => product.dispose());

  it('a branch votes a retryable no, and no work is lost', async () => {
    for (const n of [1, 2, 3]) {
      const text = `BEGIN; CREATE TABLE slot_${n} (id int); PREPARE TRANSACTION 'taken-${n}'`;
      await product.sql('ledger-east', text);
    }
    const once = transferBody(100, { retry: false });
    const refused = await product.request('POST', '/v1/transactions', { body: once });
    expect(refused.status).toBe(409);
    expect(refused.body['attempts']).toBe(1);
    expect(refused.body['cause']).toMatchObject({
      kind: 'vote',
      code: 'PREPARED_SLOTS_EXHAUSTED',
      retryable: true,
    });
    expect(refused.body['retryable']).toBe(true);
    const trying = product.request('POST', '/v1/transactions', { body: transferBody(100) });
    await waitFor(
      async () => {
        const response = await fetch(`${product.coordinatorUrl}/metrics`, {
          headers: { authorization: `Bearer ${product.operatorKey}` },
        });
        return /tried_again_total(?:\{[^}]*\})? [1-9]/.test(await response.text());
      },
      { what: 'a second attempt' },
    );
    for (const n of [1, 2, 3]) await product.sql('ledger-east', `ROLLBACK PREPARED 'taken-${n}'`);
    const again = await trying;
    expect(again.status).toBe(200);
    expect(again.body['attempts']).toBeGreaterThan(1);
    await product.untilAllEnded();
    expect(await product.balances()).toEqual({ alice: 9_900, bob: 10_100 });
  });
});
