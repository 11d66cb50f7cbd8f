/**
 * S8, S9, S42: recovery that dies again and again, pruning that dies, recovery beside live work. The last two are
 * no cases: one is about what is forgotten, one about a load.
 */
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { itHolds, onStage } from '../cases/run.js';
import { AGAIN_AND_AGAIN } from './coordinator.cases.js';
import { statement } from './proxy/frame.js';
import { plantCommit, plantEnded } from './stage/plant.js';

const HOUR_MS = 3_600_000;
/** So long and so many transfers at least, however slow the machine is. */
const LOAD_MS = 10_000;
const LOAD_MIN = 500;

onStage('When coordinators fail again and again', { armable: true }, (stage) => {
  itHolds(stage, AGAIN_AND_AGAIN);

  it('S9: a coordinator that dies while it prunes forgets nothing that is prepared anywhere', async () => {
    await stage().product.kill('ledger-west');
    const ended = await plantEnded(stage(), 3 * HOUR_MS);
    const credit = "UPDATE account SET balance = balance + 1 WHERE id = 'bob'";
    const open = await plantCommit(stage(), 'ledger-west', credit, 2 * HOUR_MS);
    const younger = await plantEnded(stage(), HOUR_MS);
    const { database } = stage().wire('coordinator');
    const deletion = database.rule(
      'its pruning',
      statement(/DELETE FROM concordat\.decision/),
      'hold',
    );
    const forgetful = { env: { CONCORDAT_RETENTION_MS: '60000' } };
    await stage().product.restart('coordinator', forgetful);
    await deletion.waitForHit();
    await stage().product.kill('coordinator');
    deletion.lift();
    await stage().product.startService('coordinator', forgetful);
    await waitFor(async () => (await stage().standing(ended)) === undefined, {
      what: 'what ended long ago to be forgotten',
    });
    expect(await stage().standing(open.transaction)).toBe('commit');
    expect(await stage().standing(younger)).toBe('commit');
    expect((await stage().prepared()).map((one) => one.gid)).toEqual([open.gid]);
    await stage().product.startService('ledger-west');
    const body = await stage().completed(open.transaction, stage().product.operatorKey);
    expect(body).toMatchObject({ status: 'committed' });
    expect(await stage().outcomeRow('ledger-west', open.transaction)).toBe('branch');
  });

  it('S42: recovery of two coordinators every 100 ms, under a load of transfers, aborts none that is live', async () => {
    const accounts = Array.from({ length: 20 }, (_, n) => `load-${n}`);
    for (const participant of ['ledger-east', 'ledger-west'] as const) {
      const operations = accounts.map((account) => ({
        name: 'open',
        input: { account, amount: 1_000 },
      }));
      await stage()
        .product.client()
        .transactions.submit({ branches: [{ participant, operations }] });
    }
    const env = { CONCORDAT_RECOVERY_PERIOD_MS: '100' };
    const hasty = { CONCORDAT_GRACE_MS: '0', CONCORDAT_RESOLVE_PERIOD_MS: '50' };
    await stage().product.restart('coordinator', { env });
    await stage().product.startService('coordinator-2', { env });
    await stage().product.restart('ledger-east', { env: hasty });
    await stage().product.restart('ledger-west', { env: hasty });
    const statuses: number[] = [];
    const until = performance.now() + LOAD_MS;
    const enough = () => performance.now() > until && statuses.length > LOAD_MIN;
    await Promise.all(
      accounts.map(async (account, n) => {
        const at = n % 2 === 0 ? 'coordinator' : 'coordinator-2';
        while (!enough()) {
          const body = transferBody(1);
          for (const branch of body.branches) {
            for (const operation of branch.operations) operation.input.account = account;
          }
          const answer = await stage().product.request('POST', '/v1/transactions', { body, at });
          statuses.push(answer.status);
        }
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    await stage().untilNothingInDoubt();
    const total = 'SELECT sum(balance)::int AS sum FROM account WHERE id LIKE $1';
    const [east] = await stage().sql<{ sum: number }>('ledger-east', total, ['load-%']);
    const [west] = await stage().sql<{ sum: number }>('ledger-west', total, ['load-%']);
    expect([east?.sum, west?.sum]).toEqual([20_000 - statuses.length, 20_000 + statuses.length]);
    await stage().product.remove('coordinator-2');
    for (const id of ['coordinator', 'ledger-east', 'ledger-west'] as const) {
      await stage().product.restart(id);
    }
  });
});
