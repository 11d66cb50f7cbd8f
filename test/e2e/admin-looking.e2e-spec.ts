/** What somebody on call sees: what waits, why, what it holds up, and what happens next. */
import { waitFor } from '@concordat/testing';
import { Product, transferBody } from '../stage/product.js';

describe('The admin API', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ armable: true });
    await product.openAccounts();
  }, 120_000);

  afterAll(() => product.dispose());
  afterEach(() => product.restore());

  /** A commit that the west has voted for and died of when it arrived, and that the east has carried out. */
  async function stuckCommit(): Promise<string> {
    product.arm('ledger-west', 'commit.pre=kill');
    const answer = await product.request('POST', '/v1/transactions', {
      body: transferBody(),
    });
    const id = String(answer.body['transactionId']);
    await waitFor(
      async () => {
        const { branches } = await product.admin(product.viewerKey).transaction(id);
        return branches[0]?.outcome?.kind === 'committed';
      },
      { what: 'the east to have said that it has committed', timeoutMs: 30_000 },
    );
    return id;
  }

  it('says of a stuck commit why it is stuck, and what happens next', async () => {
    const id = await stuckCommit();
    const shown = await waitFor(
      async () => {
        const one = await product.admin(product.viewerKey).transaction(id);
        return one.branches[1]?.participantState === 'silent' ? one : undefined;
      },
      { what: 'the west to be missed', timeoutMs: 120_000 },
    );
    expect(shown.explanation.why).toMatch(/^COMMIT durable since .*; `ledger-west` unreachable, /);
    expect(shown.explanation.next).toMatch(/`ledger-west` commits as soon as it can be reached\.$/);
    const [east, west] = shown.branches;
    expect(east?.runbook.map((one) => one.sql).join()).not.toMatch(/PREPARED/);
    expect(west?.runbook[1]?.sql).toBe(`COMMIT PREPARED '${String(west?.gid)}';`);
    const overview = await product.admin(product.viewerKey).overview();
    expect(overview.inDoubt).toMatchObject({ transactions: 1, oldestTransactionId: id });
    // Where its outcome table is, a participant has said itself.
    await waitFor(
      async () => {
        const { branches } = await product.admin(product.viewerKey).transaction(id);
        return branches[0]?.runbook.at(-1)?.sql.includes(' FROM "public".concordat_branch WHERE ');
      },
      { what: 'the east to report its schema', timeoutMs: 60_000 },
    );
  });
});
