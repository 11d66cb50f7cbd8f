/**
 * A PREPARE whose answer does not come is unknown, never a no: the branch can be prepared all the same,
 * as where a synchronous standby is away.
 */
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
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
  await h.dba.query('CREATE TABLE canary (id int)');
  await settle(`SET synchronous_standby_names = 'never'`);
  let canary = writes();
  try {
    // The server takes the setting on when it likes: what was written until then did not wait.
    await waitFor(
      async () => {
        const waits = (await h.dba.query(flushing('INSERT INTO canary'))).rowCount === 1;
        if (!waits && canary.ended) canary = writes();
        return waits;
      },
      { what: 'a write that waits for the standby' },
    );
    return await work();
  } finally {
    await settle('RESET synchronous_standby_names');
    await canary.written;
    await h.dba.query('DROP TABLE canary');
  }
}

function writes(): { readonly written: Promise<unknown>; ended: boolean } {
  const written = h.dba.query('INSERT INTO canary VALUES (1)');
  const canary = { written, ended: false };
  void written.then(() => (canary.ended = true));
  return canary;
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
