/**
 * The closer look on a real Postgres: who waits for a branch, directly and behind others, before and
 * after a restart of the server; pages, fates, and ten thousand branches.
 */
import type { Look } from '@concordat/engine';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
} from '@concordat/protocol';
import { AS_EVER, startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { PostgresResource, SystemClock } from '../standalone.js';
import { Checkup } from './checkup.js';
import { Inspector } from './inspector.js';
import { closerLook } from './report.js';

const CLUSTER = 'lookspec' as ClusterId;
const NAME = 'ledger' as ParticipantName;
const MANY = 10_000;

let server: PostgresServer;
let dba: pg.Pool;
let resource: PostgresResource;
let inspector: Inspector;
const sessions: pg.Client[] = [];
/** Those that wait, by pid: ended by their client alone, they would go on once they get their lock. */
const waiting: number[] = [];

beforeAll(async () => {
  server = await startPostgres({
    settings: {
      ...{ max_prepared_transactions: MANY + 100, fsync: 'off', synchronous_commit: 'off' },
      // Postgres crashes when it looks for deadlocks behind a table that more prepared transactions
      // hold than it has sessions: see docs/deploy.md.
      deadlock_timeout: '1h',
    },
  });
  dba = new pg.Pool({ connectionString: server.url(), max: 8, types: AS_EVER });
  dba.on('error', () => undefined);
  resource = new PostgresResource({ pool: dba, clock: new SystemClock() });
  inspector = new Inspector(resource, { cluster: CLUSTER, participant: NAME });
  await resource.migrate();
  await dba.query('CREATE TABLE account (id text PRIMARY KEY, balance int)');
  await dba.query(`INSERT INTO account VALUES ('alice', 1), ('bob', 2)`);
}, 60_000);

afterEach(async () => {
  const end = 'SELECT pg_terminate_backend(pid, 30000) FROM unnest($1::int[]) AS pid';
  await dba.query(end, [waiting.splice(0)]);
  await Promise.allSettled(sessions.splice(0).map((one) => one.end()));
  const { rows } = await dba.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts');
  for (const { gid } of rows) await dba.query(`ROLLBACK PREPARED '${gid}'`);
}, 60_000);

afterAll(async () => {
  await inspector.close();
  await resource.close();
  await dba.end();
  await server.dispose();
});

const freshGid = (cluster = CLUSTER): string =>
  formatGid({
    cluster,
    transaction: makeTransactionId(Date.now(), randomBytes(10), 'coordr01' as Incarnation),
    branch: makeBranchId(1),
  });

async function prepare(gid: string, work: string): Promise<string> {
  const client = await dba.connect();
  await client.query(`BEGIN`);
  await client.query(work);
  await client.query(`PREPARE TRANSACTION '${gid}'`);
  client.release();
  return gid;
}

/** A session that runs something and waits for a lock; resolves once it is seen waiting. */
async function waits(name: string, statement: string): Promise<number> {
  const client = new pg.Client({
    connectionString: server.url(),
    application_name: name,
    types: AS_EVER,
  });
  client.on('error', () => undefined);
  await client.connect();
  sessions.push(client);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  waiting.push(pid);
  client.query(statement).catch(() => undefined);
  await waitFor(
    async () => {
      const text =
        'SELECT 1 FROM pg_locks WHERE pid = $1 AND NOT granted AND waitstart IS NOT NULL';
      return (await dba.query(text, [pid])).rowCount === 1;
    },
    { what: `${name} to wait` },
  );
  return pid;
}

const look = (wanted: Look, bytesMax = 1_000_000) =>
  closerLook(
    {
      inspector,
      clock: new SystemClock(),
      checkup: new Checkup(
        { resource, inspector, clock: new SystemClock() },
        { cluster: CLUSTER, instance: 'inst0001' as InstanceId, sessionsMax: 4, inDoubtMax: 50 },
      ),
      recalledWaits: () => [],
      failed: () => undefined,
    },
    {},
    wanted,
    bytesMax,
  );

async function impactOf(gid: string) {
  const blocking = await inspector.blocking([gid]);
  const [impact] = await inspector.impact({ gids: [gid], oldest: 1 }, blocking);
  if (!impact) throw new Error('no impact');
  return { impact, sessions: blocking.sessions };
}

describe('who waits for a prepared branch', () => {
  async function expectChain(): Promise<void> {
    const gid = await prepare(freshGid(), `UPDATE account SET balance = 0 WHERE id = 'alice'`);
    const update = `UPDATE account SET balance = 9 WHERE id = 'alice'`;
    const first = await waits('first', update);
    const second = await waits('second', update);
    const third = await waits('third', update);
    const alter = await waits('alter', 'ALTER TABLE account ADD COLUMN note text');
    const reader = await waits('reader', 'SELECT count(*) FROM account');
    const { impact, sessions: blocked } = await impactOf(gid);

    expect(impact.blockedSessions).toBe(5);
    expect(blocked).toBe(5);
    expect(impact.locks).toEqual([
      {
        relation: 'account',
        mode: 'RowExclusiveLock',
        rows: [expect.stringMatching(/^\(\d+,\d+\)$/)],
      },
    ]);
    const of = (pid: number) => impact.waiters.find((one) => one.pid === pid);
    expect(of(first)).toMatchObject({
      relation: 'account',
      row: impact.locks[0]?.rows?.[0],
      application: 'first',
      waitingMs: expect.any(Number),
      query: 'UPDATE account SET balance = ? WHERE id = ?',
    });
    expect(of(first)?.behind).toBeUndefined();
    expect(of(second)).toMatchObject({ relation: 'account', behind: first });
    expect(of(third)?.behind).toBeDefined();
    expect(of(alter)).toMatchObject({ relation: 'account', mode: 'AccessExclusiveLock' });
    expect(of(alter)?.behind).toBeUndefined();
    expect(of(reader)).toMatchObject({ relation: 'account', behind: alter });
  }

  it('are its direct waiters and those behind them, for rows and for the whole table', () =>
    expectChain());

  it('are found after the server was killed and came back, too', async () => {
    await server.kill();
    await server.start();
    await waitFor(async () => (await dba.query('SELECT 1')).rowCount === 1, { what: 'the server' });
    await expectChain();
  });

  it('are also given for branches at work, with the session that holds what they wait for', async () => {
    const gid = freshGid();
    const client = new pg.Client({ connectionString: server.url(), application_name: 'psql' });
    sessions.push(client);
    await client.connect();
    await client.query(`BEGIN; UPDATE account SET balance = 0 WHERE id = 'alice'`);
    const update = `UPDATE account SET balance = 9 WHERE id = 'alice'`;
    await waits(`ledger ${gid}`, update);
    const second = await waits('report', update);
    const { lockWaits } = await look({});
    expect(lockWaits).toMatchObject({
      sessions: 1,
      waits: [
        {
          waiter: { kind: 'branch', isPrepared: false, application: 'ledger' },
          on: { relation: 'account', row: expect.stringMatching(/^\(0,\d+\)$/) },
          holders: [{ kind: 'session', application: 'psql', user: expect.any(String) }],
          ahead: 0,
        },
      ],
    });
    // The second waits for the psql session as well, which is no branch, and neither is it one.
    expect(JSON.stringify(lockWaits)).not.toContain(`"pid":${second}`);
    await client.query('ROLLBACK');
  });

  it('are not those of other clusters, other transactions, or no transaction', async () => {
    const foreign = await prepare(
      freshGid('elsewher' as ClusterId),
      `UPDATE account SET balance = 0 WHERE id = 'bob'`,
    );
    const mine = await prepare(freshGid(), `UPDATE account SET balance = 0 WHERE id = 'alice'`);
    await waits('foreign', `UPDATE account SET balance = 9 WHERE id = 'bob'`);
    const { impact, sessions: blocked } = await impactOf(mine);
    expect({ waiters: impact.waiters, blocked }).toEqual({ waiters: [], blocked: 0 });
    expect(
      await inspector.impact({ gids: [foreign], oldest: 1 }, await inspector.blocking()),
    ).toEqual([]);
  });

  it('hide what they do from a role that may not see it', async () => {
    await dba.query("CREATE ROLE plain LOGIN PASSWORD 'plain'");
    await dba.query('GRANT SELECT ON account, concordat_branch TO plain');
    const url = new URL(server.url());
    url.username = 'plain';
    url.password = 'plain';
    const pool = new pg.Pool({ connectionString: url.href, max: 2 });
    const humble = new PostgresResource({ pool, clock: new SystemClock() });
    const eyes = new Inspector(humble, { cluster: CLUSTER, participant: NAME });
    try {
      const gid = await prepare(freshGid(), `UPDATE account SET balance = 0 WHERE id = 'alice'`);
      await waits('seen', `UPDATE account SET balance = 9 WHERE id = 'alice'`);
      const [impact] = await eyes.impact({ gids: [gid], oldest: 1 }, await eyes.blocking([gid]));
      expect(impact?.waiters).toHaveLength(1);
      expect(impact?.waiters[0]).toMatchObject({ application: 'seen', relation: 'account' });
      expect(impact?.waiters[0]?.query).toBeUndefined();
    } finally {
      await eyes.close();
      await humble.close();
      await pool.end();
    }
  });
});

describe('what became of branches', () => {
  it('is read from the prepared ones first and their outcome rows second', async () => {
    const row = (gid: string, kind: string) =>
      `INSERT INTO concordat_branch (transaction, branch, participant, kind)
       VALUES ('${gid.split(':')[2] ?? ''}', 1, '${NAME}', '${kind}')`;
    const [held, committed, tombstone, nothing] = [freshGid(), freshGid(), freshGid(), freshGid()];
    await prepare(held, row(held, 'branch'));
    await dba.query(row(committed, 'branch'));
    await dba.query(row(tombstone, 'tombstone'));
    expect(await inspector.fates([held, committed, tombstone, nothing])).toEqual([
      { gid: held, fate: 'prepared' },
      { gid: committed, fate: 'committed' },
      { gid: tombstone, fate: 'tombstone' },
      { gid: nothing, fate: 'nothing' },
    ]);
  });

  it('is paged through in the order of ids, without tombstones and without other services', async () => {
    await dba.query('DELETE FROM concordat_branch');
    await dba.query(
      `INSERT INTO concordat_branch (transaction, branch, participant, kind)
       SELECT 'x' || lpad(n::text, 6, '0'), 1, CASE n % 5 WHEN 4 THEN 'other' ELSE $1 END,
              CASE n % 3 WHEN 0 THEN 'tombstone' ELSE 'branch' END
         FROM generate_series(1, 1000) n`,
      [NAME],
    );
    const found: string[] = [];
    let after;
    do {
      const page = await inspector.committedPage({ ...(after ? { after } : {}), limit: 64 });
      found.push(...page.rows.map((one) => one.transaction));
      after = page.next;
    } while (after);
    const wanted = await dba.query<{ transaction: string }>(
      `SELECT transaction FROM concordat_branch WHERE kind = 'branch' AND participant = $1
        ORDER BY transaction`,
      [NAME],
    );
    expect(found).toEqual(wanted.rows.map((one) => one.transaction));
    await dba.query('DELETE FROM concordat_branch');
  });
});

describe('a report', () => {
  it('has every check with what was found, and a remedy where something is wrong', async () => {
    const report = await look({ checks: true });
    const checks = report['checks'] as { name: string; result: string; remedy?: string }[];
    expect(checks.map((one) => one.name)).toEqual(
      expect.arrayContaining([
        'version',
        'prepared-slots',
        'in-doubt-limit',
        'whole-table-waits',
        'standby',
        'reaper',
        'owner',
        'probe',
        'clock',
        'pooler',
        'pg-monitor',
        'outcome-table',
      ]),
    );
    const wrong = checks.filter((one) => one.result !== 'ok');
    // Ten thousand slots and no fsync are this test's; a server may lack the fixes of the newest minor.
    expect(wrong.map((one) => one.name).filter((one) => one !== 'version')).toEqual([
      'fsync',
      'whole-table-waits',
    ]);
    for (const one of wrong) expect(one.remedy).toMatch(/./);
    expect(report['database']).toEqual({
      name: 'postgres',
      version: expect.stringMatching(/^\d/),
      schema: 'public',
    });
  });

  it('says what it could not look at instead of failing', async () => {
    const pool = new pg.Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });
    const away = new PostgresResource({ pool, clock: new SystemClock() });
    const blind = new Inspector(away, { cluster: CLUSTER, participant: NAME });
    const failed: string[] = [];
    const report = await closerLook(
      {
        inspector: blind,
        clock: new SystemClock(),
        checkup: new Checkup(
          { resource: away, inspector: blind, clock: new SystemClock() },
          { cluster: CLUSTER, instance: 'inst0001' as InstanceId, sessionsMax: 4, inDoubtMax: 5 },
        ),
        recalledWaits: () => [],
        failed: (what) => failed.push(what),
      },
      { working: 3 },
      { prepared: { limit: 10 }, oldest: 5 },
      100_000,
    );
    expect(report['working']).toBe(3);
    expect(report['failures']).toEqual([
      expect.stringMatching(/^database: /),
      expect.stringMatching(/^page: /),
      expect.stringMatching(/^blocked: /),
      expect.stringMatching(/^impact: /),
    ]);
    expect(failed).toEqual(['database', 'page', 'blocked', 'impact']);
    await blind.close();
    await away.close();
  });
});

