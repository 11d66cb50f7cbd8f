/**
 * What is known of a transaction that its only participant decides, where its answer never comes: a participant that
 * has forgotten it, and a coordinator that has died before it noted anything. Guards "unknown is never no, and is
 * shown": it is in the list of what needs a person, or on record, and nothing is asked for without end.
 */
import { waitFor } from '@concordat/testing';
import { Product } from '../stage/product.js';

/** The cleaning up behind a dead coordinator, comparisons, and a slow machine. */
const PATIENCE_MS = 60_000;
const WEST = 'ledger-west';
const ENV = { CONCORDAT_ONE_PHASE: 'enabled', CONCORDAT_COMPARE_PERIOD_MS: '2000' };

describe('A transaction in one phase', () => {
  let product: Product;
  const operator = () => ({ key: product.operatorKey });

  beforeAll(async () => {
    product = await Product.start({ armable: true, env: ENV });
    await product.openAccounts();
  }, 120_000);

  afterAll(() => product.dispose());

  const operations = [{ name: 'credit', input: { account: 'bob', amount: 1 } }];
  const send = async (timeoutMs: number) => {
    const body = { commit: true, timeoutMs, branches: [{ participant: WEST, operations }] };
    const answer = await product.request('POST', '/v1/transactions?wait=1s', { body });
    return String(answer.body['transactionId']);
  };
  const isAlone = (id: string) => id.endsWith(`-${WEST}`);
  /** A participant that owes an answer is asked in two phases. */
  const untilAlone = () =>
    waitFor(
      async () => {
        const id = await send(5_000);
        await see(id, '?wait=20s&until=completed');
        return isAlone(id);
      },
      { what: 'one phase', timeoutMs: PATIENCE_MS },
    );
  /** As pruning would: everything that was begun so far is past retention there. */
  const forget = (below: string) =>
    product.sql(WEST, 'UPDATE concordat_closed SET below = $1', [below]);
  const see = async (id: string, wait = '') =>
    (await product.request('GET', `/v1/transactions/${id}${wait}`)).body;
  const stuck = async () =>
    (await product.admin().transactions({ view: 'stuck' })).transactions.map(
      ({ transactionId, why, inStatusMs }) => ({ transactionId, why, inStatusMs }),
    );
  const acknowledge = async (id: string) => {
    const { etag } = await product.admin().transaction(id);
    const told = { action: 'acknowledge', reason: 'bob has his 1', ticket: '1' } as const;
    await product.admin().act(id, told, etag);
  };

  /** Its participant was asked, and has not answered. */
  async function deciding(): Promise<string> {
    for (;;) {
      await untilAlone();
      product.service(WEST).kill('SIGSTOP');
      const id = await send(1_000);
      if (isAlone(id)) {
        const isAsked = async () => (await see(id))['status'] === 'deciding';
        await waitFor(isAsked, { what: 'it to be asked', timeoutMs: PATIENCE_MS });
        return id;
      }
      product.service(WEST).kill('SIGCONT');
    }
  }

  it('says since when its outcome is not known, which is later than its begin', async () => {
    const id = await deciding();
    const listed = await waitFor(
      async () => (await stuck()).find(({ transactionId }) => transactionId === id),
      { what: 'it to be stuck', timeoutMs: PATIENCE_MS },
    );
    const begunAt = Date.parse(String((await see(id))['begunAt']));
    // Asked when its second was over.
    expect(Date.now() - listed.inStatusMs - begunAt).toBeGreaterThan(900);
    expect(listed.why).toMatch(/^Begun .*, asked since .*, has not answered yet whether/);
    product.service(WEST).kill('SIGCONT');
    expect(await see(id, '?wait=20s&until=completed')).toMatchObject({ decision: 'abort' });
  });

  it('that its participant has forgotten ends as not known, for its client and for an operator', async () => {
    const id = await deciding();
    await forget('~');
    product.service(WEST).kill('SIGCONT');
    const ended = await see(id, '?wait=20s&until=decided');
    await forget('');
    expect(ended).toMatchObject({
      status: 'heuristic-hazard',
      branches: [{ outcome: { kind: 'heuristic', evidence: { found: 'unknown' } } }],
    });
    expect(ended).not.toHaveProperty('decision');
    const commit = await product.request('POST', `/v1/transactions/${id}/commit`);
    expect(commit).toMatchObject({ status: 409, body: { code: 'heuristic-outcome' } });
    expect(commit.body['detail']).toMatch(
      /^Whether it has committed is not known, and will not be/,
    );
    await product.restart('coordinator');
    const listed = (await stuck()).find(({ transactionId }) => transactionId === id);
    expect(listed?.why).toMatch(
      /^Whether it has committed is not known, since .*`ledger-west` alone/,
    );
    const recorded = 'SELECT FROM concordat.decision WHERE transaction = $1';
    expect(await product.sql('concordat', recorded, [id])).toEqual([]);
    await acknowledge(id);
    expect((await stuck()).map(({ transactionId }) => transactionId)).not.toContain(id);
    expect(await see(id)).toMatchObject({ status: 'heuristic-hazard' });
  });

  it('that its participant has forgotten is shown as that behind its dead owner too', async () => {
    const id = await deciding();
    const noted = `SELECT FROM concordat.journal WHERE transaction = $1 AND status = 'deciding'`;
    await waitFor(async () => (await product.sql('concordat', noted, [id])).length > 0, {
      what: 'its owner to note it',
    });
    await product.kill('coordinator');
    await forget('~');
    product.service(WEST).kill('SIGCONT');
    await product.startService('coordinator');
    const isUnknown = async () => (await see(id))['status'] === 'heuristic-hazard';
    await waitFor(isUnknown, { what: 'it to be shown', timeoutMs: PATIENCE_MS });
    await forget('');
    expect((await see(id))['endedAt']).toBeDefined();
    expect((await stuck()).map(({ transactionId }) => transactionId)).toContain(id);
    const { transactions } = await product.client().transactions.list({ status: 'deciding' });
    expect(transactions.map((one) => one.transactionId)).not.toContain(id);
    await acknowledge(id);
  });

  it('that committed behind its owner, which died before it noted anything, is on record soon', async () => {
    await untilAlone();
    const ids = async () => {
      const text = 'SELECT transaction FROM concordat_branch ORDER BY transaction';
      return (await product.sql<{ transaction: string }>(WEST, text)).map((one) => one.transaction);
    };
    const before = new Set(await ids());
    product.arm(WEST, 'prepare.pre#1=stop');
    void send(20_000).catch(() => undefined);
    await product.untilReached(WEST, 'prepare.pre');
    await product.kill('coordinator');
    product.service(WEST).kill('SIGCONT');
    const id = await waitFor(async () => (await ids()).find((one) => !before.has(one)), {
      what: 'it to commit',
    });
    await product.startService('coordinator');
    // No client asks for it: it is met among what its participant has committed.
    const listed = async () => {
      const page = await product.request('GET', '/v1/transactions', operator());
      return JSON.stringify(page.body).includes(id);
    };
    await waitFor(listed, { what: 'it to be listed', timeoutMs: PATIENCE_MS });
    expect(await see(id)).toMatchObject({ status: 'committed', decision: 'commit' });
  });
});
