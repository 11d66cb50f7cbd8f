/**
 * One phase on a real Postgres: what is known where the answer to COMMIT does not come, what is on disk when it has
 * come, and what stays on the connection. A COMMIT without an answer is unknown, never a no: the branch can be
 * committed all the same.
 */
import { lowestTransactionIdAt, type ParticipantName } from '@concordat/protocol';
import { beginOn, freshBranchAlone } from './resource.js';
import {
  OUTCOMES_LOCK,
  postgresWithHeldOutcomes,
  until,
  type PostgresHarness,
} from './resource-postgres.js';
import { flushing, withoutStandby } from './without-standby.js';

let h: PostgresHarness;
let close: () => Promise<void>;

beforeAll(async () => {
  ({ h, close } = await postgresWithHeldOutcomes());
  await h.dba.query(`
    CREATE FUNCTION scratch() RETURNS void LANGUAGE sql AS
      'CREATE TEMP TABLE IF NOT EXISTS scratch (id int)'`);
}, 60_000);

afterAll(() => close());

describe('While COMMIT of one phase is under way', () => {
  const committing = flushing('COMMIT');

  async function killedInCommit() {
    const branch = freshBranchAlone();
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'alone');
    const closing = h.resource.prepare(branch, session);
    await until(h.dba, committing);
    return { branch, session, closing };
  }

  it('a killed connection is unknown, never a no, and the outcome row tells once a standby has it', async () => {
    const { branch, told } = await withoutStandby(h.dba, async () => {
      const { branch: own, session, closing } = await killedInCommit();
      await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
      expect(await closing).toMatchObject({ kind: 'unknown' });
      let answer: unknown;
      const asked = h.other.abort(own).then((one) => (answer = one));
      await until(h.dba, flushing('UPDATE'));
      // Its row can be seen, and a failover now would lose it: it is not answered before.
      expect(answer).toBeUndefined();
      return { branch: own, told: { asked } };
    });
    expect(await told.asked).toEqual({ kind: 'committed' });
    expect(await h.resource.abort(branch)).toEqual({ kind: 'committed' });
  });

  it('a cut before COMMIT leaves nothing, and the tombstone says so', async () => {
    const branch = freshBranchAlone();
    const holder = await h.dba.connect();
    await holder.query('SELECT pg_advisory_lock($1)', [OUTCOMES_LOCK]);
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'cut');
    const closing = h.resource.prepare(branch, session);
    await until(h.dba, `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
    expect(await h.other.abort(branch)).toMatchObject({ kind: 'busy' });
    await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
    expect((await closing).kind).not.toBe('committed');
    await holder.query('SELECT pg_advisory_unlock($1)', [OUTCOMES_LOCK]);
    holder.release();
    await until(
      h.dba,
      `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ${session.backend})`,
    );
    expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
  });
});

describe('A branch in one phase', () => {
  it('keeps its outcome row until the register has forgotten it, however old it is', async () => {
    const branch = freshBranchAlone();
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'kept');
    expect(await h.resource.prepare(branch, session)).toEqual({ kind: 'committed' });
    await h.dba.query(`UPDATE concordat_branch SET created_at = now() - interval '1 year'`);
    const later = lowestTransactionIdAt(Date.now() + 60_000);
    const mark = { below: later, retentionMs: 1_000 };
    await h.resource.prune(mark);
    await h.resource.prune({ ...mark, forgottenBelow: lowestTransactionIdAt(0) });
    expect(await h.resource.abort(branch)).toEqual({ kind: 'committed' });
    await h.dba.query(`UPDATE concordat_branch SET created_at = now() - interval '1 year'`);
    expect(await h.resource.prune({ ...mark, forgottenBelow: later })).toBeGreaterThan(0);
    expect(await h.resource.outcomesOf([branch])).toEqual([]);
  });

  it('is forgotten with thousands of others, a piece at a time, and the rest later where that is stopped', async () => {
    await h.dba.query(
      `INSERT INTO concordat_branch (transaction, branch, participant, kind, created_at)
       SELECT lpad(n::text, 26, '0') || '-aaaaaaaa', b, 'ledger', 'tombstone', now() - interval '1 day'
         FROM generate_series(1, 1250) n, generate_series(1, 2) b`,
    );
    const mark = { below: lowestTransactionIdAt(1), retentionMs: 1_000 };
    let pieces = 0;
    const counting = (last: number) => ({
      piece: <T>(work: () => Promise<T>) => work(),
      rest: () => Promise.resolve(++pieces < last),
    });
    expect(await h.resource.prune(mark, counting(1))).toBe(1_000);
    expect(await h.resource.prune(mark, counting(9))).toBe(1_500);
    expect(pieces).toBe(2);
  });

  const setInDatabase = (change: string) =>
    h.dba.query(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ${change}', current_database()); END $$`,
    );

  it('is on disk when it has voted, whatever its session is set to, and so is its tombstone', async () => {
    await h.dba.query(`
      CREATE TABLE levels (level text);
      CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO levels VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
      CREATE TRIGGER note_level AFTER INSERT ON concordat_branch
        FOR EACH ROW EXECUTE FUNCTION note_level()`);
    for (const [set, due] of [
      ['off', 'on'],
      ['remote_apply', 'remote_apply'],
    ]) {
      await setInDatabase(`SET synchronous_commit = ${set}`);
      const resource = h.open(h.url);
      const branch = freshBranchAlone();
      const session = await beginOn(resource, branch);
      await h.write(session, 'flushed');
      expect(await resource.prepare(branch, session)).toEqual({ kind: 'committed' });
      expect(await resource.abort(freshBranchAlone())).toEqual({ kind: 'aborted' });
      const { rows } = await h.dba.query('DELETE FROM levels RETURNING level');
      expect(rows).toEqual([{ level: due }, { level: due }]);
    }
    await setInDatabase('RESET synchronous_commit');
  });

  it('leaves nothing on the connection that it gives back', async () => {
    const pool = new Set<number>();
    for (let at = 0; at < 3; at++) {
      const branch = freshBranchAlone();
      const session = await beginOn(h.resource, branch);
      await h.write(session, 'temporary');
      await session.client.query('SELECT scratch()');
      pool.add(session.backend);
      expect(await h.resource.prepare(branch, session)).toEqual({ kind: 'committed' });
    }
    // Each of them ended with its branch.
    expect(pool.size).toBe(3);
  });

  it('is no branch of a participant that does not decide it', async () => {
    const branch = freshBranchAlone('ledger-west' as ParticipantName);
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'strayed');
    expect((await h.resource.prepare(branch, session)).kind).toBe('rolled-back');
    expect((await h.resource.abort(branch)).kind).toBe('unknown');
  });
});
