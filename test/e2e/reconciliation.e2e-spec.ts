/**
 * The gap that no message would ever report: a DBA commits one branch manually before any decision, and
 * the coordinator that could have met it is killed. The next one finds the row that says so.
 */
import { waitFor } from '@concordat/testing';
import { Product } from '../stage/product.js';

/** Two periods of reconciliation, and a slow machine. */
const FOUND_MS = 60_000;

describe('A branch committed manually before any decision, whose coordinator is then killed', () => {
  let product: Product;
  let transaction: string;
  const operator = () => ({ key: product.operatorKey });

  beforeAll(async () => {
    product = await Product.start({
      armable: true,
      env: { CONCORDAT_COMPARE_PERIOD_MS: '2000' },
    });
    await product.openAccounts();
  }, 120_000);

  afterAll(() => product.dispose());

  it('is noticed: the transaction is heuristic, with the evidence', async () => {
    product.arm('coordinator', 'decide.pre=kill');
    const leg = (participant: string, name: string, account: string) => ({
      participant,
      operations: [{ name, input: { account, amount: 100 } }],
    });
    const branches = [leg('ledger-east', 'debit', 'alice'), leg('ledger-west', 'credit', 'bob')];
    const body = { timeoutMs: 20_000, commit: true, branches };
    void product.request('POST', '/v1/transactions', { body }).catch(() => undefined);
    await product.service('coordinator').exited;
    const prepared = await product.prepared();
    expect(prepared).toHaveLength(2);
    const east = prepared.find((one) => one.database === 'ledger_east');
    transaction = east?.gid.split(':')[2] ?? '';
    await product.sql('ledger-east', `COMMIT PREPARED '${east?.gid ?? ''}'`);

    await product.startService('coordinator');
    await product.untilNothingInDoubt();
    const shown = await waitFor(
      async () => {
        const one = await product.request('GET', `/v1/transactions/${transaction}`, operator());
        return one.body['status'] === 'heuristic-mixed' ? one.body : undefined;
      },
      { what: 'the transaction to be heuristic', timeoutMs: FOUND_MS },
    );
    expect(shown['decision']).toBe('abort');
    // If the votes took long, the history knows of the west, too.
    const outcomes = shown['branches'] as unknown as { outcome?: { kind: string } }[];
    expect(outcomes.filter(({ outcome }) => outcome?.kind === 'heuristic')).toMatchObject([
      {
        participant: 'ledger-east',
        outcome: { kind: 'heuristic', evidence: { decision: 'abort', found: 'committed' } },
      },
    ]);
    const balances = await product.balances();
    expect({ alice: balances.alice, bob: balances.bob }).toEqual({ alice: 900, bob: 1_000 });
  }, 120_000);

  it('is in the list of the stuck, until an operator has resolved it', async () => {
    const stuck = () => product.request('GET', '/v1/transactions?stuck=true', operator());
    expect(JSON.stringify((await stuck()).body)).toContain(transaction);
    const { etag } = await product.admin().transaction(transaction);
    const told = { action: 'acknowledge', reason: 'alice has her 100', ticket: '1' } as const;
    await product.admin().act(transaction, told, etag);
    expect(JSON.stringify((await stuck()).body)).not.toContain(transaction);
  });
});
