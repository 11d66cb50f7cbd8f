/**
 * `kill -9`, where it hurts. Each test lets a real process die between two effects, starts it again
 * and demands what protocol §9 promises: no branch in doubt, money conserved, every answered commit
 * there. Crash points: see crash-points.mjs.
 */
import { waitFor } from '@concordat/testing';
import { Product, transferBody, type Json } from '../stage/product.js';

describe('After kill -9', () => {
  let product: Product;

  beforeEach(async () => {
    product = await Product.start();
    await product.openAccounts(1_000);
  });

  afterEach(() => product.dispose());

  /** Sends the transfer and does not care whether an answer comes. */
  function send(
    body: unknown = transferBody(),
  ): Promise<{ status: number; body: Json } | undefined> {
    return product.request('POST', '/v1/transactions', { body }).catch(() => undefined);
  }

  async function settled(): Promise<{ alice: number; bob: number }> {
    await product.untilNothingInDoubt();
    const balances = await product.balances();
    expect(balances.alice + balances.bob).toBe(2_000);
    return balances;
  }

  /** Milliseconds from the coordinator's readiness to the first resolved branch. */
  async function firstResolved(before: number): Promise<number> {
    const from = performance.now();
    await waitFor(async () => (await product.prepared()).length < before, {
      what: 'the first branch to be resolved',
    });
    return performance.now() - from;
  }

  describe('of the coordinator', () => {
    it('after the votes, the branches learn that it aborted', async () => {
      await product.restart('coordinator', { crash: 'decide.pre=kill' });
      const answer = send();
      await product.service('coordinator').exited;
      expect(await answer).toBeUndefined();
      expect((await product.prepared()).length).toBe(2);
      await product.startService('coordinator');
      expect(await firstResolved(2)).toBeLessThan(1_000);
      expect(await settled()).toEqual({ alice: 1_000, bob: 1_000 });
    });

    it('after the decision, it is committed everywhere', async () => {
      await product.restart('coordinator', { crash: 'decide.post=kill' });
      const answer = send();
      await product.service('coordinator').exited;
      expect(await answer).toBeUndefined();
      expect((await product.prepared()).length).toBe(2);
      await product.startService('coordinator');
      expect(await firstResolved(2)).toBeLessThan(1_000);
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
    });

    it('between two finishes, the other branch is committed too', async () => {
      const crash = 'commit.pre@ledger-west=hang;commit.post@ledger-east=kill';
      await product.restart('coordinator', { crash });
      void send();
      await product.service('coordinator').exited;
      expect((await product.balances()).alice).toBe(900);
      expect((await product.prepared()).length).toBe(1);
      await product.startService('coordinator');
      expect(await firstResolved(1)).toBeLessThan(1_000);
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
    });

    it('after it answered, the commit is there', async () => {
      const crash = 'commit.pre=hang';
      await product.restart('coordinator', { crash });
      const answer = await send();
      expect(answer?.status).toBe(200);
      await product.kill('coordinator');
      await product.startService('coordinator');
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
      const id = String(answer?.body['transactionId']);
      const later = await product.request('GET', `/v1/transactions/${id}?wait=10s&until=completed`);
      expect(later.body).toMatchObject({ decision: 'commit', status: 'committed' });
    });

    it('a second coordinator on the same register takes over', async () => {
      await product.startService('coordinator-2');
      await product.restart('coordinator', { crash: 'decide.post=kill' });
      void send();
      await product.service('coordinator').exited;
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
    });
  });

  describe('of a participant', () => {
    it('before it prepares, the transaction aborts and nothing of it is left', async () => {
      await product.restart('ledger-west', { crash: 'prepare.pre=kill' });
      const answer = await send(transferBody(100, { timeoutMs: 2_000 }));
      expect(answer?.status).toBe(409);
      await product.startService('ledger-west');
      expect(await settled()).toEqual({ alice: 1_000, bob: 1_000 });
    });

    it('between prepare and vote, its prepared branch is rolled back', async () => {
      await product.restart('ledger-west', { crash: 'prepare.post=kill' });
      const answer = await send(transferBody(100, { timeoutMs: 2_000 }));
      expect(answer?.status).toBe(409);
      await product.startService('ledger-west');
      expect(await settled()).toEqual({ alice: 1_000, bob: 1_000 });
    });

    it('between commit and acknowledgement, the repeat finds it committed', async () => {
      await product.restart('ledger-west', { crash: 'commit.post#1=kill' });
      const answer = await send();
      expect(answer?.status).toBe(200);
      await product.service('ledger-west').exited;
      await product.startService('ledger-west');
      const id = String(answer?.body['transactionId']);
      const done = await product.request('GET', `/v1/transactions/${id}?wait=20s&until=completed`);
      expect(done.body).toMatchObject({ status: 'committed', outcome: 'committed' });
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
    });
  });

  describe('of a server', () => {
    it('Postgres, while branches are prepared and a commit stands: all is committed', async () => {
      await product.restart('coordinator', { crash: 'commit.pre=hang' });
      const answer = await send();
      expect(answer?.status).toBe(200);
      expect((await product.prepared()).length).toBe(2);
      await product.stack.postgres.stop({ mode: 'immediate' });
      await product.stack.postgres.start();
      await product.kill('coordinator');
      await product.startService('coordinator');
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
    });

    it('Postgres, while branches are prepared and nothing is decided: all is rolled back', async () => {
      await product.restart('coordinator', { crash: 'decide.pre=hang' });
      void send(transferBody(100, { timeoutMs: 60_000 }));
      await product.untilPrepared(2);
      await product.stack.postgres.stop({ mode: 'immediate' });
      await product.stack.postgres.start();
      await product.kill('coordinator');
      await product.startService('coordinator');
      expect(await settled()).toEqual({ alice: 1_000, bob: 1_000 });
    });

    it('nats-server in round one: it aborts at the deadline and nothing is in doubt', async () => {
      await product.restart('ledger-west', { crash: 'prepare.post=stop' });
      const answer = send(transferBody(100, { timeoutMs: 3_000 }));
      await product.untilPrepared(2);
      await product.stack.nats.kill();
      product.service('ledger-west').kill('SIGCONT');
      await product.stack.nats.start();
      expect((await answer)?.status).toBe(409);
      expect(await settled()).toEqual({ alice: 1_000, bob: 1_000 });
    });

    it('nats-server in round two: the commit arrives once it is back', async () => {
      await product.restart('ledger-west', { crash: 'commit.pre#1=stop' });
      const answer = await send();
      expect(answer?.status).toBe(200);
      await product.service('ledger-west').waitForOutput('crash point commit.pre');
      await product.stack.nats.kill();
      product.service('ledger-west').kill('SIGCONT');
      await product.stack.nats.start();
      expect(await settled()).toEqual({ alice: 900, bob: 1_100 });
      const id = String(answer?.body['transactionId']);
      const done = await product.request('GET', `/v1/transactions/${id}?wait=20s&until=completed`);
      expect(done.body).toMatchObject({ status: 'committed' });
    });
  });
});
