/**
 * Several coordinators, looked at from outside and by the clock. One on a base backup of the register,
 * which has every identifier and row of the original up to its end, is noticed before it answers anything.
 * And what a coordinator leaves under way when it dies is shown as ended by the others within seconds,
 * without any look at it.
 */
import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { jest } from '@jest/globals';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { Product, transferBody, type CoordinatorId } from '../stage/product.js';

/** The quiet time before what a coordinator left is settled, a heartbeat, and a busy machine. */
const SETTLED_MS = 15_000;
const BOTH: readonly CoordinatorId[] = ['coordinator', 'coordinator-2'];

function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  // A file that goes while it is copied is in the log; any other fault shows at the start.
  if (status !== 0 && !/No such file/.test(stderr)) throw new Error(stderr);
}

/** Takes a backup of a server that runs, by the calls of `pg_basebackup`, and starts a server on it. */
async function startedBackup(
  original: PostgresServer,
): Promise<{ readonly server: PostgresServer; dispose(): Promise<void> }> {
  const home = await mkdtemp(join(dirname(dirname(original.dataDir)), 'concordat-backup-'));
  await chmod(home, 0o711);
  const data = join(home, 'data');
  const client = new pg.Client({ connectionString: original.url() });
  await client.connect();
  try {
    await client.query(`SELECT pg_backup_start('another', true)`);
    copy(original.dataDir, data);
    const stopped = await client.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(false)',
    );
    await rm(join(data, 'pg_wal'), { recursive: true });
    copy(join(original.dataDir, 'pg_wal'), join(data, 'pg_wal'));
    await rm(join(data, 'postmaster.pid'), { force: true });
    const label = join(data, 'backup_label');
    await writeFile(label, stopped.rows[0]?.labelfile ?? '');
    const { uid, gid } = await stat(data);
    await chown(label, uid, gid);
    copy(join(dirname(original.dataDir), 'superuser-password'), home);
  } finally {
    await client.end();
  }
  const remove = () => rm(home, { recursive: true, force: true });
  try {
    const server = await startPostgres({ dataDir: home });
    return { server, dispose: () => server.stop({ mode: 'immediate' }).then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

jest.setTimeout(240_000);

describe('A coordinator on a base backup of the register', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start();
    await product.openAccounts(1_000);
  });

  afterAll(() => product.dispose());

  it('answers nothing, nor does the one on the original, until it is gone', async () => {
    const { postgres, databases } = product.stack;
    const backup = await startedBackup(postgres);
    try {
      const client = product.client();
      const id = (await client.transactions.submit(transferBody(), { until: 'completed' }))
        .transactionId;
      const url = new URL(databases.concordat);
      url.port = String(backup.server.port);
      await product.startService('coordinator-2', {
        env: { DATABASE_URL: url.href },
        said: 'another register under this cluster id',
      });
      for (const at of BOTH) {
        await waitFor(
          async () => {
            const { status, body } = await product.request('GET', '/readyz', { at });
            return status === 503 && JSON.stringify(body).includes('works on another register');
          },
          { what: `${at} not to be ready` },
        );
        for (const [method, path] of [
          ['POST', '/v1/transactions'],
          ['GET', `/v1/transactions/${id}`],
        ] as const) {
          const body = method === 'POST' ? {} : undefined;
          const refused = await product.request(method, path, { at, body });
          expect(refused).toMatchObject({ status: 503, body: { code: 'another-register' } });
        }
        const { checks } = await product.admin(product.operatorKey, at).doctor();
        expect(checks).toContainEqual(
          expect.objectContaining({ name: 'one register', result: 'bad' }),
        );
      }
      await product.remove('coordinator-2');
      await waitFor(async () => (await product.request('GET', '/readyz')).status === 200, {
        what: 'the one on the original to be ready again',
      });
      const seen = await client.transactions.get(id);
      expect(seen).toMatchObject({ decision: 'commit', status: 'committed' });
      const asked = new pg.Client({ connectionString: url.href });
      await asked.connect();
      const { rows } = await asked.query(
        'SELECT 1 FROM concordat.decision WHERE transaction = $1',
        [id],
      );
      await asked.end();
      expect(rows).toEqual([]); // It never knew of it, and has recorded nothing.
    } finally {
      await backup.dispose();
    }
  });
});

describe('What a coordinator leaves when it dies', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start();
    await product.openAccounts(1_000);
    await product.startService('coordinator-2');
  });

  afterAll(() => product.dispose());

  const listed = async (): Promise<ReadonlyMap<string, string>> => {
    const admin = product.admin(product.operatorKey, 'coordinator-2');
    const { transactions } = await admin.transactions({ limit: 500 });
    return new Map(transactions.map((one) => [one.transactionId, one.status]));
  };

  it('preparing or aborting is shown as aborted within seconds, and not as stuck', async () => {
    const left: string[] = [];
    for (const account of ['carol', 'dave']) {
      const operations = [{ name: 'open', input: { account, amount: 1 } }];
      const branches = ['ledger-east', 'ledger-west'].map((participant) => ({
        participant,
        operations,
      }));
      const open = { branches, commit: false, timeoutMs: 600_000 };
      const begun = await product.request('POST', '/v1/transactions', { body: open });
      expect(begun.status).toBe(201);
      left.push(String(begun.body['transactionId']));
    }
    const west = product.service('ledger-west');
    west.kill('SIGSTOP');
    try {
      for (const [n, end] of ['commit', 'rollback'].entries()) {
        const path = `/v1/transactions/${left[n]}/${end}?wait=0`;
        const { status } = await product.request('POST', path, { body: {} });
        expect(status).toBe(end === 'commit' ? 202 : 200);
      }
      const underWay = ['preparing', 'aborting'];
      await waitFor(
        async () => {
          const statuses = await listed();
          return left.every((id, n) => statuses.get(id) === underWay[n]);
        },
        { what: 'both to be shown as under way', timeoutMs: 60_000 },
      );
      await product.kill('coordinator');
      const diedAt = performance.now();
      const tookMs = new Map<string, number>();
      await waitFor(
        async () => {
          const statuses = await listed();
          left.forEach((id, n) => {
            if (statuses.get(id) !== 'aborted' || tookMs.has(id)) return;
            tookMs.set(id, performance.now() - diedAt);
            console.info(
              `${underWay[n]}: aborted after ${Math.round(performance.now() - diedAt)} ms`,
            );
          });
          return tookMs.size === left.length;
        },
        { what: 'both to be shown as aborted', timeoutMs: 120_000 },
      );
      const { stuck } = await product.admin(product.operatorKey, 'coordinator-2').overview();
      expect(stuck).toBe(0);
      expect(Math.max(...tookMs.values())).toBeLessThan(SETTLED_MS);
    } finally {
      west.kill('SIGCONT');
    }
  });
});
