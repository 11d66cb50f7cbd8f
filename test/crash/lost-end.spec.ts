/**
 * An end is noted without force, and a Postgres that crashes soon after forgets the note. Here it keeps
 * what was not forced in memory for as long as it can; what others force takes it along, so Postgres is
 * crashed until a note was lost. The transaction must end once more, though its coordinator is alive
 * and takes it for ended: a commit by another round, an abort by another note in the history.
 */
import { jest } from '@jest/globals';
import { waitFor } from '@concordat/testing';
import { Product, transferBody } from '../stage/product.js';

// Processes are started again and again here, on machines that are busy with other things.
jest.setTimeout(300_000);

const LATE_WRITER = { wal_writer_delay: '10s', wal_writer_flush_after: '100MB' };
const OPEN = `SELECT transaction FROM concordat.decision
   WHERE decision = 'commit' AND ended_at IS NULL`;

const COMMITS = `SELECT count(*)::int AS commits FROM concordat.decision WHERE decision = 'commit'`;
/** Both accounts were opened by a transaction each. */
const OPENINGS = 2;

describe('After a crash of Postgres that took back an end', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ postgres: { settings: LATE_WRITER } });
    await product.openAccounts(1_000_000);
  });

  afterAll(() => product.dispose());

  const open = async (): Promise<string[]> =>
    (await product.sql<{ transaction: string }>('concordat', OPEN)).map((row) => row.transaction);
  const transferred = async (): Promise<boolean> => {
    const path = '/v1/transactions?until=completed&wait=20s';
    const { body } = await product.request('POST', path, { body: transferBody() });
    return body['status'] === 'committed';
  };
  const untilNoneIsOpen = (): Promise<boolean> =>
    waitFor(async () => (await open()).length === 0, {
      what: 'every commit to end',
      timeoutMs: 45_000,
    });

  it('of a commit, the coordinator, which lives, ends it again', async () => {
    let lost: string[] = [];
    while (lost.length === 0) {
      await waitFor(transferred, {
        what: 'a transfer, once all have found Postgres again',
        timeoutMs: 60_000,
      });
      await untilNoneIsOpen();
      await product.stack.postgres.stop({ mode: 'immediate' });
      await product.stack.postgres.start();
      lost = await open();
    }
    await untilNoneIsOpen();
    const [row] = await product.sql<{ commits: number }>('concordat', COMMITS);
    const moved = 100 * ((row?.commits ?? Number.NaN) - OPENINGS);
    expect(await product.balances()).toEqual({ alice: 1_000_000 - moved, bob: 1_000_000 + moved });
  });

  it('of an abort, the coordinator, which lives, notes it again', async () => {
    const ENDED = `SELECT transaction FROM concordat.journal
       WHERE transaction = $1 AND ended_at IS NOT NULL`;
    const isOnRecord = async (id: string): Promise<boolean> =>
      (await product.sql('concordat', ENDED, [id])).length === 1;
    const aborted = async (): Promise<string | undefined> => {
      const begun = await product.request('POST', '/v1/transactions', { body: {} });
      const id = String(begun.body['transactionId']);
      const path = `/v1/transactions/${id}/rollback`;
      const { status } = await product.request('POST', path, { body: { reason: 'enough' } });
      return status === 200 ? id : undefined;
    };
    const untilOnRecord = (id: string): Promise<boolean> =>
      waitFor(() => isOnRecord(id), { what: 'its end to be on record', timeoutMs: 45_000 });
    for (let lost = false; !lost;) {
      let id: string | undefined;
      await waitFor(async () => (id = await aborted()) !== undefined, {
        what: 'an abort, once all have found Postgres again',
        timeoutMs: 60_000,
      });
      await untilOnRecord(id as unknown as string);
      await product.stack.postgres.stop({ mode: 'immediate' });
      await product.stack.postgres.start();
      lost = !(await isOnRecord(id as unknown as string));
      await untilOnRecord(id as unknown as string);
    }
  });
});
