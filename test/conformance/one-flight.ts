/**
 * What closes a branch that is known to have written, in the flight that prepares it: its check and its outcome
 * row are one statement there, whatever its triggers did that no text shows.
 */
import { formatGid } from '@concordat/protocol';
import type { BranchKey } from '@concordat/engine';
import type pg from 'pg';
import { beginOn, freshBranch } from './resource.js';
import type { PostgresHarness } from './resource-postgres.js';

/** How often the server says that it is ready for another question. */
export function answersOn(pool: pg.Pool): { count: number } {
  const seen = { count: 0 };
  pool.on('connect', (client) => {
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
    connection.on('readyForQuery', () => (seen.count += 1));
  });
  return seen;
}

/** Makes borrowers of a connection wait until it is let go. */
export function laterOn(pool: pg.Pool): { now(): void } {
  const connect = pool.connect.bind(pool) as (...args: unknown[]) => Promise<pg.PoolClient>;
  let go: () => void = () => undefined;
  const later = new Promise<void>((resolve) => (go = resolve));
  const slow = (...args: unknown[]) =>
    args.length > 0 ? connect(...args) : later.then(() => connect());
  pool.connect = slow as typeof pool.connect;
  return {
    now: () => {
      pool.connect = connect as typeof pool.connect;
      go();
    },
  };
}

/** The suite, in a database without foreign tables and triggers that do something else instead. */
export function closesInOneFlight(harness: () => PostgresHarness): void {
  let h: PostgresHarness;

  describe('A branch whose trigger does what no text shows, closed and prepared in one flight,', () => {
    beforeAll(() => {
      h = harness();
      return h.dba.query(`
      CREATE ROLE clerk; CREATE ROLE guest;
      GRANT INSERT ON concordat_branch TO clerk;
      CREATE SEQUENCE numbers; CREATE TABLE triggering (does text);
      CREATE FUNCTION does() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE 'SELECT ' || NEW.does; RETURN NEW; END $$;
      CREATE TRIGGER does BEFORE INSERT ON triggering FOR EACH ROW EXECUTE FUNCTION does()`);
    });

    const taking = (role: string, local: boolean) => `set_config('role', '${role}', ${local})`;

    /** A service of one connection, whose branches do in a trigger what the test sets. */
    async function service() {
      const resource = h.open(undefined, { max: 1 });
      const questions = answersOn(resource.sessions);
      const does = async (what: string, settings?: string) => {
        const branch = freshBranch();
        const session = await beginOn(resource, branch);
        const before = questions.count;
        if (settings) await session.client.query(settings);
        await session.client.query('INSERT INTO triggering VALUES ($1)', [what]);
        const result = await resource.prepare(branch, session);
        return { branch, result, asked: questions.count - before };
      };
      await resource.abort((await does('1')).branch);
      return { resource, does };
    }

    const ownerOf = async (branch: BranchKey) =>
      (await h.dba.query('SELECT owner FROM pg_prepared_xacts WHERE gid = $1', [formatGid(branch)]))
        .rows;

    it.each([true, false])(
      'is prepared by its service, whatever role it took (local: %s)',
      async (local) => {
        const { resource, does } = await service();
        const { rows } = await h.dba.query('SELECT current_user AS owner');
        const { branch, result, asked } = await does(taking('clerk', local));
        expect([result, asked]).toEqual([{ kind: 'prepared' }, 2]);
        expect(await ownerOf(branch)).toEqual(rows);
        expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
      },
    );

    it('is refused once where that role may not write the outcome row, and then prepared', async () => {
      const { resource, does } = await service();
      expect((await does(taking('guest', true))).result).toMatchObject({
        kind: 'rolled-back',
        vote: { code: 'RESOURCE_UNAVAILABLE', retryable: true },
      });
      const { branch, result, asked } = await does(taking('guest', true));
      expect([result, asked]).toEqual([{ kind: 'prepared' }, 2]);
      expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
    });

    it('is prepared the first time where its own statement took that role', async () => {
      await h.dba.query('GRANT INSERT ON triggering TO guest');
      const { resource, does } = await service();
      const { branch, result } = await does('1', 'SET LOCAL ROLE guest');
      expect(result).toEqual({ kind: 'prepared' });
      expect(await resource.abort(branch)).toEqual({ kind: 'aborted' });
    });

    it('leaves nothing on its connection', async () => {
      const { resource, does } = await service();
      const all = `set_config('work_mem', '1MB', false), pg_advisory_lock(815), nextval('numbers'),
      set_config('search_path', 'pg_temp', false), ${taking('clerk', false)}`;
      const { branch, result, asked } = await does(all);
      expect([result, asked]).toEqual([{ kind: 'prepared' }, 2]);
      const left = await resource.sessions.query({
        text: `SELECT current_setting('role') AS role, current_setting('work_mem') AS memory,
        current_setting('search_path') AS path, (SELECT count(*)::text FROM pg_locks
          WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks`,
      });
      const [memory] = (await h.dba.query('SHOW work_mem')).rows as { work_mem: string }[];
      const found = { role: 'none', memory: memory?.work_mem, path: '"$user", public', locks: '0' };
      expect(left.rows).toEqual([found]);
      await expect(resource.sessions.query('SELECT lastval()')).rejects.toMatchObject({
        code: '55000',
      });
      expect(await resource.commit(branch)).toEqual({ kind: 'committed' });
    });

    it('is refused permanently where it is another transaction, or another login, by then', async () => {
      const { does } = await service();
      const { result } = await does(`set_config('concordat.branch', 'another', true)`);
      const refused = { kind: 'rolled-back', vote: { code: 'NOT_PREPARABLE', retryable: false } };
      expect(result).toMatchObject(refused);
      const login = await does(`set_config('session_authorization', 'clerk', true)`);
      expect(login.result).toMatchObject(refused);
    });
  });
}
