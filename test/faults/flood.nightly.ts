/**
 * Clients without a key and proxies: bodies without a key do not slow down clients that have one, and a
 * connection that a proxy keeps in its pool for a minute is still there.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Product } from '../stage/product.js';
import { RawConnection } from '../stage/raw-connection.js';

const SECONDS = 20;
const PER_SECOND = 50;
const POOLED_MS = 61_000;

/** 1 MB of JSON with as many values as fit. */
const LIST = `[${'0,'.repeat(499_998)}0]`;

describe('A coordinator', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ participants: [] });
  });

  afterAll(() => product.dispose());

  it('answers in time and stays ready while strangers send 50 lists of 1 MB a second', async () => {
    const until = performance.now() + SECONDS * 1_000;
    const refusals: number[] = [];
    const flood = (async () => {
      const sent: Promise<void>[] = [];
      for (let n = 0; n < SECONDS * PER_SECOND; n++) {
        const dueMs = until - SECONDS * 1_000 + (n * 1_000) / PER_SECOND;
        await delay(Math.max(0, dueMs - performance.now()));
        sent.push(stranger(n).then((status) => void refusals.push(status)));
      }
      await Promise.all(sent);
    })();
    const took: number[] = [];
    const readiness: number[] = [];
    while (performance.now() < until) {
      const from = performance.now();
      expect((await fetch(`${product.coordinatorUrl}/livez`)).status).toBe(200);
      took.push(performance.now() - from);
      readiness.push((await fetch(`${product.coordinatorUrl}/readyz`)).status);
      await delay(20);
    }
    await flood;
    took.sort((a, b) => a - b);
    const p99 = took[Math.floor(took.length * 0.99)] ?? Number.NaN;
    console.info(
      `livez p99 ${p99.toFixed(1)} ms of ${took.length}, max ${took.at(-1)?.toFixed(1)}`,
    );
    expect(refusals.filter((status) => status !== 401 && status !== 404)).toEqual([]);
    expect(readiness.filter((status) => status !== 200)).toEqual([]);
    expect(p99).toBeLessThan(100);
  }, 120_000);

  it('keeps an idle connection for longer than the minute of proxies', async () => {
    const connection = new RawConnection(product.coordinatorUrl);
    const ask = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
    connection.write(ask);
    await connection.untilHeard(/"ok"|\}/);
    await delay(POOLED_MS);
    connection.write(ask);
    await connection.untilHeard(/HTTP\/1\.1 200[^]*HTTP\/1\.1 200/);
    connection.end();
  }, 120_000);

  /** One request without a key; the status, or 0 when the connection was cut before an answer. */
  async function stranger(n: number): Promise<number> {
    const path = n % 2 === 0 ? '/v1/transactions' : '/v1/nothing';
    const response = await fetch(`${product.coordinatorUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: LIST,
    });
    await response.arrayBuffer();
    return response.status;
  }
});
