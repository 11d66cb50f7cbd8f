/**
 * One phase on a real Postgres: what is known where the answer to COMMIT does not come, what is on disk when it has
 * come, and what stays on the connection. A COMMIT without an answer is unknown, never a no: the branch can be
 * committed all the same.
 */
import type { BranchKey } from '@concordat/engine';
import type { PostgresResource, PostgresSession } from '@concordat/participant';
import { lowestTransactionIdAt, type ParticipantName } from '@concordat/protocol';
import { itBehindAPooler, startPooler } from './pooler.js';
import { beginOn, freshBranchAlone } from './resource.js';
import {
  OUTCOMES_LOCK,
  postgresWithHeldOutcomes,
  until,
  withClient,
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

// What a test closes is open for the next one.
afterEach(() => h.dba.query(`UPDATE concordat_closed SET below = ''`));

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

  it('a wait for its standby that somebody ends is no commit to be told yet, and no no', async () => {
    const told = await withoutStandby(h.dba, async () => {
      const { branch, session, closing } = await killedInCommit();
      await h.dba.query('SELECT pg_cancel_backend($1)', [session.backend]);
      // The tag is COMMIT, and a failover now would lose it.
      expect(await closing).toMatchObject({ kind: 'unknown', vote: { retryable: true } });
      const asked = h.other.abort(branch);
      await until(h.dba, flushing('UPDATE'));
      await h.dba.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'UPDATE%' AND wait_event = 'SyncRep'`);
      expect(await asked).toMatchObject({ kind: 'unknown' });
      const again = h.resource.abort(branch);
      await until(h.dba, flushing('UPDATE'));
      return { again };
    });
    expect(await told.again).toEqual({ kind: 'committed' });
  });

  it('a tombstone is not told either before a standby has it', async () => {
    const told = await withoutStandby(h.dba, async () => {
      const branch = freshBranchAlone();
      const asked = h.resource.abort(branch);
      await until(h.dba, flushing('INSERT INTO "public".concordat_branch'));
      await h.dba.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'INSERT INTO "public"%' AND wait_event = 'SyncRep'`);
      expect(await asked).toMatchObject({ kind: 'unknown' });
      let answer: unknown;
      const again = h.other.abort(branch).then((one) => (answer = one));
      await until(h.dba, flushing('UPDATE'));
      expect(answer).toBeUndefined();
      return { again };
    });
    expect(await told.again).toEqual({ kind: 'aborted' });
  });

  it('no answer in the time left is unknown, and it has committed', async () => {
    const branch = freshBranchAlone();
    const result = await withoutStandby(h.dba, async () => {
      const session = await beginOn(h.resource, branch, 1_000);
      await h.write(session, 'late alone');
      return h.resource.prepare(branch, session);
    });
    expect(result.kind).toBe('unknown');
    expect(await h.other.abort(branch)).toEqual({ kind: 'committed' });
    expect(await h.sees('late alone')).toBe(true);
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

/** A branch that is held behind its outcome row, on its way to COMMIT, while something happens. */
async function heldBeforeCommit<T>(
  resource: PostgresResource,
  begin: () => Promise<{ branch: BranchKey; session: PostgresSession }>,
  meanwhile: (session: PostgresSession, branch: BranchKey) => Promise<T>,
) {
  const holder = await h.dba.connect();
  try {
    const { branch, session } = await begin();
    await holder.query('SELECT pg_advisory_lock($1)', [OUTCOMES_LOCK]);
    const closing = resource.prepare(branch, session);
    await until(h.dba, `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
    const seen = await meanwhile(session, branch);
    await holder.query('SELECT pg_advisory_unlock_all()');
    return { branch, seen, result: await closing };
  } finally {
    await holder.query('SELECT pg_advisory_unlock_all()');
    holder.release();
  }
}

describe('A branch that its database refuses at the end says no, and why', () => {
  const written = async (mark: string, resource = h.resource) => {
    const branch = freshBranchAlone();
    const session = await beginOn(resource, branch);
    await h.write(session, mark);
    return { branch, session };
  };

  it('where a deferred constraint does not hold', async () => {
    await h.dba.query(`
      CREATE TABLE paid (id int PRIMARY KEY);
      CREATE TABLE line (paid int CONSTRAINT line_is_paid REFERENCES paid DEFERRABLE INITIALLY DEFERRED)`);
    const { branch, session } = await written('unpaid');
    await session.client.query('INSERT INTO line VALUES (7)');
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'CONSTRAINT_VIOLATED', details: { constraint: 'line_is_paid' } },
    });
    expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
    expect(await h.sees('unpaid')).toBe(false);
  });

  it('where a deferred trigger raises', async () => {
    await h.dba.query(`
      CREATE TABLE guarded (id int);
      CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
      CREATE CONSTRAINT TRIGGER guard AFTER INSERT ON guarded
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard()`);
    const { branch, session } = await written('guarded');
    await session.client.query('INSERT INTO guarded VALUES (1)');
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'RAISED_BY_DATABASE' },
    });
    expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
  });

  it('where COMMIT itself cannot be serialised: worth another try, on a connection that goes on', async () => {
    await h.dba.query('CREATE TABLE duty (doctor int PRIMARY KEY, busy bool NOT NULL)');
    await h.dba.query('INSERT INTO duty VALUES (1, true), (2, true)');
    const count = 'SELECT count(*) FROM duty WHERE busy';
    const resource = h.open(h.url, {
      max: 1,
      options: '-c default_transaction_isolation=serializable',
    });
    const other = await h.dba.connect();
    const { branch, result } = await heldBeforeCommit(
      resource,
      async () => {
        const { branch: own, session } = await written('skewed', resource);
        await session.client.query(count);
        await other.query(`BEGIN ISOLATION LEVEL SERIALIZABLE; ${count}`);
        await other.query('UPDATE duty SET busy = false WHERE doctor = 1');
        await session.client.query('UPDATE duty SET busy = false WHERE doctor = 2');
        return { branch: own, session };
      },
      () => other.query('COMMIT'),
    );
    other.release();
    expect(result).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'SERIALIZATION_FAILURE', retryable: true, details: { sqlstate: '40001' } },
    });
    expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
    const again = await written('skewed again', resource);
    expect(await resource.prepare(again.branch, again.session)).toEqual({ kind: 'committed' });
  });

  it('where somebody cancels it before COMMIT', async () => {
    const { branch, result } = await heldBeforeCommit(
      h.resource,
      () => written('cancelled'),
      ({ backend }) => h.dba.query('SELECT pg_cancel_backend($1)', [backend]),
    );
    expect(result).toMatchObject({ kind: 'rolled-back', vote: { retryable: true } });
    expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
  });
});

describe('What one phase has forgotten', () => {
  const later = () => lowestTransactionIdAt(Date.now() + 60_000);
  const mark = () => ({ below: later(), retentionMs: 1_000, forgottenBelow: later() });
  const age = () =>
    h.dba.query(`UPDATE concordat_branch SET created_at = now() - interval '1 year'`);

  async function forgotten(branch: BranchKey): Promise<void> {
    await age();
    expect(await h.other.prune(mark())).toBeGreaterThan(0);
    expect(await h.other.outcomesOf([branch])).toEqual([]);
  }

  it('is closed: a prepare that comes later than that commits nothing, and the abort stays one', async () => {
    const branch = freshBranchAlone();
    expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
    await forgotten(branch);
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'far too late');
    expect(await h.resource.prepare(branch, session)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'ALREADY_FINISHED' },
    });
    expect(await h.sees('far too late')).toBe(false);
  });

  it.each(['repeatable read', 'serializable'])(
    'is closed to a branch with an older snapshot too: %s',
    async (isolation) => {
      const resource = h.open(h.url, {
        options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`,
      });
      const branch = freshBranchAlone();
      const session = await beginOn(resource, branch);
      await h.write(session, `${isolation}, too late`);
      expect(await h.other.abort(branch)).toEqual({ kind: 'aborted' });
      await forgotten(branch);
      expect((await resource.prepare(branch, session)).kind).toBe('rolled-back');
      expect(await h.sees(`${isolation}, too late`)).toBe(false);
      const reader = freshBranchAlone();
      const reading = await beginOn(resource, reader);
      await h.read(reading);
      expect(await resource.prepare(reader, reading)).toEqual({ kind: 'read-only' });
    },
  );

  it('is told as not known any more: no row shows neither of the two', async () => {
    const branch = freshBranchAlone();
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'forgotten');
    expect(await h.resource.prepare(branch, session)).toEqual({ kind: 'committed' });
    await forgotten(branch);
    expect(await h.resource.abort(branch)).toMatchObject({ kind: 'forgotten' });
    expect(await h.other.abort(branch)).toMatchObject({ kind: 'forgotten' });
    expect(await h.other.outcomesOf([branch])).toEqual([]);
  });

  it('is not guessed where its mark is emptied with the tables of the service: nothing is told until it is there again', async () => {
    const [gone, kept, late] = [freshBranchAlone(), freshBranchAlone(), freshBranchAlone()];
    const session = await beginOn(h.resource, kept);
    await h.write(session, 'before the mark was lost');
    expect(await h.resource.prepare(kept, session)).toEqual({ kind: 'committed' });
    await h.dba.query('TRUNCATE concordat_closed');
    let losses = 0;
    for (const one of [h.resource, h.other]) one.onMarkLost(() => (losses += 1));
    const refused = await beginOn(h.resource, late);
    await h.write(refused, 'without a mark');
    expect(await h.resource.prepare(late, refused)).toMatchObject({
      kind: 'rolled-back',
      vote: { code: 'MARK_LOST', retryable: true },
    });
    // It may have committed and be forgotten: neither a tombstone nor the end of the question.
    expect(await h.other.abort(gone)).toMatchObject({ kind: 'busy' });
    expect(await h.other.abort(kept)).toEqual({ kind: 'committed' });
    expect(losses).toBe(2);
    expect(await h.other.restoreMark(lowestTransactionIdAt(1))).toBe(true);
    expect(await h.resource.restoreMark(later())).toBe(false);
    expect(await h.other.abort(late)).toEqual({ kind: 'aborted' });
    const again = freshBranchAlone();
    const next = await beginOn(h.resource, again);
    await h.write(next, 'with its mark');
    expect(await h.resource.prepare(again, next)).toEqual({ kind: 'committed' });
  });

  it('waits for a branch that is about to commit, and forgets nothing beside it', async () => {
    const old = freshBranchAlone();
    expect(await h.other.abort(old)).toEqual({ kind: 'aborted' });
    await age();
    const { branch, seen, result } = await heldBeforeCommit(
      h.resource,
      async () => {
        const own = freshBranchAlone();
        const session = await beginOn(h.resource, own);
        await h.write(session, 'beside');
        return { branch: own, session };
      },
      () => h.other.prune(mark()),
    );
    expect(seen).toBe(0);
    expect(result).toEqual({ kind: 'committed' });
    expect(await h.other.abort(old)).toEqual({ kind: 'aborted' });
    expect(await h.other.abort(branch)).toEqual({ kind: 'committed' });
    await forgotten(branch);
    expect(await h.other.abort(branch)).toMatchObject({ kind: 'forgotten' });
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

  /** Its first branch asks about its database on a second session, which this pooler does not have. */
  async function warmUp(resource: PostgresResource): Promise<void> {
    const branch = freshBranchAlone();
    await resource.prepare(branch, await beginOn(resource, branch, 300));
  }

  itBehindAPooler('commits behind a pooler, and leaves nothing in the session of all', async () => {
    await h.dba.query(`
      CREATE FUNCTION listen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LISTEN news; END $$;
      CREATE FUNCTION hold_cursor() RETURNS void LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE 'DECLARE kept CURSOR WITH HOLD FOR SELECT 1'; END $$`);
    const pooler = await startPooler(h.url);
    const behind = h.open(pooler.url, { max: 1 }, { namedStatements: false });
    try {
      await warmUp(behind);
      for (const leaving of ['scratch()', 'listen()', 'hold_cursor()']) {
        const branch = freshBranchAlone();
        const session = await beginOn(behind, branch);
        await h.write(session, `behind a pooler, ${leaving}`);
        await session.client.query(`SELECT ${leaving}`);
        expect(await behind.prepare(branch, session)).toEqual({ kind: 'committed' });
        expect(await behind.abort(branch)).toEqual({ kind: 'committed' });
        const [left] = await withClient(
          pooler.url,
          async (another) =>
            (
              await another.query<Record<string, unknown>>(`
                SELECT to_regclass('pg_temp.scratch') AS scratch,
                  (SELECT count(*)::int FROM pg_listening_channels()) AS channels,
                  (SELECT count(*)::int FROM pg_cursors WHERE is_holdable) AS cursors`)
            ).rows,
        );
        expect([leaving, left]).toEqual([leaving, { scratch: null, channels: 0, cursors: 0 }]);
      }
    } finally {
      await behind.close();
      await pooler.stop();
    }
  });

  itBehindAPooler(
    'whose pooler loses its server in COMMIT is unknown, and has committed',
    async () => {
      const pooler = await startPooler(h.url);
      const behind = h.open(pooler.url, { max: 1 }, { namedStatements: false });
      try {
        await warmUp(behind);
        const branch = freshBranchAlone();
        await withoutStandby(h.dba, async () => {
          const session = await beginOn(behind, branch);
          await h.write(session, 'behind a pooler that loses it');
          const closing = behind.prepare(branch, session);
          await until(h.dba, flushing('COMMIT'));
          await h.dba.query('SELECT pg_terminate_backend($1)', [session.backend]);
          expect(await closing).toMatchObject({ kind: 'unknown' });
        });
        expect(await behind.abort(branch)).toEqual({ kind: 'committed' });
      } finally {
        await behind.close();
        await pooler.stop();
      }
    },
  );

  it('is no branch of a participant that does not decide it', async () => {
    const branch = freshBranchAlone('ledger-west' as ParticipantName);
    const session = await beginOn(h.resource, branch);
    await h.write(session, 'strayed');
    expect((await h.resource.prepare(branch, session)).kind).toBe('rolled-back');
    expect((await h.resource.abort(branch)).kind).toBe('unknown');
  });
});