describe('ten thousand prepared branches', () => {
  it('are listed, and the oldest with their impact, in bounded time and within one message', async () => {
    await dba.query('CREATE TABLE entry (id text, part int)');
    const clients = await Promise.all(Array.from({ length: 8 }, () => dba.connect()));
    const gids = Array.from({ length: MANY }, () => freshGid());
    let at = 0;
    await Promise.all(
      clients.map(async (client) => {
        for (let gid = gids[at++]; gid; gid = gids[at++]) {
          await client.query('BEGIN');
          await client.query(`INSERT INTO entry VALUES ('${gid}', 1)`);
          await client.query(`PREPARE TRANSACTION '${gid}'`);
        }
        client.release();
      }),
    );
    await waits('alter', 'ALTER TABLE entry ADD COLUMN note text');

    const listed: string[] = [];
    let after: string | undefined;
    const began = performance.now();
    do {
      const page = await inspector.preparedPage({ ...(after ? { after } : {}), limit: 1_000 });
      listed.push(...page.branches.map((one) => one.gid));
      after = page.next;
    } while (after);
    const listedMs = performance.now() - began;
    expect(listed).toEqual([...gids].sort());

    const bytesMax = 1_000_000;
    const asked = performance.now();
    const report = await look({ prepared: { limit: 1_000 }, oldest: 200 }, bytesMax);
    const reportedMs = performance.now() - asked;
    expect(report['failures']).toBeUndefined();
    const impact = report['impact'] as { branches: { waiters: unknown[] }[] };
    expect(impact.branches).toHaveLength(200);
    for (const one of impact.branches) expect(one.waiters).toHaveLength(1);
    expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(bytesMax);
    // Seconds would do; a statement that grows with the square of the branches takes minutes.
    expect(listedMs).toBeLessThan(10_000);
    expect(reportedMs).toBeLessThan(5_000);

    const small = await look({ prepared: { limit: 1_000 }, oldest: 200 }, 30_000);
    expect(Buffer.byteLength(JSON.stringify(small))).toBeLessThan(30_000);
    expect(small).toMatchObject({
      impact: { truncated: true },
      page: { next: expect.any(String) },
    });
  }, 120_000);
});
