/**
 * Large transactions that cannot go on: with a participant stopped, and with the history's table locked,
 * the coordinator's memory stays within what its budgets add up to, and a refused client gets that answer.
 */
import { readFileSync } from 'node:fs';
import { createParticipant } from '@concordat/participant/standalone';
import { waitFor } from '@concordat/testing';
import { Product, transferBody } from '../stage/product.js';

const MIB = 1_048_576;
const BUDGETS = {
  CONCORDAT_LIVE_BYTES_MAX: String(64 * MIB),
  CONCORDAT_HISTORY_BYTES_MAX: String(32 * MIB),
  CONCORDAT_BODIES_BYTES_MAX: String(64 * MIB),
};
/** The arithmetic of docs/configure.md: the process itself, and its budgets. */
const RESIDENT_MB_MAX = 250 + 64 + 32 + 64;
const LARGE = 900_000;

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: string | null;
}

describe('With large transactions, the memory of a coordinator', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ env: BUDGETS });
    await product.openAccounts(1_000);
  });

  beforeEach(async () => {
    await product.restart('coordinator'); // The peak is counted from the start of the process.
    await product.untilAllEnded();
  });

  afterEach(() => product.restore());

  afterAll(() => product.dispose());

  it('stays within its budgets while a participant is stopped', async () => {
    product.service('ledger-west').kill('SIGSTOP');
    const body = transferBody(1, { timeoutMs: 20_000 });
    const [, west] = body.branches;
    if (west) {
      west.operations = [{ name: 'credit', input: { account: 'x'.repeat(LARGE), amount: 1 } }];
    }
    const answers = await Promise.all(Array.from({ length: 300 }, () => post(body)));
    expectClear(answers);
    expect(answers.filter(({ status }) => status === 429 || status === 503).length).toBeGreaterThan(
      100,
    );
    expect(peakMb()).toBeLessThan(RESIDENT_MB_MAX);
    product.service('ledger-west').kill('SIGCONT');
    await waitFor(async () => (await budget('live')) === 0 && (await budget('bodies')) === 0, {
      what: 'everything to be given back',
      timeoutMs: 90_000,
    });
    expect((await post(transferBody(1))).status).toBe(200);
  }, 240_000);

  it('stays within its budgets while the table of the history is locked', async () => {
    const hoarder = createParticipant({
      name: 'hoarder',
      natsUrl: product.stack.nats.url,
      database: { url: product.stack.databases.inventory, connectionsMax: 4 },
      operations: [{ name: 'read', run: () => Promise.resolve('x'.repeat(LARGE)) }],
    });
    await hoarder.start();
    await hoarder.ready();
    const release = await product.hold(
      'concordat',
      'LOCK TABLE concordat.journal IN ACCESS EXCLUSIVE MODE',
    );
    try {
      const operations = [{ name: 'read', input: {} }];
      const body = { commit: true, branches: [{ participant: 'hoarder', operations }] };
      const answers: Answer[] = [];
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          while (answers.length < 600) answers.push(await post(body));
        }),
      );
      expectClear(answers);
      expect(answers.some(({ status }) => status === 200)).toBe(true);
      expect(await budget('history')).toBeLessThanOrEqual(32 * MIB);
      expect(peakMb()).toBeLessThan(RESIDENT_MB_MAX);
    } finally {
      await release();
      await hoarder.stop();
    }
    await waitFor(async () => (await budget('history')) === 0, {
      what: 'the history to be written',
      timeoutMs: 60_000,
    });
  }, 240_000);

  /** Done, or an answer that says what is short and when to come again. */
  function expectClear(answers: readonly Answer[]): void {
    const unclear = answers.filter(({ status, retryAfter }) => {
      if (status === 429 || status === 503) return retryAfter === null;
      return ![200, 202, 409].includes(status);
    });
    expect(unclear).toEqual([]);
    const counts: Record<string, number> = {};
    for (const { status, code } of answers) {
      const what = `${status} ${code}`;
      counts[what] = (counts[what] ?? 0) + 1;
    }
    console.info(`peak ${peakMb()} MB of ${RESIDENT_MB_MAX}: ${JSON.stringify(counts)}`);
  }

  async function post(body: unknown): Promise<Answer> {
    const {
      status,
      headers,
      body: said,
    } = await product.request('POST', '/v1/transactions', {
      body,
    });
    return { status, code: String(said['code'] ?? ''), retryAfter: headers.get('retry-after') };
  }

  /** What a budget holds now. */
  async function budget(name: string): Promise<number> {
    const response = await fetch(`${product.coordinatorUrl}/metrics`, {
      headers: { authorization: `Bearer ${product.operatorKey}` },
    });
    const line = new RegExp(`^concordat_budget_bytes\\{budget="${name}"\\} (\\d+)$`, 'm');
    return Number(line.exec(await response.text())?.[1]);
  }

  function peakMb(): number {
    const { pid } = product.service('coordinator');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1_024);
  }
});
