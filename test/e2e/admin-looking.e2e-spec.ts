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

  it('says of a participant that it answers when it has answered a transaction, not only a look', async () => {
    const admin = product.admin(product.viewerKey);
    const seenAt = async (): Promise<number> => {
      const { participants } = await admin.participants();
      const east = participants.find((one) => one.participant === 'ledger-east');
      return Date.parse(east?.lastSeenAt ?? '');
    };
    await product.untilAllEnded();
    const before = Date.now();
    await product.request('POST', '/v1/transactions', { body: transferBody() });
    expect(await seenAt()).toBeGreaterThanOrEqual(before);
  });

  it('blames no participant for a broker that this coordinator does not reach', async () => {
    const admin = product.admin(product.viewerKey);
    await product.stack.nats.kill();
    try {
      const why = 'this coordinator does not reach the broker';
      const listed = await waitFor(
        async () => {
          const { participants } = await admin.participants();
          return participants.every((one) => one.state === 'silent') ? participants : undefined;
        },
        { what: 'no participant to be shown as up', timeoutMs: 60_000 },
      );
      expect(listed.map((one) => one.lastError)).toEqual(listed.map(() => why));
      expect(listed.filter((one) => one.inDoubt !== undefined)).toEqual([]);
      await waitFor(
        async () => {
          const { notCompared } = await admin.orphans();
          const said = notCompared.map((one) => one.why);
          // A comparison that was under way says how the broker was lost, the next one that it is away.
          return said.length === listed.length && said.every((one) => one === why);
        },
        { what: 'a comparison without any participant', timeoutMs: 60_000 },
      );
      const ready = await product.request('GET', '/readyz');
      expect(ready.body['dependencies']).toMatchObject({
        broker: { ok: false },
        peers: { detail: 'they were on this register when the broker answered last' },
      });
    } finally {
      await product.stack.nats.start();
    }
  });
});
