/**
 * `kill -9`, where it hurts. Each test lets a real process die between two effects, starts it again
 * and demands what protocol §9 promises: no branch in doubt, money conserved, every answered commit
 * there. Crash points: see crash-points.mjs. Numbers: the named faults of test/faults/README.md.
 */
import { waitFor } from '@concordat/testing';
import { Product, transferBody, type Json, type ParticipantId } from '../stage/product.js';
import { itNightly } from '../stage/nightly.js';

/** The target of protocol §5 for the first branch after a restart. */
const FIRST_RESOLVED_MS = 1_000;
const ROUNDS = 3;

describe('After kill -9', () => {
  let product: Product;
  let before: { alice: number; bob: number };

  beforeAll(async () => {
    product = await Product.start({ armable: true });
    await product.openAccounts(100_000);
    await product.untilAllEnded();
  });

  beforeEach(async () => {
    before = await product.balances();
  });

  afterEach(() => product.restore());

  afterAll(() => product.dispose());

  /** Sends the transfer and does not care whether an answer comes. */
  function send(
    body: unknown = transferBody(),
  ): Promise<{ status: number; body: Json } | undefined> {
    return product.request('POST', '/v1/transactions', { body }).catch(() => undefined);
  }

  /** Waits until all has ended; what was moved from alice to bob since the test began. */
  async function moved(): Promise<number> {
    await product.untilAllEnded();
    const now = await product.balances();
    expect(now.alice + now.bob).toBe(before.alice + before.bob);
    return now.bob - before.bob;
  }

  /** Milliseconds from the coordinator's readiness to the first resolved branch. */
  async function firstResolved(count: number): Promise<number> {
    const from = performance.now();
    await waitFor(async () => (await product.prepared()).length < count, {
      what: 'the first branch to be resolved',
    });
    return performance.now() - from;
  }

  /** A busy machine may stall for longer once; what waits for a period is late each time. */
  async function inTime(round: () => Promise<number>): Promise<void> {
    const tookMs: number[] = [];
    do {
      before = await product.balances();
      tookMs.push(await round());
    } while (tookMs.length < ROUNDS && Math.min(...tookMs) >= FIRST_RESOLVED_MS);
    expect(Math.min(...tookMs)).toBeLessThan(FIRST_RESOLVED_MS);
  }

  /**
   * Sends until the armed process has come to its point and died: the time of a transaction may be over
   * before.
   */
  async function sendUntilDead(id: ParticipantId): Promise<number> {
    const service = product.service(id);
    const answer = await waitFor(
      async () => {
        const told = await send(transferBody(100, { timeoutMs: 2_000 }));
        return product.isReached(id) ? told : undefined;
      },
      { what: `${id} to come to its crash point`, timeoutMs: 60_000 },
    );
    await service.exited;
    return answer.status;
  }

  describe('of the coordinator', () => {
    it.each([
      ['S3: after the votes, the branches learn that it aborted', 'decide.pre=kill', 0],
      ['S5: after the decision, it is committed everywhere', 'decide.post=kill', 100],
    ])('%s', (_, crash, amount) =>
      inTime(async () => {
        product.arm('coordinator', crash);
        const answer = send();
        await product.service('coordinator').exited;
        expect(await answer).toBeUndefined();
        expect((await product.prepared()).length).toBe(2);
        await product.startService('coordinator');
        const tookMs = await firstResolved(2);
        expect(await moved()).toBe(amount);
        return tookMs;
      }),
    );

    it('S6: between two finishes, the other branch is committed too', () =>
      inTime(async () => {
        const crash = 'commit.pre@ledger-west=hang;commit.post@ledger-east=kill';
        product.arm('coordinator', crash);
        void send();
        await product.service('coordinator').exited;
        expect((await product.balances()).alice).toBe(before.alice - 100);
        expect((await product.prepared()).length).toBe(1);
        await product.startService('coordinator');
        const tookMs = await firstResolved(1);
        expect(await moved()).toBe(100);
        return tookMs;
      }));

    it('after it answered, the commit is there', async () => {
      const crash = 'commit.pre=hang';
      product.arm('coordinator', crash);
      const answer = await send();
      expect(answer?.status).toBe(200);
      await product.kill('coordinator');
      await product.startService('coordinator');
      expect(await moved()).toBe(100);
      const id = String(answer?.body['transactionId']);
      const later = await product.request('GET', `/v1/transactions/${id}?wait=10s&until=completed`);
      expect(later.body).toMatchObject({ decision: 'commit', status: 'committed' });
    });

    it('after it answered a commit that wrote nothing, and before its history has that, an abort is answered and no data differs', async () => {
      const looks = ['ledger-east', 'ledger-west'].map((participant, n) => ({
        participant,
        operations: [{ name: 'balance', input: { account: n === 0 ? 'alice' : 'bob' } }],
      }));
      const letHistoryGo = await product.hold(
        'concordat',
        'LOCK TABLE concordat.journal IN EXCLUSIVE MODE',
      );
      let answer: Awaited<ReturnType<typeof send>>;
      try {
        answer = await send({ ...transferBody(), branches: looks });
        await product.untilWaiting('concordat', 1);
        await product.kill('coordinator');
        await product.endWaiting('concordat');
      } finally {
        await letHistoryGo();
      }
      // Its client can see in the answer that there was nothing to lose.
      const vote = { kind: 'read-only' };
      expect(answer).toMatchObject({
        status: 200,
        body: { decision: 'commit', branches: [{ vote }, { vote }] },
      });
      await product.startService('coordinator');
      const id = String(answer?.body['transactionId']);
      const later = await product.request('GET', `/v1/transactions/${id}`);
      expect(later).toMatchObject({ status: 200, body: { decision: 'abort', status: 'aborted' } });
      expect(await product.prepared()).toEqual([]);
      expect(await moved()).toBe(0);
    });

    itNightly('a second coordinator on the same register takes over', async () => {
      await product.startService('coordinator-2');
      try {
        product.arm('coordinator', 'decide.post=kill');
        void send();
        await product.service('coordinator').exited;
        expect(await moved()).toBe(100);
      } finally {
        await product.remove('coordinator-2');
      }
    });
  });

  describe('of a participant', () => {
    it('S10: before it prepares, the transaction aborts and nothing of it is left', async () => {
      product.arm('ledger-west', 'prepare.pre=kill');
      expect(await sendUntilDead('ledger-west')).toBe(409);
      await product.startService('ledger-west');
      expect(await moved()).toBe(0);
    });

    it('S11: between prepare and vote, its prepared branch is rolled back', async () => {
      product.arm('ledger-west', 'prepare.post=kill');
      expect(await sendUntilDead('ledger-west')).toBe(409);
      await product.startService('ledger-west');
      expect(await moved()).toBe(0);
    });

    it('S12: between commit and acknowledgement, the repeat finds it committed', async () => {
      product.arm('ledger-west', 'commit.post#1=kill');
      const answer = await send();
      expect(answer?.status).toBe(200);
      await product.service('ledger-west').exited;
      await product.startService('ledger-west');
      const id = String(answer?.body['transactionId']);
      const done = await product.request('GET', `/v1/transactions/${id}?wait=20s&until=completed`);
      expect(done.body).toMatchObject({ status: 'committed', outcome: 'committed' });
      expect(await moved()).toBe(100);
    });

    itNightly(
      'with a branch in doubt, its upgrade migrates the table that the branch locks',
      async () => {
        // The database of the version before.
        await product.sql(
          'ledger-west',
          `ALTER TABLE account DROP CONSTRAINT account_balance_limit;
         DELETE FROM migrations WHERE name LIKE 'LimitBalance%'`,
        );
        product.arm('coordinator', 'decide.post=kill');
        void send();
        await product.service('coordinator').exited;
        await product.kill('ledger-west');
        await product.startService('coordinator');
        await waitFor(async () => (await product.prepared()).length === 1, {
          what: 'the east to have committed',
        });
        await product.startService('ledger-west');
        const constraint = `SELECT 1 FROM pg_constraint WHERE conname = 'account_balance_limit'`;
        expect(await product.sql('ledger-west', constraint)).toHaveLength(1);
        expect(await moved()).toBe(100);
      },
    );
  });

  describe('of a server', () => {
    /** The line is written first, the process stops a moment later. */
    async function untilStoppedAt(point: string): Promise<void> {
      await product.untilReached('ledger-west', point);
      await product.service('ledger-west').untilStopped();
    }

    itNightly(
      'S15: Postgres, while branches are prepared and a commit is on record: all is committed',
      async () => {
        product.arm('coordinator', 'commit.pre=hang');
        const answer = await send();
        expect(answer?.status).toBe(200);
        expect((await product.prepared()).length).toBe(2);
        await product.stack.postgres.stop({ mode: 'immediate' });
        await product.stack.postgres.start();
        await product.kill('coordinator');
        await product.startService('coordinator');
        expect(await moved()).toBe(100);
      },
    );

    it('S15: Postgres, while branches are prepared and nothing is decided: all is rolled back', async () => {
      product.arm('coordinator', 'decide.pre=hang');
      void send(transferBody(100, { timeoutMs: 60_000 }));
      await product.untilPrepared(2);
      await product.stack.postgres.stop({ mode: 'immediate' });
      await product.stack.postgres.start();
      await product.kill('coordinator');
      await product.startService('coordinator');
      expect(await moved()).toBe(0);
    });

    itNightly(
      'S33: nats-server in round one: it is given up at once and nothing is in doubt',
      async () => {
        product.arm('ledger-west', 'prepare.post=stop');
        const answer = send(transferBody(100, { timeoutMs: 300_000 }));
        await product.untilPrepared(2);
        await untilStoppedAt('prepare.post');
        await product.stack.nats.kill();
        product.service('ledger-west').kill('SIGCONT');
        await product.stack.nats.start();
        expect((await answer)?.status).toBe(409);
        expect(await moved()).toBe(0);
      },
    );

    it('S33: nats-server in round two: the commit arrives once it is back', async () => {
      product.arm('ledger-west', 'commit.pre#1=stop');
      const answer = await send();
      expect(answer?.status).toBe(200);
      await untilStoppedAt('commit.pre');
      await product.stack.nats.kill();
      product.service('ledger-west').kill('SIGCONT');
      await product.stack.nats.start();
      expect(await moved()).toBe(100);
      const id = String(answer?.body['transactionId']);
      const done = await product.request('GET', `/v1/transactions/${id}?wait=20s&until=completed`);
      expect(done.body).toMatchObject({ status: 'committed' });
    });
  });
});
