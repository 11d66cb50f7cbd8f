/**
 * A coordinator starts on the log that the version before has filled, with a commit that was not delivered and a
 * branch that was never decided. Guards that an upgrade strands nothing: both are settled as they have to be.
 */
import { jest } from '@jest/globals';
import { formatGid, makeBranchId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { eachState, earlierSchema, fillEarlier } from '../conformance/earlier-log.js';
import { Product } from '../stage/product.js';

jest.setTimeout(120_000);

const EAST = 'ledger-east';
const BRANCH = makeBranchId(1);

describe('After an upgrade', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ participants: [EAST] });
  });

  afterAll(() => product.dispose());

  it('what was stuck is committed, and what was never decided is rolled back', async () => {
    const cluster = await product.cluster();
    await Promise.all([product.kill(EAST), product.kill('coordinator')]);
    const { stuck, undecided, ...others } = eachState();
    const url = product.stack.databases.concordat;
    await product.sql('concordat', 'DROP SCHEMA concordat CASCADE');
    await earlierSchema(url);
    await onDatabase(url, (dba) =>
      fillEarlier(dba, [stuck, undecided, ...Object.values(others)], {
        participant: EAST,
        cluster,
      }),
    );
    await onDatabase(product.stack.databases.ledger_east, async (dba) => {
      for (const { id } of [stuck, undecided]) {
        const gid = formatGid({ cluster, transaction: id, branch: BRANCH });
        await dba.query(
          `BEGIN; INSERT INTO concordat_branch (transaction, branch, participant, kind)
                  VALUES ('${id}', ${BRANCH}, '${EAST}', 'branch'); PREPARE TRANSACTION '${gid}'`,
        );
      }
    });

    await product.startService('coordinator');
    await product.startService(EAST);
    await product.untilNothingInDoubt();
    await waitFor(async () => (await statusOf(stuck.id)) === 'committed', { what: 'the commit' });
    expect(await statusOf(undecided.id)).toBe('aborted');
    for (const { id, status } of Object.values(others)) expect(await statusOf(id)).toBe(status);
    const outcomes = await product.sql<{ transaction: string; kind: string }>(
      EAST,
      'SELECT transaction, kind FROM concordat_branch WHERE transaction = ANY ($1)',
      [[stuck.id, undecided.id]],
    );
    const kinds = new Map(outcomes.map(({ transaction, kind }) => [transaction, kind]));
    expect([kinds.get(stuck.id), kinds.get(undecided.id)]).toEqual(['branch', 'tombstone']);
  });

  async function statusOf(id: string): Promise<unknown> {
    const path = `/v1/transactions/${id}`;
    return (await product.request('GET', path, { key: product.operatorKey })).body['status'];
  }

  async function onDatabase(url: string, use: (dba: pg.Client) => Promise<void>): Promise<void> {
    const dba = new pg.Client({ connectionString: url });
    await dba.connect();
    try {
      await use(dba);
    } finally {
      await dba.end();
    }
  }
});
