/**
 * What a coordinator says about a transaction that another one owns, or that it owned itself a moment ago:
 * nothing that may turn out false. A missing answer proves nothing; only with proof that the owner is gone,
 * and an abort on record, the answer is an abort.
 */
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { Product } from '../stage/product.js';

/** How long an ended transaction stays in a coordinator's memory by itself. */
const AFTERGLOW_MS = 2_000;
const ENDED = 'SELECT 1 FROM concordat.journal WHERE transaction = $1 AND ended_at IS NOT NULL';

describe('A coordinator that is asked about another one’s transaction', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ participants: [] });
    await product.startService('coordinator-2');
  });

  afterAll(() => product.dispose());

  async function begin(at: 'coordinator' | 'coordinator-2'): Promise<string> {
    const begun = await product.request('POST', '/v1/transactions', { body: {}, at });
    expect(begun.status).toBe(201);
    return `/v1/transactions/${String(begun.body['transactionId'])}`;
  }

  const idOf = (path: string) => path.split('/').at(-1);
  const ask = (method: string, path: string) => product.request(method, path);
  const standing = (path: string) =>
    product.sql<{ decision: string }>(
      'concordat',
      'SELECT decision FROM concordat.decision WHERE transaction = $1',
      [idOf(path)],
    );
  const untilInHistory = (path: string) =>
    waitFor(
      async () => {
        const text = 'SELECT 1 FROM concordat.journal WHERE transaction = $1';
        return (await product.sql('concordat', text, [idOf(path)])).length > 0;
      },
      { what: 'the transaction to be in the history' },
    );

  describe('while that one is silent', () => {
    let path: string;

    async function whileSilent(work: () => Promise<void>): Promise<void> {
      const owner = product.service('coordinator-2');
      owner.kill('SIGSTOP');
      try {
        await work();
      } finally {
        owner.kill('SIGCONT');
      }
    }
    const commit = () => product.request('POST', `${path}/commit`, { at: 'coordinator-2' });

    it('says that it is not known now, and the owner can still commit it', async () => {
      path = await begin('coordinator-2');
      await whileSilent(async () => {
        for (const method of ['GET', 'POST']) {
          const asked = await ask(method, method === 'GET' ? path : `${path}/commit`);
          expect(asked.status).toBe(503);
          expect(asked.body).toMatchObject({ code: 'not-known-now', retryable: true });
          expect(asked.headers.get('retry-after')).toMatch(/^\d+$/);
        }
      });
      expect((await commit()).body).toMatchObject({ status: 'committed' });
    });

    it('shows one that is in the history as it was, however often it is asked, and decides nothing', async () => {
      path = await begin('coordinator-2');
      await untilInHistory(path);
      await whileSilent(async () => {
        for (let time = 1; time <= 4; time++) {
          const { status, body } = await ask('GET', path);
          expect(status).toBe(200);
          expect(body['decision']).toBeUndefined();
        }
      });
      expect(await standing(path)).toEqual([]);
      expect((await commit()).body).toMatchObject({ status: 'committed' });
    });
  });

  it('answers its commit with a recorded abort once the owner is proven gone', async () => {
    const path = await begin('coordinator-2');
    await product.kill('coordinator-2');
    const commit = await ask('POST', `${path}/commit`);
    expect(commit.status).toBe(409);
    expect(commit.body).toMatchObject({ code: 'transaction-aborted', decision: 'abort' });
    expect(await standing(path)).toEqual([{ decision: 'abort' }]);
    expect((await ask('GET', path)).body).toMatchObject({ status: 'aborted' });
    await product.startService('coordinator-2');
  });

  describe('or about its own, whose end is not in the history yet', () => {
    /** Keeps the history from being written, not from being read. */
    async function whileHistoryIsBehind(work: () => Promise<void>): Promise<void> {
      const client = new pg.Client({ connectionString: product.stack.databases['concordat'] });
      await client.connect();
      try {
        await client.query('BEGIN');
        await client.query('LOCK TABLE concordat.journal IN SHARE ROW EXCLUSIVE MODE');
        await work();
      } finally {
        await client.end();
      }
    }

    it.each([
      ['an older one', true],
      ['one that was never in the history', false],
    ])('says of %s that it was committed, for as long as that takes', async (_, isInHistory) => {
      const path = await begin('coordinator');
      if (isInHistory) await untilInHistory(path);
      await whileHistoryIsBehind(async () => {
        expect((await ask('POST', `${path}/commit`)).body).toMatchObject({ status: 'committed' });
        const committedAt = performance.now();
        const said = new Set<unknown>();
        // Well past the time for which an ended transaction stays in memory by itself.
        await waitFor(
          async () => {
            const { status, body } = await ask('GET', path);
            said.add(status === 200 ? body['status'] : body['code']);
            return said.size > 1 || performance.now() - committedAt > 2 * AFTERGLOW_MS;
          },
          { what: 'twice the time for which an ended transaction is kept' },
        );
        expect([...said]).toEqual(['committed']);
        expect((await ask('POST', `${path}/commit`)).body).toMatchObject({ status: 'committed' });
      });
      await waitFor(async () => (await product.sql('concordat', ENDED, [idOf(path)])).length > 0, {
        what: 'its end in the history',
      });
      expect((await ask('GET', path)).body).toMatchObject({ status: 'committed' });
    });
  });
});
