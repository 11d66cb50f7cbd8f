/**
 * S12, S13, S14, S38, S39, S44: a participant dies, is gone for long, is slow, or is asked to stop; the cases are
 * in participant.cases.ts. Two are none: one is gone for an hour, and one is settled by the command line.
 */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { freePort } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { command, inquiry } from '../cases/commands.js';
import { itHolds, onStage } from '../cases/run.js';
import { PARTICIPANTS } from './participant.cases.js';
import { plantCommit } from './stage/plant.js';

const HOUR_MS = 3_600_000;
const CLI = resolve(import.meta.dirname, '../../apps/cli/bin/concordat.mjs');

const OPTIONS = {
  participants: ['ledger-east', 'ledger-west', 'inventory'],
  env: { CONCORDAT_DRAIN_MS: '1500' },
} as const;

onStage('When a participant fails', OPTIONS, (stage) => {
  itHolds(stage, PARTICIPANTS);

  it('S13: a participant that is gone for an hour is shown as stuck, disturbs no other, and commits when it is back', async () => {
    await stage().product.kill('ledger-west');
    const credit = "UPDATE account SET balance = balance + 5 WHERE id = 'bob'";
    const { transaction } = await plantCommit(stage(), 'ledger-west', credit, HOUR_MS);
    const key = stage().product.operatorKey;
    const stuck = await stage().product.request('GET', '/v1/transactions?stuck=true', { key });
    const found = stuck.body['transactions'] as unknown as Record<string, unknown>[];
    expect(found).toMatchObject([{ transactionId: transaction, decision: 'commit' }]);
    expect(await stage().metric('concordat_unfinished_oldest_seconds')).toBeGreaterThan(3_599);
    const branches = [
      {
        participant: 'ledger-east',
        operations: [{ name: 'credit', input: { account: 'alice', amount: 5 } }],
      },
      {
        participant: 'inventory',
        operations: [{ name: 'stock', input: { sku: 'widget', quantity: 1 } }],
      },
    ];
    const other = await stage().product.request('POST', '/v1/transactions?until=completed', {
      body: { ...transferBody(), branches },
    });
    expect(other).toMatchObject({ status: 200, body: { status: 'committed' } });
    expect(await stage().standing(transaction)).toBe('commit');
    await stage().product.startService('ledger-west');
    const body = await stage().completed(transaction, stage().product.operatorKey);
    expect(body).toMatchObject({ decision: 'commit', status: 'committed' });
    expect(await stage().outcomeRow('ledger-west', transaction)).toBe('branch');
  });

  it('concordat settle finishes what a stopped participant left, and says when it cannot', async () => {
    const held = stage()
      .wire('coordinator')
      .broker.rule('every commit', command('commit', 'ledger-west'), 'drop');
    const inquiries = stage().wire('ledger-west').broker.rule('every inquiry', inquiry, 'drop');
    expect(await stage().post()).toMatchObject({ status: 200 });
    await held.waitForHit();
    await inquiries.waitForHit();
    const service = stage().product.service('ledger-west');
    service.kill('SIGTERM');
    await service.exited;
    const [left] = (await stage().prepared()).filter((one) => one.database === 'ledger_west');
    const nowhere = `nats://127.0.0.1:${await freePort()}`;
    const failed = await settle('--nats-url', nowhere, '--wait', '100ms');
    expect(failed).toMatchObject({ status: 4 });
    expect(failed.stdout).toMatch(/0 of 1 branches of ledger-west.*\n.*GID.*\n/);
    expect(failed.stdout).toContain(left?.gid);
    expect(failed.stdout).toMatch(/found no NATS broker at nats:\/\/127/);
    const told = '1 of 1 branches of ledger-west that were in doubt are settled.\n';
    expect(await settle('--nats-url', stage().product.stack.nats.url)).toMatchObject({
      status: 0,
      stdout: told,
    });
    expect((await stage().prepared()).map((one) => one.database)).not.toContain('ledger_west');
    const again = await settle('--nats-url', nowhere, '--json');
    expect(again).toMatchObject({ status: 0 });
    expect(JSON.parse(again.stdout)).toEqual({ found: 0, settled: 0, left: [] });
    await stage().product.startService('ledger-west');
    expect(await stage().moved()).toBe(100);
  });

  /** Never synchronously: the wires of the coordinator run in this process. */
  async function settle(...args: string[]): Promise<{ status: unknown; stdout: string }> {
    const env = {
      PATH: process.env['PATH'],
      PARTICIPANT_NAME: 'ledger-west',
      DATABASE_URL: stage().product.stack.databases.ledger_west,
    };
    const child = spawn(process.execPath, [CLI, 'settle', ...args], { env });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    const status = await new Promise((done) => child.once('close', done));
    return { status, stdout };
  }
});
