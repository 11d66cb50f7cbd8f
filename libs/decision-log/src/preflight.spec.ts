/** What a decision database must be, as refusals at open that name their remedies. */
import { SystemClock } from '@concordat/channel';
import { freePort, startPostgres, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { mkdtemp, rm, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDecisionLog } from './decision-log.js';
import { judgeVersion } from './preflight.js';
import { DecisionDatabaseUnusable } from './refusals.js';

async function refusalOf(url: string): Promise<DecisionDatabaseUnusable> {
  try {
    const log = await openDecisionLog({ url, clock: new SystemClock(), answerWithinMs: 2_000 });
    await log.close();
  } catch (error) {
    if (error instanceof DecisionDatabaseUnusable) return error;
    throw error;
  }
  throw new Error('it was opened');
}

describe('a decision database that could forget is refused', () => {
  let server: PostgresServer;
  let dba: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    dba = new pg.Client({ connectionString: server.url() });
    await dba.connect();
  }, 60_000);

  afterAll(async () => {
    await dba.end();
    await server.dispose();
  });

  async function reload(...statements: string[]): Promise<void> {
    for (const statement of statements) await dba.query(statement);
    const { rows } = await dba.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at');
    await dba.query('SELECT pg_reload_conf()');
    for (let now = rows[0]?.at; now === rows[0]?.at;) {
      const next = await dba.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at');
      now = next.rows[0]?.at;
    }
  }

  it.each([
    ['fsync', 'fsync-off'],
    ['full_page_writes', 'full-page-writes-off'],
    ['synchronous_commit', 'synchronous-commit-off'],
  ])('with %s=off, naming the statement that fixes it', async (setting, code) => {
    await reload(`ALTER SYSTEM SET ${setting} = off`);
    const refusal = await refusalOf(server.url());
    expect(refusal.code).toBe(code);
    expect(refusal.message).toContain(`ALTER SYSTEM SET ${setting} = on; SELECT pg_reload_conf();`);
    await reload(`ALTER SYSTEM RESET ${setting}`);
  });

  it('that is read-only, naming the setting to take back', async () => {
    const url = await server.createDatabase('library', 'careless');
    await dba.query('ALTER DATABASE "library" SET default_transaction_read_only = on');
    const refusal = await refusalOf(url);
    expect(refusal.code).toBe('read-only');
    expect(refusal.message).toContain('default_transaction_read_only=on');
  });

  it.each([
    ['the role', 'ALTER ROLE "careless" %', 'ALTER ROLE "careless" RESET synchronous_commit'],
    ['the database', 'ALTER DATABASE "shop" %', 'ALTER DATABASE "shop" RESET synchronous_commit'],
    [
      'the role in the database',
      'ALTER ROLE "careless" IN DATABASE "shop" %',
      'ALTER ROLE "careless" IN DATABASE "shop" RESET synchronous_commit',
    ],
  ])('with synchronous_commit=off as a default of %s', async (_, statement, remedy) => {
    const url = await server.createDatabase('shop', 'careless');
    await dba.query(statement.replace('%', 'SET synchronous_commit = off'));
    const refusal = await refusalOf(url);
    expect(refusal.code).toBe('synchronous-commit-off');
    expect(refusal.message).toContain(remedy);
    await dba.query(statement.replace('%', 'RESET synchronous_commit'));
  });

  it('with synchronous_commit=off in the URL', async () => {
    const url = `${server.url()}?options=-c%20synchronous_commit%3Doff`;
    expect((await refusalOf(url)).message).toContain('the options in the connection URL');
  });

  it('that cannot hold every text', async () => {
    await dba.query(`CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`);
    const refusal = await refusalOf(server.url('latin'));
    expect(refusal.code).toBe('not-utf8');
    expect(refusal.message).toContain("ENCODING 'UTF8'");
  });

  it('on which its role may not migrate', async () => {
    const url = await server.createDatabase('locked', 'locked');
    await dba.query('CREATE ROLE guest LOGIN PASSWORD $$guest$$');
    await dba.query('GRANT CONNECT ON DATABASE locked TO guest');
    const guest = new URL(url);
    guest.username = 'guest';
    guest.password = 'guest';
    const refusal = await refusalOf(guest.href);
    expect(refusal.code).toBe('missing-privilege');
    expect(refusal.message).toContain('GRANT CREATE ON DATABASE');
  });

  it('that is not there, without revealing the password', async () => {
    const url = `postgres://someone:secret@127.0.0.1:${await freePort()}/nowhere`;
    const refusal = await refusalOf(url);
    expect(refusal.code).toBe('unreachable');
    expect(refusal.message).toMatch(
      /127\.0\.0\.1:\d+\/nowhere: .*ECONNREFUSED.*\nRemedy: start it/,
    );
    expect(refusal.message).not.toContain('secret');
  });

  it.each([
    ['PostgreSQL 14.12 on x86_64-pc-linux-gnu', 140_012],
    ['CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)', 130_000],
    ['PostgreSQL 15.2-YB-2.25.1.0-b0 on x86_64-pc-linux-gnu', 150_002],
  ])('when it is "%s"', (version, number) => {
    expect(() => judgeVersion(version, number)).toThrow('PostgreSQL 15 or newer');
  });

  it('but not for being a distribution of a supported version', () => {
    const version = 'PostgreSQL 16.3 (Debian 16.3-1.pgdg120+1) on x86_64-pc-linux-gnu';
    expect(judgeVersion(version, 160_003)).toBe('PostgreSQL 16.3');
    expect(judgeVersion('PostgreSQL 19beta1 on aarch64', 190_000)).toBe('PostgreSQL 19beta1');
  });
});

describe('a standby', () => {
  it('is refused, since nothing can be made durable there', async () => {
    const home = await mkdtemp(join(tmpdir(), 'concordat-standby-'));
    await chmod(home, 0o755);
    const server = await startPostgres({ dataDir: home });
    try {
      await server.stop();
      const signal = join(server.dataDir, 'standby.signal');
      await writeFile(signal, '');
      await chmod(signal, 0o644);
      await server.start();
      const refusal = await refusalOf(server.url());
      expect(refusal.code).toBe('standby');
      expect(refusal.message).toContain('connect to the primary');
    } finally {
      await server.stop({ mode: 'immediate' });
      await rm(home, { recursive: true, force: true });
    }
  }, 60_000);
});
