/**
 * The Postgres resource on a real server: the common suite, then what only Postgres can do wrong
 * (field notes on SQLSTATEs, command tags, locks, owners, poolers).
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { BranchMisuse, examine } from '@concordat/participant';
import { formatGid, gidPrefix, lowestTransactionIdAt, type InstanceId } from '@concordat/protocol';
import { AS_EVER, startPostgres, type PostgresServer } from '@concordat/testing';
import { CLUSTER, beginOn, describeResource, freshBranch } from './resource.js';
import { postgresHarness, until, withClient, type PostgresHarness } from './resource-postgres.js';

const SLOTS = 12;
const INSTANCE = 'instance' as InstanceId;

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: SLOTS } });
}, 60_000);

afterAll(() => server.dispose());

describeResource('Postgres', () => postgresHarness(server));

describe('Postgres as a resource, where only Postgres can go wrong', () => {
  let h: PostgresHarness;

  beforeAll(async () => {
    h = await postgresHarness(server);
    // Work that waits, while its branch is closed, for a lock that the test holds: a deferred trigger.
    await h.dba.query(`
      CREATE TABLE slow (mark text);
      CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_for_test();
      CREATE TABLE parent (id int PRIMARY KEY);
      CREATE TABLE child (parent int CONSTRAINT child_has_parent
        REFERENCES parent DEFERRABLE INITIALLY DEFERRED);`);
  });

  afterAll(() => h.close());

  const closing = `SELECT 1 FROM pg_stat_activity WHERE state = 'active'
    AND wait_event = 'advisory' AND datname = current_database()`;

  async function holdingTheLock<T>(work: (release: () => Promise<void>) => Promise<T>): Promise<T> {
    const holder = await h.dba.connect();
    await holder.query('SELECT pg_advisory_lock(4711)');
    const release = async () => {
      await holder.query('SELECT pg_advisory_unlock_all()');
    };
    try {
      return await work(release);
    } finally {
      await release();
      holder.release();
    }
  }

  describe('while deferred work of a branch is under way', () => {
    it('a killed connection is a certain no', async () => {
      const branch = freshBranch();
      const result = await holdingTheLock(async () => {
        const session = await beginOn(h.resource, branch);
        await session.client.query(`INSERT INTO slow VALUES ('killed')`);
        const preparing = h.resource.prepare(branch, session);
        await until(h.dba, closing);
        await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
        return preparing;
      });
      expect(result).toMatchObject({ kind: 'rolled-back', vote: { retryable: true } });
    });

    it('no answer in the time left is a no, and its connection is not used again', async () => {
      const branch = freshBranch();
      await holdingTheLock(async () => {
        const session = await beginOn(h.resource, branch, 300);
        await session.client.query(`INSERT INTO slow VALUES ('late')`);
        const result = await h.resource.prepare(branch, session);
        expect(result.kind).toBe('rolled-back');
        await until(
          h.dba,
          `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = ${session.backend} AND state = 'active')`,
        );
      });
      expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
    });

    it('an abort does not wait for it, and the branch is never prepared afterwards', async () => {
      const branch = freshBranch();
      await holdingTheLock(async (release) => {
        const session = await beginOn(h.resource, branch);
        await session.client.query(`INSERT INTO slow VALUES ('overtaken')`);
        const preparing = h.resource.prepare(branch, session);
        await until(h.dba, closing);
        expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
        await release();
        expect(await preparing).toMatchObject({
          kind: 'rolled-back',
          vote: { code: 'ALREADY_FINISHED' },
        });
      });
      expect((await h.resource.listPrepared(CLUSTER)).entries).toEqual([]);
    });
  });

  it('a connection killed before PREPARE is a no that may be tried again', async () => {
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'killed-before');
    await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'RESOURCE_UNAVAILABLE', retryable: true },
    });
  });

  it('all slots taken is a no that may be tried again, and loses nothing', async () => {
    const before = (await h.resource.listPrepared(CLUSTER)).slotsUsed;
    const fillers = Array.from({ length: SLOTS - before }, () => freshBranch());
    for (const filler of fillers) {
      const session = await beginOn(h.resource, filler);
      await h.write(session, 'filler');
      expect(await h.resource.prepare(filler, session)).toEqual({ kind: 'prepared' });
    }
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'one-too-many');
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'PREPARED_SLOTS_EXHAUSTED', retryable: true },
    });
    for (const filler of fillers) {
      expect(await h.resource.commit(filler)).toEqual({ kind: 'committed' });
    }
    expect(await h.sees('one-too-many')).toBe(false);
  });

  it('a deferred constraint that does not hold is a no with its name', async () => {
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    await session.client.query('INSERT INTO child VALUES (1)');
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: {
        code: 'CONSTRAINT_VIOLATED',
        retryable: false,
        details: { constraint: 'child_has_parent' },
      },
    });
  });

  it('work that Postgres cannot prepare is a permanent no', async () => {
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    await session.client.query('CREATE TEMP TABLE scratch (id int)');
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'NOT_PREPARABLE', retryable: false },
    });
  });

  it('an abort that meets a running branch waits for it shortly, then answers truthfully', async () => {
    const branch = freshBranch();
    const insert = `INSERT INTO concordat_branch (transaction, branch, participant, kind)
      VALUES ('${branch.transaction}', ${branch.branch}, 'ledger-east', 'branch')`;
    const holder = await h.dba.connect();
    await holder.query('BEGIN');
    await holder.query(insert);
    expect(await h.resource.abort(branch)).toMatchObject({ kind: 'busy' });
    await holder.query('COMMIT');
    holder.release();
    expect(await h.resource.abort(branch)).toMatchObject({
      kind: 'heuristic',
      evidence: { found: 'committed' },
    });
  });

  it('a branch that is prepared elsewhere is no deadline that passed, but finished', async () => {
    const branch = freshBranch();
    const first = await beginOn(h.other, branch);
    await h.write(first, 'first');
    expect(await h.other.prepare(branch, first)).toEqual({ kind: 'prepared' });
    const second = await beginOn(h.resource, branch, 2_000);
    await h.write(second, 'second');
    expect(await h.resource.prepare(branch, second)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'ALREADY_FINISHED', retryable: false },
    });
    expect(await h.other.commit(branch)).toEqual({ kind: 'committed' });
    expect(await h.sees('first')).toBe(true);
    expect(await h.sees('second')).toBe(false);
  });

  it('prepared transactions of others are neither listed nor touched', async () => {
    const planted = ['somebody-elses', `${gidPrefix(CLUSTER)}not-a-transaction:1`];
    await withClient(h.url, async (client) => {
      for (const gid of planted) {
        await client.query('BEGIN');
        await client.query(`INSERT INTO work VALUES ('planted')`);
        await client.query(`PREPARE TRANSACTION '${gid}'`);
      }
    });
    const { entries } = await h.resource.listPrepared(CLUSTER);
    expect(entries.map((one) => one.gid)).not.toContain('somebody-elses');
    const { rows } = await h.dba.query<{ gid: string }>(
      'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()',
    );
    expect(rows.map((one) => one.gid).sort()).toEqual([...planted].sort());
    for (const gid of planted) await h.dba.query(`ROLLBACK PREPARED '${gid}'`);
  });

  it('a branch of this cluster in another database of the server is not listed', async () => {
    const neighbour = await postgresHarness(server);
    try {
      const branch = freshBranch();
      const session = await beginOn(neighbour.resource, branch);
      await neighbour.write(session, 'next door');
      expect(await neighbour.resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
      const gids = async (one: PostgresHarness) =>
        (await one.resource.listPrepared(CLUSTER)).entries.map(({ gid }) => gid);
      expect(await gids(neighbour)).toEqual([formatGid(branch)]);
      expect(await gids(h)).not.toContain(formatGid(branch));
      expect(await neighbour.resource.abort(branch)).toEqual({ kind: 'aborted' });
    } finally {
      await neighbour.close();
    }
  });

  it('a standby, which shows no prepared transactions, is not believed to have none', async () => {
    const home = await mkdtemp(join(tmpdir(), 'concordat-standby-'));
    await chmod(home, 0o755);
    const primary = await startPostgres({
      dataDir: home,
      settings: { max_prepared_transactions: 2, hot_standby: 'on' },
    });
    try {
      const branch = freshBranch();
      const resource = h.open(primary.url());
      await resource.migrate();
      const session = await beginOn(resource, branch);
      await session.client.query('CREATE TABLE here (mark text)');
      expect(await resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
      expect((await resource.listPrepared(CLUSTER)).entries).toHaveLength(1);
      await primary.stop();
      const signal = join(primary.dataDir, 'standby.signal');
      await writeFile(signal, '');
      await chmod(signal, 0o644);
      await primary.start();
      await expect(resource.listPrepared(CLUSTER)).rejects.toThrow(/standby.*use the primary/);
      expect(await resource.commit(branch)).toMatchObject({ kind: 'unknown' });
      expect(await resource.abort(branch)).toMatchObject({ kind: 'unknown' });
    } finally {
      await primary.stop({ mode: 'immediate' });
      await rm(home, { recursive: true, force: true });
    }
  }, 60_000);

  describe('a session', () => {
    it('refuses queries after its branch has ended, instead of committing them', async () => {
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'in-time');
      expect(await h.resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
      await expect(h.write(session, 'detached')).rejects.toThrow(BranchMisuse);
      expect(await h.resource.commit(branch)).toEqual({ kind: 'committed' });
      expect(await h.sees('detached')).toBe(false);
      expect(await h.sees('in-time')).toBe(true);
    });

    it.each([
      ...['COMMIT', 'rollback', ' begin', 'PREPARE TRANSACTION $$x$$', 'SET lock_timeout = 0'],
      ...['/* x */ COMMIT', '-- x\n/* y **/ROLLBACK'],
    ])('refuses %s with what to do instead', async (statement) => {
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await expect(session.client.query(statement)).rejects.toThrow(/use |return to/);
      await h.resource.rollback(session);
    });

    it('whose operation committed behind our back is a no', async () => {
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await session.client.query(`DO $$ BEGIN END $$; COMMIT`);
      expect(await h.resource.prepare(branch, session)).toMatchObject({
        kind: 'rolled-back',
        vote: { code: 'NOT_PREPARABLE' },
      });
    });

    it.each([
      ['nothing written after it', ''],
      ['something written after it', `INSERT INTO work VALUES ('after-the-end')`],
    ])('ended and begun again within one text is a no, with %s', async (_what, more) => {
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'before-the-end');
      await session.client.query(`SELECT 1; COMMIT; BEGIN; ${more}`);
      expect(session.transactionStatus).toBe('T');
      expect(await h.resource.prepare(branch, session)).toMatchObject({
        kind: 'rolled-back',
        vote: { code: 'NOT_PREPARABLE', retryable: false },
      });
      expect(await h.sees('after-the-end')).toBe(false);
    });

    it('rolled back while a statement waits for a lock gives its own locks back at once', async () => {
      const holder = freshBranch();
      const held = await beginOn(h.resource, holder);
      await held.client.query(`UPDATE once SET mark = 'taken' WHERE mark = 'taken'`);
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'given-up');
      const waiting = session.client
        .query(`UPDATE once SET mark = 'taken' WHERE mark = 'taken'`)
        .catch((error: Error) => error);
      await until(
        h.dba,
        `SELECT 1 FROM pg_stat_activity WHERE pid = ${session.backend} AND wait_event_type = 'Lock'`,
      );
      await h.resource.rollback(session);
      expect(await waiting).toBeInstanceOf(Error);
      await until(
        h.dba,
        `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_locks WHERE pid = ${session.backend})`,
      );
      await h.resource.rollback(held);
    });

    it('is refused in time when the pool is empty, and the late connection goes back', async () => {
      const small = h.open(h.url, { max: 1 });
      const first = freshBranch();
      const session = await beginOn(small, first);
      const refused = await small.begin(freshBranch(), { timeLeftMs: 50 });
      expect(refused).toMatchObject({
        kind: 'no',
        vote: { code: 'RESOURCE_UNAVAILABLE', retryable: true },
      });
      await small.rollback(session);
      const third = await beginOn(small, freshBranch());
      await small.rollback(third);
      expect(small.sessions.idleCount).toBe(1);
    });

    it('begins with lock and statement time-outs from the time left, in this order', async () => {
      const session = await beginOn(h.resource, freshBranch(), 1_234);
      const asked = session.client.query<{ lock: number; statement: number }>({
        text: `SELECT max(setting::int) FILTER (WHERE name = 'lock_timeout') AS lock,
                      max(setting::int) FILTER (WHERE name = 'statement_timeout') AS statement
                 FROM pg_settings`,
        types: AS_EVER,
      });
      const [answered] = await Promise.allSettled([asked]);
      await h.resource.rollback(session);
      if (answered.status === 'rejected') throw answered.reason;
      const { rows } = answered.value;
      expect(rows[0]?.lock).toBeGreaterThan(500);
      expect(rows[0]?.lock).toBeLessThan(rows[0]?.statement ?? 0);
      expect(rows[0]?.statement).toBeLessThan(1_234);
    });

    it('waits for a lock no longer than that, without a watch', async () => {
      const unwatched = h.open();
      await holdingTheLock(async () => {
        const session = await beginOn(unwatched, freshBranch(), 300);
        await unwatched.secondPhasePool.end(); // The look at waits uses these.
        const waiting = session.client.query('SELECT pg_advisory_xact_lock(4711)');
        await expect(waiting).rejects.toMatchObject({ code: '55P03' });
        await unwatched.rollback(session);
      });
    });

    it('leaves no time-out behind on its connection', async () => {
      const small = h.open(h.url, { max: 1 });
      const branch = freshBranch();
      const session = await beginOn(small, branch, 1_234);
      await h.write(session, 'tidy');
      expect(await small.prepare(branch, session)).toEqual({ kind: 'prepared' });
      const { rows } = await small.sessions.query<{ lock_timeout: string }>('SHOW lock_timeout');
      expect(rows[0]?.lock_timeout).toBe('0');
      expect(await small.commit(branch)).toEqual({ kind: 'committed' });
    });
  });

  describe('finishing in the wrong place', () => {
    it('as another role is unknown, and says who can', async () => {
      await server.createDatabase('stranger');
      await h.dba.query('GRANT SELECT, INSERT, DELETE ON concordat_branch TO stranger');
      await h.dba.query('GRANT SELECT, INSERT, UPDATE ON concordat_closed TO stranger');
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'owned');
      await h.resource.prepare(branch, session);
      const stranger = h.open(server.url(h.database, 'stranger'));
      const commit = await stranger.commit(branch);
      expect(commit).toMatchObject({ kind: 'unknown' });
      expect('reason' in commit ? commit.reason : '').toMatch(/only the role that prepared/);
      const { findings } = await examine(stranger, {
        cluster: CLUSTER,
        instance: INSTANCE,
        sessionsMax: 4,
      });
      expect(findings).toContainEqual(
        expect.objectContaining({ check: 'owner', severity: 'warning' }) as unknown,
      );
      expect(await h.resource.commit(branch)).toEqual({ kind: 'committed' });
    });

    it('in another database is unknown, and says what to correct', async () => {
      const branch = freshBranch();
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'elsewhere');
      await h.resource.prepare(branch, session);
      const elsewhere = h.open(server.url());
      const abort = await elsewhere.abort(branch);
      expect(abort).toMatchObject({ kind: 'unknown' });
      expect('reason' in abort ? abort.reason : '').toMatch(/Correct its database URL/);
      expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
    });
  });

  it('outcome rows are pruned below the mark and past retention, never by age alone', async () => {
    const branches = [freshBranch(), freshBranch()];
    for (const branch of branches)
      expect(await h.resource.abort(branch)).toEqual({ kind: 'aborted' });
    const everything = lowestTransactionIdAt(Date.now() + 1);
    await h.resource.prune({ below: branches[0]!.transaction, retentionMs: 0 });
    await h.resource.prune({ below: everything, retentionMs: 3_600_000 });
    expect(await h.resource.outcomesOf(branches)).toHaveLength(2);
    expect(await h.resource.prune({ below: everything, retentionMs: 0 })).toBeGreaterThanOrEqual(2);
    expect(await h.resource.outcomesOf(branches)).toEqual([]);
  });

  it('lock impact names the table a prepared branch holds, and counts who waits', async () => {
    const branch = freshBranch();
    const session = await beginOn(h.resource, branch);
    await session.client.query(`UPDATE once SET mark = 'taken' WHERE mark = 'taken'`);
    expect(await h.resource.prepare(branch, session)).toEqual({ kind: 'prepared' });
    const waiter = new pg.Client({ connectionString: h.url });
    await waiter.connect();
    const waiting = waiter.query(`UPDATE once SET mark = 'taken' WHERE mark = 'taken'`);
    await until(h.dba, `SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`);
    const impact = (await h.resource.lockImpact(CLUSTER)).find(
      (one) => one.gid === formatGid(branch),
    );
    expect(impact?.waiting).toBe(1);
    expect(impact?.locks).toContainEqual({ relation: 'once', mode: 'RowExclusiveLock' });
    expect(await h.resource.commit(branch)).toEqual({ kind: 'committed' });
    await waiting;
    await waiter.end();
  });

  describe('the start-up check', () => {
    const options = { cluster: CLUSTER, instance: INSTANCE, sessionsMax: 4 };

    it('passes on this server, and leaves no probe behind', async () => {
      const { findings, slotsMax } = await examine(h.resource, options);
      expect(findings.filter((one) => one.severity === 'failure')).toEqual([]);
      expect(slotsMax).toBe(SLOTS);
      expect((await h.resource.listPrepared(CLUSTER)).entries).toEqual([]);
    });

    it('refuses an in-doubt limit above the server’s slots, a small pool, a missing table', async () => {
      const { findings } = await examine(h.resource, {
        ...options,
        inDoubtMax: SLOTS + 1,
        sessionsMax: 100,
      });
      expect(findings.map((one) => one.check)).toEqual(
        expect.arrayContaining(['prepared-slots', 'pool']),
      );
      const elsewhere = await examine(h.open(server.url()), options);
      expect(elsewhere.findings.map((one) => one.check)).toContain('outcome-table');
      for (const { remedy } of [...findings, ...elsewhere.findings]) expect(remedy).not.toBe('');
    });

    it('refuses a server that cannot prepare, and says how to change that', async () => {
      const bare = await startPostgres({ settings: { max_prepared_transactions: 0 } });
      try {
        const resource = h.open(bare.url());
        const { findings } = await examine(resource, options);
        const finding = findings.find((one) => one.check === 'prepared-slots');
        expect(finding?.severity).toBe('failure');
        expect(finding?.remedy).toMatch(/ALTER SYSTEM SET max_prepared_transactions/);
        await resource.close();
        await resource.sessions.end();
      } finally {
        await bare.dispose();
      }
    }, 60_000);
  });
});
