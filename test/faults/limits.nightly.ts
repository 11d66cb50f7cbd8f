/**
 * S45: a coordinator with little memory and few connections, more than it admits, messages that are
 * too large. What it refuses it has not begun, in any participant; what it admitted goes on.
 */
import { readFileSync } from 'node:fs';
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { CaseStage } from '../cases/stage.js';

const LIVE_MAX = 10_000;
const AT_ONCE = 50;
/** What the first round leaves behind would show in the second. */
const ROUNDS = 2;
const BODY = { timeoutMs: 900_000, label: 'open' };
const NARROW = {
  NODE_OPTIONS: '--max-old-space-size=150',
  CONCORDAT_POOL_SIZE: '2',
  CONCORDAT_LIVE_MAX: String(LIVE_MAX),
  CONCORDAT_BEGINS_PER_SECOND_PER_KEY: '1000000',
  CONCORDAT_BODY_BYTES_MAX: '4194304',
};

describe('At its limits, the coordinator', () => {
  let stage: CaseStage;

  beforeAll(async () => {
    stage = await CaseStage.start();
    await stage.product.restart('coordinator', { env: NARROW });
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(() => stage.dispose());

  it.each([
    ['more than a body may have', 5_000_000, 'payload-too-large'],
    ['more than a message may have', 2_000_000, 'message-too-large'],
  ])('S45: refuses %s, and has begun nothing', async (_, bytes, code) => {
    const body = transferBody();
    const [, west] = body.branches;
    if (west)
      west.operations = [{ name: 'credit', input: { account: 'x'.repeat(bytes), amount: 1 } }];
    const before = await stage.metric('concordat_transactions_live');
    expect(await stage.post(body)).toMatchObject({ status: 413, body: { code } });
    expect(await stage.prepared()).toEqual([]);
    expect(await stage.metric('concordat_transactions_live')).toBe(before);
    expect(await stage.moved()).toBe(0);
  });

  it('S45: admits 10,000 open transactions and no more, with two connections and 150 MB, again and again', async () => {
    const peaks: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const ids: string[] = [];
      await each(LIVE_MAX, async () => {
        ids.push(await begin());
      });
      const refused = await stage.post();
      expect(refused).toMatchObject({ status: 429, body: { code: 'too-many-transactions' } });
      expect(refused.headers.get('retry-after')).not.toBeNull();
      expect(await stage.prepared()).toEqual([]);
      peaks.push(residentMb());
      await each(LIVE_MAX, async (n) => {
        const rolledBack = await request('POST', `/${ids[n] ?? ''}/rollback`, {});
        expect(rolledBack).toMatchObject({ status: 200, body: { decision: 'abort' } });
      });
      expect(await stage.post()).toMatchObject({ status: 200 });
    }
    expect(await stage.moved()).toBe(100 * ROUNDS);
    console.info(`resident at each peak, MB: ${peaks.join(', ')}`);
    const [first = 0, second = 0] = peaks;
    expect(second).toBeLessThan(first * 1.5);
  }, 600_000);

  it('S45: begins nothing while no connection to the register answers, and goes on by itself', async () => {
    const { database } = stage.wire('coordinator');
    database.clog();
    await waitFor(
      async () => {
        const { status, body } = await stage.post(transferBody(1, { timeoutMs: 1_000 }));
        return status === 503 && body['code'] === 'register-unavailable';
      },
      { what: 'the coordinator to begin nothing', timeoutMs: 30_000 },
    );
    database.unclog();
    await stage.untilNothingInDoubt(); // What was sent before the refusal ends first.
    await stage.begin();
    expect(await stage.post()).toMatchObject({ status: 200 });
    expect(await stage.moved()).toBe(100);
  });

  /** Begins one, as a client does: on "not now, nothing was begun", again. */
  async function begin(): Promise<string> {
    const id = await waitFor(
      async () => {
        const { status, headers, body } = await request('POST', '', BODY);
        if (status === 503) expect(headers.get('retry-after')).not.toBeNull();
        else expect({ status, body }).toMatchObject({ status: 201 });
        return status === 201 && body['transactionId'];
      },
      { what: 'a transaction to begin', timeoutMs: 60_000 },
    );
    return String(id);
  }

  function request(method: string, path: string, body: unknown) {
    return stage.product.request(method, `/v1/transactions${path}`, { body });
  }

  function residentMb(): number {
    const { pid } = stage.product.service('coordinator');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024);
  }
});

/** Does a thing so many times, some at once. */
async function each(count: number, act: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await act(next++);
    }),
  );
}
