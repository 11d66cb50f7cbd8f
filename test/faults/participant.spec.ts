/** S12, S13, S14, S38, S39, S44: a participant dies, is gone for long, is slow, or is asked to stop. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { freePort, waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { delivered, statement, type Frame } from './proxy/frame.js';
import { command, inquiry, vote, worked } from '../cases/commands.js';
import { DEADLINE_MS, CaseStage, branchOf } from '../cases/stage.js';
import { plantCommit } from './stage/plant.js';

const HOUR_MS = 3_600_000;
const toWest = delivered(/\.ledger-west\.prepare$/);
const CLI = resolve(import.meta.dirname, '../../apps/cli/bin/concordat.mjs');

describe('When a participant fails', () => {
  let stage: CaseStage;

  beforeAll(async () => {
    stage = await CaseStage.start({
      participants: ['ledger-east', 'ledger-west', 'inventory'],
      env: { CONCORDAT_DRAIN_MS: '1500' },
    });
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(() => stage.dispose());

  const west = () => stage.wire('ledger-west');
  const commands = () => stage.wire('coordinator').broker;

  it('S12: a participant that died with its COMMIT PREPARED on the way commits once', async () => {
    const late = west().database.rule('the commit', statement(/^COMMIT PREPARED/), 'hold');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    const { body } = answer;
    await late.waitForHit();
    await stage.product.kill('ledger-west');
    await stage.product.startService('ledger-west');
    const id = String(body['transactionId']);
    expect(await stage.completed(id)).toMatchObject({ status: 'committed', outcome: 'committed' });
    late.lift(); // The commit of the dead process arrives now, and finds nothing to do.
    expect(await stage.moved()).toBe(100);
  });

  it('S13: a participant that is gone for an hour is shown as stuck, disturbs no other, and commits when it is back', async () => {
    await stage.product.kill('ledger-west');
    const credit = "UPDATE account SET balance = balance + 5 WHERE id = 'bob'";
    const { transaction } = await plantCommit(stage, 'ledger-west', credit, HOUR_MS);
    const key = stage.product.operatorKey;
    const stuck = await stage.product.request('GET', '/v1/transactions?stuck=true', { key });
    const found = stuck.body['transactions'] as unknown as Record<string, unknown>[];
    expect(found).toMatchObject([{ transactionId: transaction, decision: 'commit' }]);
    expect(await stage.metric('concordat_unfinished_oldest_seconds')).toBeGreaterThan(3_599);
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
    const other = await stage.product.request('POST', '/v1/transactions?until=completed', {
      body: { ...transferBody(), branches },
    });
    expect(other).toMatchObject({ status: 200, body: { status: 'committed' } });
    expect(await stage.standing(transaction)).toBe('commit');
    await stage.product.startService('ledger-west');
    const body = await stage.completed(transaction, stage.product.operatorKey);
    expect(body).toMatchObject({ decision: 'commit', status: 'committed' });
    expect(await stage.outcomeRow('ledger-west', transaction)).toBe('branch');
  });

  it('S14: a PREPARE that reaches its database after the abort cannot stay prepared', async () => {
    const late = west().database.rule('the prepare', statement(/^PREPARE TRANSACTION/), 'hold');
    const answer = await stage.post(transferBody(100, { timeoutMs: DEADLINE_MS }));
    expect(answer).toMatchObject({ status: 409 });
    const { body } = answer;
    await late.waitForHit();
    const id = String(body['transactionId']);
    await waitFor(
      async () => {
        const seen = await stage.get(id, '', stage.product.operatorKey);
        const branch = branchOf(seen.body, 'ledger-west');
        return /still running/.test(String(branch['lastError']));
      },
      { what: 'the tombstone to wait for the branch' },
    );
    late.lift();
    expect(await stage.completed(id)).toMatchObject({ status: 'aborted', outcome: 'aborted' });
    expect(await stage.outcomeRow('ledger-west', id)).toBe('tombstone');
    expect(await stage.moved()).toBe(0);
  });

  it('S38: votes that are lost end in an abort everywhere, though every command arrived', async () => {
    const lost = ['ledger-east', 'ledger-west'].map((name) =>
      stage
        .wire(name as 'ledger-east')
        .broker.rule(`the vote of ${name}`, vote, 'drop', { times: 1 }),
    );
    const answer = await stage.post(transferBody(100, { timeoutMs: DEADLINE_MS }));
    expect(answer).toMatchObject({ status: 409 });
    const { body } = answer;
    expect(body['cause']).toMatchObject({
      kind: 'deadline',
      missing: ['ledger-east', 'ledger-west'],
    });
    for (const rule of lost) await rule.waitForHit();
    const id = String(body['transactionId']);
    expect(await stage.completed(id)).toMatchObject({ status: 'aborted' });
    expect(await stage.moved()).toBe(0);
  });

  it('S38: a vote that is lost with the link of its participant is said again, and all commit long before the deadline', async () => {
    const lost = west().broker.rule('the vote', vote, 'cut-before');
    const { status, body } = await stage.post(transferBody(100, { timeoutMs: 600_000 }));
    await lost.waitForHit();
    expect({ status, body }).toMatchObject({ status: 200, body: { decision: 'commit' } });
    expect(await stage.moved()).toBe(100);
  });

  it('S38: a prepare that is lost with the link of its participant is said again, and all commit long before the deadline', async () => {
    const lost = west().broker.rule('the prepare', toWest, 'cut-before');
    const { status, body } = await stage.post(transferBody(100, { timeoutMs: 600_000 }));
    await lost.waitForHit();
    expect({ status, body }).toMatchObject({ status: 200, body: { decision: 'commit' } });
    expect(await stage.moved()).toBe(100);
  });

  it('S38: an answer to work that is lost with the link of its participant is said again, and the work goes on', async () => {
    const lost = west().broker.rule('what it answers', worked, 'cut-before');
    await stage.product.client().run({ timeoutMs: 600_000 }, async (open) => {
      await open.call('ledger-west', 'credit', { account: 'bob', amount: 7 });
      await open.call('ledger-east', 'debit', { account: 'alice', amount: 7 });
    });
    await lost.waitForHit();
    expect(await stage.moved()).toBe(7);
  });

  it('S39: a yes that comes after the deadline changes nothing, and is aborted too', async () => {
    const late = west().broker.rule('the vote', vote, 'hold');
    const answer = await stage.post(transferBody(100, { timeoutMs: DEADLINE_MS }));
    expect(answer).toMatchObject({ status: 409 });
    const { body } = answer;
    expect(body['cause']).toMatchObject({ kind: 'deadline', missing: ['ledger-west'] });
    expect((await late.waitForHit()).text).toContain('"kind":"prepared"');
    const heard = ({ text }: Frame) => text.includes('"type":"vote"');
    const arrival = commands().rule('the late vote', heard, 'watch');
    late.lift();
    await arrival.waitForHit();
    const id = String(body['transactionId']);
    expect(await stage.completed(id)).toMatchObject({ status: 'aborted', decision: 'abort' });
    expect(await stage.moved()).toBe(0);
  });

  it('S44: a participant asked to stop leaves what is prepared, and the next process finishes it', async () => {
    const held = commands().rule('every commit', command('commit', 'ledger-west'), 'drop');
    const inquiries = west().broker.rule('every inquiry', inquiry, 'drop');
    expect(await stage.post()).toMatchObject({ status: 200 });
    await held.waitForHit();
    await inquiries.waitForHit();
    const service = stage.product.service('ledger-west');
    service.kill('SIGTERM');
    await service.exited;
    expect((await stage.prepared()).map((one) => one.database)).toContain('ledger_west');
    held.lift();
    inquiries.lift();
    await stage.product.startService('ledger-west');
    expect(await stage.moved()).toBe(100);
  });

  it('concordat settle finishes what a stopped participant left, and says when it cannot', async () => {
    const held = commands().rule('every commit', command('commit', 'ledger-west'), 'drop');
    const inquiries = west().broker.rule('every inquiry', inquiry, 'drop');
    expect(await stage.post()).toMatchObject({ status: 200 });
    await held.waitForHit();
    await inquiries.waitForHit();
    const service = stage.product.service('ledger-west');
    service.kill('SIGTERM');
    await service.exited;
    const [left] = (await stage.prepared()).filter((one) => one.database === 'ledger_west');
    const nowhere = `nats://127.0.0.1:${await freePort()}`;
    const failed = await settle('--nats-url', nowhere, '--wait', '100ms');
    expect(failed).toMatchObject({ status: 4 });
    expect(failed.stdout).toMatch(/0 of 1 branches of ledger-west.*\n.*GID.*\n/);
    expect(failed.stdout).toContain(left?.gid);
    expect(failed.stdout).toMatch(/found no NATS broker at nats:\/\/127/);
    const told = '1 of 1 branches of ledger-west that were in doubt are settled.\n';
    expect(await settle('--nats-url', stage.product.stack.nats.url)).toMatchObject({
      status: 0,
      stdout: told,
    });
    expect((await stage.prepared()).map((one) => one.database)).not.toContain('ledger_west');
    const again = await settle('--nats-url', nowhere, '--json');
    expect(again).toMatchObject({ status: 0 });
    expect(JSON.parse(again.stdout)).toEqual({ found: 0, settled: 0, left: [] });
    await stage.product.startService('ledger-west');
    expect(await stage.moved()).toBe(100);
  });

  /** Never synchronously: the wires of the coordinator run in this process. */
  async function settle(...args: string[]): Promise<{ status: unknown; stdout: string }> {
    const env = {
      PATH: process.env['PATH'],
      PARTICIPANT_NAME: 'ledger-west',
      DATABASE_URL: stage.product.stack.databases.ledger_west,
    };
    const child = spawn(process.execPath, [CLI, 'settle', ...args], { env });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    const status = await new Promise((done) => child.once('close', done));
    return { status, stdout };
  }

  it('S44: a coordinator asked to stop leaves what it cannot finish to the next', async () => {
    const lost = commands().rule('every commit', command('commit'), 'drop');
    const inquiries = west().broker.rule('every inquiry', inquiry, 'drop');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    const { body } = answer;
    await lost.waitForHit(2);
    await inquiries.waitForHit();
    await waitFor(async () => (await stage.prepared()).length === 1, {
      what: 'the east to have asked and committed',
    });
    const service = stage.product.service('coordinator');
    service.kill('SIGTERM');
    expect(await service.exited).toMatchObject({ code: 0 });
    expect((await stage.prepared()).map((one) => one.database)).toEqual(['ledger_west']);
    lost.lift();
    inquiries.lift();
    await stage.product.startService('coordinator');
    const id = String(body['transactionId']);
    expect(await stage.completed(id)).toMatchObject({ status: 'committed' });
    expect(await stage.moved()).toBe(100);
  });
});
