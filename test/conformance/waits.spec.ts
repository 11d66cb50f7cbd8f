/**
 * What a real server shows of branches that wait for locks: the holders, on any instance, prepared or
 * running, those ahead in the queue, and when a wait is another one.
 */
import type { PostgresSession } from '@concordat/participant';
import { formatGid } from '@concordat/protocol';
import { startPostgres, type PostgresServer } from '@concordat/testing';
import { beginOn, freshBranch } from './resource.js';
import { postgresHarness, until, type PostgresHarness } from './resource-postgres.js';

let server: PostgresServer;
let h: PostgresHarness;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 20 } });
  h = await postgresHarness(server);
}, 60_000);

afterAll(async () => {
  await h.close();
  await server.dispose();
});

describe('what a branch waits for', () => {
  let ours: PostgresHarness['resource'];
  let theirs: PostgresHarness['resource'];
  const open: (readonly [PostgresHarness['resource'], PostgresSession])[] = [];

  beforeAll(async () => {
    await h.dba.query(`
      CREATE TABLE hot (id int PRIMARY KEY, n int);
      INSERT INTO hot SELECT n, 0 FROM generate_series(1, 9) n`);
    ours = h.open(h.url, { max: 8, application_name: 'ledger' });
    theirs = h.open(h.url, { max: 8, application_name: 'a name that is much too long to keep' });
  });
  afterEach(async () => {
    for (const [resource, session] of open.splice(0)) await resource.rollback(session);
  });

  async function began(resource: PostgresHarness['resource']): Promise<PostgresSession> {
    const session = await beginOn(resource, freshBranch(), 30_000);
    open.push([resource, session]);
    return session;
  }
  const change = (session: PostgresSession, row: number): Promise<unknown> =>
    session.client.query('UPDATE hot SET n = 1 WHERE id = $1', [row]);

  async function holderOf(row: number, resource = theirs): Promise<PostgresSession> {
    const session = await began(resource);
    await change(session, row);
    return session;
  }

  /** A branch that waits for a row. It is ended while it does. */
  async function waiterFor(row: number, resource = ours): Promise<PostgresSession> {
    const session = await began(resource);
    change(session, row).catch(() => undefined);
    const isWaiting = `pid = ${session.backend} AND NOT granted AND waitstart IS NOT NULL`;
    await until(h.dba, `SELECT 1 FROM pg_locks WHERE ${isWaiting}`);
    return session;
  }
  const branchOf = ({ branch: { transaction, branch } }: PostgresSession) => ({
    kind: 'branch',
    transaction,
    branch,
  });

  it('is seen with the branch that holds it, also of another instance and by a name cut short', async () => {
    const holder = await holderOf(1);
    const waiter = await waiterFor(1);
    const [wait, ...more] = await ours.waits([waiter.branch]);
    expect(more).toEqual([]);
    expect(wait).toMatchObject({ transaction: waiter.branch.transaction, on: { relation: 'hot' } });
    const { backend: pid } = holder;
    const application = expect.stringMatching(/^a name that/) as string;
    expect(wait?.holders).toEqual([{ ...branchOf(holder), isPrepared: false, pid, application }]);
  });

  it('is seen with the prepared branch that holds it', async () => {
    const holder = await beginOn(theirs, freshBranch());
    await holder.client.query('UPDATE hot SET n = 1 WHERE id = 2');
    expect(await theirs.prepare(holder.branch, holder)).toEqual({ kind: 'prepared' });
    const waiter = await waiterFor(2);
    const [wait] = await ours.waits([waiter.branch]);
    expect(wait?.holders).toEqual([{ ...branchOf(holder), isPrepared: true }]);
    await ours.rollback(waiter);
    expect(await theirs.abort(holder.branch)).toEqual({ kind: 'aborted' });
  });

  it('is seen with all that are ahead of it, each in its own place', async () => {
    const sessions = [await holderOf(3)];
    for (const resource of [theirs, ours, ours]) sessions.push(await waiterFor(3, resource));
    const [first, second, third, fourth] = sessions.map(({ branch }) => branch.transaction);
    const branches = sessions.map(({ branch }) => branch);
    const waits = [...(await theirs.waits(branches)), ...(await ours.waits(branches))];
    const ahead = waits.map(({ transaction, holders }) => [
      transaction,
      holders.map((one) => (one.kind === 'branch' ? one.transaction : one.kind)),
    ]);
    expect(ahead.sort()).toEqual([
      [second, [first]],
      [third, [second]],
      // The holder of the first place in the queue, then those ahead in it.
      [fourth, [second, third]],
    ]);
  });

  it('has one name as long as it lasts, and is over when the lock is there', async () => {
    const holder = await holderOf(4);
    const waiter = await waiterFor(4);
    const seen = async () => (await ours.waits([waiter.branch])).map(({ id }) => id);
    const [id] = await seen();
    expect(await seen()).toEqual([id]);
    await theirs.rollback(holder);
    await until(h.dba, `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`);
    expect(await seen()).toEqual([]);
  });

  it('costs no query while no statement is in flight from one look to the next', async () => {
    const session = await holderOf(5, ours);
    let asked = 0;
    const count = (): void => {
      asked += 1;
    };
    ours.secondPhasePool.on('acquire', count);
    for (let look = 1; look <= 3; look += 1) {
      await session.client.query('SELECT 1');
      expect(await ours.waits()).toEqual([]);
    }
    expect(asked).toBe(0);
    await holderOf(6);
    const waiter = await waiterFor(6);
    expect(await ours.waits()).toEqual([]);
    expect(await ours.waits()).toMatchObject([{ transaction: waiter.branch.transaction }]);
    expect(asked).toBe(1);
    ours.secondPhasePool.off('acquire', count);
  });

  it('ends with its abort also in deferred work, when the branch is about to prepare', async () => {
    await h.dba.query(`
      CREATE TABLE late (id int);
      CREATE FUNCTION wait_late() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN UPDATE hot SET n = 2 WHERE id = 8; RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_late();`);
    await holderOf(8);
    const session = await began(ours);
    await session.client.query('INSERT INTO late VALUES (1)');
    const voting = ours.prepare(session.branch, session);
    await until(h.dba, `SELECT 1 FROM pg_locks WHERE pid = ${session.backend} AND NOT granted`);
    expect(await ours.waits([session.branch])).toMatchObject([{ on: { relation: 'hot' } }]);
    expect(await ours.abort(session.branch)).toEqual({ kind: 'aborted' });
    expect(await voting).toMatchObject({ kind: 'rolled-back' });
    expect(session.deadlineAt - performance.now()).toBeGreaterThan(15_000);
  });

  it('leaves the session’s own name as it was, on the connection that the next branch gets', async () => {
    const small = h.open(h.url, { max: 1, application_name: 'ledger' });
    const name = async (session: PostgresSession) =>
      (
        await session.client.query<{ name: string }>(
          `SELECT current_setting('application_name') AS name`,
        )
      ).rows[0]?.name;
    const session = await beginOn(small, freshBranch());
    expect(await name(session)).toBe(`ledger ${formatGid(session.branch)}`);
    await session.client.query('UPDATE hot SET n = 1 WHERE id = 7');
    expect(await small.prepare(session.branch, session)).toEqual({ kind: 'prepared' });
    expect((await small.sessions.query(`SHOW application_name`)).rows).toEqual([
      { application_name: 'ledger' },
    ]);
    expect(await small.abort(session.branch)).toEqual({ kind: 'aborted' });
  });
});
