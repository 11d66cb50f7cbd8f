/**
 * A PREPARE whose answer does not come is unknown, never a no: the branch can be prepared all the same,
 * as where a synchronous standby is away.
 */
import { startPostgres, type PostgresServer } from '@concordat/testing';
import { CLUSTER, beginOn, freshBranch } from './resource.js';
import { postgresHarness, until, type PostgresHarness } from './resource-postgres.js';

let server: PostgresServer;
let h: PostgresHarness;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 12 } });
  h = await postgresHarness(server);
}, 60_000);

afterAll(async () => {
  await h.close();
  await server.dispose();
});

const flushing = (query: string) => `SELECT 1 FROM pg_stat_activity WHERE query LIKE '${query}%'
  AND state = 'active' AND wait_event = 'SyncRep' AND datname = current_database()`;

/** Every flush waits for a standby that never comes, until the work is over. */
async function withoutItsStandby<T>(work: () => Promise<T>): Promise<T> {
  const settle = async (change: string) => {
    await h.dba.query(`ALTER SYSTEM ${change}`);
    await h.dba.query('SELECT pg_reload_conf()');
  };
  await settle(`SET synchronous_standby_names = 'never'`);
  // The server takes the setting over when it gets to it: until then, flushes still come back.
  const canaries: Promise<unknown>[] = [];
  try {
    for (let waiting = false; !waiting;) {
      const canary = h.dba.query(`CREATE TABLE canary_${canaries.length} (id int)`);
      canaries.push(canary);
      const hangs = until(h.dba, flushing('CREATE TABLE canary')).then(() => true);
      waiting = await Promise.race([hangs, canary.then(() => false)]);
      hangs.catch(() => undefined);
    }
    return await work();
  } finally {
    await settle('RESET synchronous_standby_names');
    await Promise.all(canaries);
    for (const at of canaries.keys()) await h.dba.query(`DROP TABLE canary_${at}`);
  }
}

describe('While PREPARE is under way', () => {
  it('a killed connection is never taken for a yes, and the branch can be aborted', async () => {
    const branch = freshBranch();
    const result = await withoutItsStandby(async () => {
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'killed');
      const preparing = h.resource.prepare(branch, session);
      await until(h.dba, flushing('PREPARE TRANSACTION'));
      await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
      return preparing;
    });
    expect(result.kind).toBe('unknown');
    // It was prepared all the same: no would have been a lie.
    expect((await h.resource.listPrepared(CLUSTER)).entries).toHaveLength(1);
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it('no answer in the time left is unknown, though the branch is prepared', async () => {
    const branch = freshBranch();
    const result = await withoutItsStandby(async () => {
      const session = await beginOn(h.resource, branch, 1_000);
      await h.write(session, 'late');
      return h.resource.prepare(branch, session);
    });
    expect(result.kind).toBe('unknown');
    expect((await h.resource.listPrepared(CLUSTER)).entries).toHaveLength(1);
    expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
  });
});
