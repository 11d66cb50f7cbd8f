/**
 * An orphan that an operator finishes while its participant dies of it: before the database has done it,
 * and after. Guards "finished once, never half": what was not done is done when the participant is back,
 * by what the register says, and what was done is neither shown nor done again.
 */
import { jest } from '@jest/globals';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type TransactionId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { randomBytes } from 'node:crypto';
import { Product, transferBody } from '../stage/product.js';

// Comparisons come every ten seconds, and call nothing an orphan before it is fifteen seconds old.
jest.setTimeout(300_000);

/** Participants that resolve nothing by themselves, so that an orphan stays one. */
const PATIENT = { CONCORDAT_GRACE_MS: '3600000' };
const WEST = 'ledger-west';

let product: Product;

interface Orphan {
  readonly id: string;
  readonly branch: number;
  readonly gid: string;
}

beforeAll(async () => {
  product = await Product.start({ env: PATIENT });
  await product.openAccounts(1_000);
});

afterAll(() => product.dispose());
afterEach(() => product.restore());

/** Prepared by an unknown coordinator. */
async function unknownHere(): Promise<Orphan> {
  const id = makeTransactionId(Date.now(), randomBytes(10), tokenFrom(randomBytes(8)));
  return prepare(id, 1);
}

/** Committed and ended long ago; its database was restored to a time before the commit arrived. */
async function fromBackup(): Promise<Orphan> {
  const path = '/v1/transactions?until=completed&wait=30s';
  const { body } = await product.request('POST', path, { body: transferBody(1) });
  expect(body).toMatchObject({ status: 'committed' });
  const id = String(body['transactionId']) as TransactionId;
  await product.sql(WEST, 'DELETE FROM concordat_branch WHERE transaction = $1', [id]);
  return prepare(id, 2);
}

async function prepare(id: TransactionId, branch: number): Promise<Orphan> {
  const cluster = await product.cluster();
  const gid = formatGid({ cluster, transaction: id, branch: makeBranchId(branch) });
  await product.sql(
    WEST,
    `BEGIN;
     INSERT INTO concordat_branch (transaction, branch, participant, kind)
     VALUES ('${id}', ${branch}, '${WEST}', 'branch');
     PREPARE TRANSACTION '${gid}'`,
  );
  return { id, branch, gid };
}

/** The orphan as the last comparison has found it. */
async function listed(gid: string) {
  const { orphans, notCompared, comparedAt = '' } = await product.admin().orphans();
  const missed = notCompared.map((one) => one.participant);
  return { orphan: orphans.find((one) => one.gid === gid), missed, comparedAt };
}

describe('An orphan whose participant is killed', () => {
  it.each([
    ['before it is rolled back', 'abort.pre', unknownHere],
    ['after it was rolled back', 'abort.post', unknownHere],
    ['before it is committed', 'commit.pre', fromBackup],
    ['after it was committed', 'commit.post', fromBackup],
  ])('%s is finished once', async (_, point, make) => {
    // Not the first commit where the orphan's own transaction commits first.
    const nth = make === fromBackup ? 2 : 1;
    await product.restart(WEST, { crash: `${point}#${nth}=kill` });
    const { id, branch, gid } = await make();
    const { etag } = await waitFor(async () => (await listed(gid)).orphan, {
      what: 'the orphan to be found',
      timeoutMs: 120_000,
    });
    const request = { gid, participant: WEST, action: 'finish' } as const;
    const cut = await product.admin().actOnOrphan(request, etag);
    expect(cut).toMatchObject({ gid, result: 'unreachable' });
    await product.service(WEST).exited;
    const prepared = (await product.prepared()).filter((one) => one.gid === gid);
    expect(prepared).toHaveLength(point.endsWith('.pre') ? 1 : 0);

    await product.startService(WEST);
    await product.untilNothingInDoubt(60_000);
    const isCommit = point.startsWith('commit');
    const decision = isCommit ? 'commit' : 'abort';
    expect((await product.admin().transaction(id)).transaction).toMatchObject({ decision });
    const rows = await product.sql<{ kind: string }>(
      WEST,
      'SELECT kind FROM concordat_branch WHERE transaction = $1 AND branch = $2',
      [id, branch],
    );
    expect(rows.filter((one) => one.kind === 'branch')).toHaveLength(isCommit ? 1 : 0);
    const { comparedAt: from } = await listed(gid);
    await waitFor(
      async () => {
        const { orphan, missed, comparedAt } = await listed(gid);
        return comparedAt > from && !missed.includes(WEST) && !orphan;
      },
      { what: 'a comparison to find it no more', timeoutMs: 120_000 },
    );
    const { entries } = await product.admin().audit({ transactionId: id });
    expect(entries.map((one) => one.phase)).toEqual(['done', 'asked']);
    expect(entries[0]?.after).toMatchObject({ result: 'unreachable' });
  });
});
