/** S1, S2, S4, S7, S41: a coordinator dies, or sleeps, between two frames. */
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { completion, statement } from './proxy/frame.js';
import { command } from '../cases/commands.js';
import { CaseStage } from '../cases/stage.js';

const INSERT = /INSERT INTO concordat\.decision/;

describe('When a coordinator fails', () => {
  let stage: CaseStage;

  beforeAll(async () => {
    stage = await CaseStage.start({ participants: ['ledger-east', 'ledger-west', 'inventory'] });
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(() => stage.dispose());

  const broker = () => stage.wire('coordinator').broker;
  const database = () => stage.wire('coordinator').database;

  async function replaceCoordinator(): Promise<void> {
    await stage.product.kill('coordinator');
    await stage.product.startService('coordinator');
  }

  it('S1: a request repeated after its coordinator died at the begin commits once, and the first can never', async () => {
    const key = { 'idempotency-key': 'order-s1' };
    const lost = broker().rule('every prepare', command('prepare'), 'drop', { times: 2 });
    const first = stage.send(transferBody(), key);
    const frame = await lost.waitForHit(2);
    const { transaction } = JSON.parse(frame.text) as { transaction: string };
    await replaceCoordinator();
    expect(await first).toBeUndefined();
    const again = await stage.post(transferBody(), key);
    expect(again).toMatchObject({ status: 200 });
    expect(again.body['transactionId']).not.toBe(transaction);
    const path = `/v1/transactions/${transaction}`;
    const rolledBack = await stage.product.request('POST', `${path}/rollback`);
    expect(rolledBack.body).toMatchObject({ decision: 'abort' });
    expect((await stage.product.request('POST', `${path}/commit`)).status).toBe(409);
    expect(await stage.moved()).toBe(100);
  });

  it('S2: a coordinator that died with one of three prepares sent leaves an abort, and the other two never begin', async () => {
    const others = command('prepare', 'ledger-west', 'inventory');
    const lost = broker().rule('two of three prepares', others, 'drop');
    const operations = [{ name: 'stock', input: { sku: 'widget', quantity: 1 } }];
    const body = transferBody();
    void stage.send({
      ...body,
      branches: [...body.branches, { participant: 'inventory', operations }],
    });
    await lost.waitForHit(2);
    const id = await stage.preparedTransaction(1);
    await replaceCoordinator();
    expect(await stage.moved()).toBe(0);
    expect(await stage.standing(id)).toBe('abort');
    await waitFor(async () => (await stage.outcomeRow('ledger-east', id)) === 'tombstone', {
      what: 'the tombstone, which follows the rollback',
    });
    expect(await stage.outcomeRow('ledger-west', id)).toBeUndefined();
    expect(await stage.outcomeRow('inventory', id)).toBeUndefined();
  });

  it('S33: cut off from the broker between prepare and vote it gives the transaction up, long before its deadline', async () => {
    const lost = broker().rule('a prepare', command('prepare', 'ledger-west'), 'drop', {
      times: 1,
    });
    const answer = stage.post(transferBody(100, { timeoutMs: 120_000 }));
    await lost.waitForHit();
    await stage.preparedTransaction(1);
    broker().cutAll();
    const { status, body } = await answer;
    expect(status).toBe(409);
    expect(body['cause']).toMatchObject({ kind: 'given-up', participant: 'ledger-west' });
    // The other branch is free again within the bound of healing, a quarter of the time-out.
    expect(await stage.moved()).toBe(0);
    await stage.begin();
    expect(await stage.post()).toMatchObject({ status: 200 });
    expect(await stage.moved()).toBe(100);
  });

  it('S4: a commit that reached the register is carried out though its coordinator died before it got the answer', async () => {
    const unheard = database().rule('its answer', completion(INSERT), 'hold');
    void stage.send();
    await unheard.waitForHit();
    await replaceCoordinator();
    expect(await stage.moved()).toBe(100);
  });

  it('S4: a commit still on its way to the register when its coordinator died finds the abort on record', async () => {
    const late = database().rule('the commit', statement(INSERT), 'hold');
    const answers = database().rule('what the register answers', completion(INSERT), 'watch');
    void stage.send();
    await late.waitForHit();
    const id = await stage.preparedTransaction(2);
    await replaceCoordinator();
    expect(await stage.moved()).toBe(0);
    late.lift();
    await answers.waitForHit(2); // The abort of the new one, then the commit of the dead one.
    expect(answers.caught.at(-1)?.text).toBe('INSERT 0 0');
    expect(await stage.standing(id)).toBe('abort');
    expect(await stage.moved()).toBe(0);
  });

  it('S7: a coordinator that died after the last acknowledgement asks again, and the outcome rows answer', async () => {
    const unnoted = database().rule(
      'the end',
      statement(/UPDATE concordat\.decision d\s+SET ended_at/),
      'hold',
    );
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    const { body } = answer;
    await unnoted.waitForHit();
    expect(await stage.prepared()).toEqual([]);
    const repeats = (['ledger-east', 'ledger-west'] as const).map((participant) =>
      broker().rule(`the commit for ${participant} again`, command('commit', participant), 'watch'),
    );
    await replaceCoordinator();
    const id = String(body['transactionId']);
    expect(await stage.completed(id)).toMatchObject({ status: 'committed', outcome: 'committed' });
    for (const repeat of repeats) await repeat.waitForHit();
    expect(await stage.moved()).toBe(100);
  });

  describe('Of two coordinators, one that was stopped', () => {
    beforeAll(() => stage.product.startService('coordinator-2'));

    afterAll(() => stage.product.remove('coordinator-2'));

    it('S41: before its commit is on record wakes to the abort that the other recorded', async () => {
      const late = database().rule('its commit', statement(INSERT), 'hold');
      // The other has to find the sleeper silent several times: longer than an answer waits by default.
      const path = '/v1/transactions?wait=60s';
      const answer = stage.product.request('POST', path, { body: transferBody() });
      await late.waitForHit();
      const id = await stage.preparedTransaction(2);
      const sleeper = stage.product.service('coordinator');
      sleeper.kill('SIGSTOP');
      expect(await stage.moved()).toBe(0);
      expect(await stage.standing(id)).toBe('abort');
      late.lift();
      sleeper.kill('SIGCONT');
      expect(await answer).toMatchObject({ status: 409, body: { decision: 'abort' } });
      expect(await stage.standing(id)).toBe('abort');
      expect(await stage.moved()).toBe(0);
    });

    it('S41: after its commit is on record, with nothing sent, wakes to branches that are committed', async () => {
      const late = broker().rule('its commits', command('commit'), 'hold', { times: 2 });
      const answer = await stage.post();
      expect(answer).toMatchObject({ status: 200 });
      await late.waitForHit(2);
      const sleeper = stage.product.service('coordinator');
      sleeper.kill('SIGSTOP');
      expect(await stage.moved()).toBe(100);
      late.lift();
      sleeper.kill('SIGCONT');
      const id = String(answer.body['transactionId']);
      await waitFor(async () => (await stage.get(id)).body['status'] === 'committed', {
        what: 'both coordinators to call it committed',
      });
      expect(await stage.moved()).toBe(100);
    });
  });
});
