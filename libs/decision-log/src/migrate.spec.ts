/** The schema: made once however many coordinators start, as reviewed, and guarding itself. */
import { lowestTransactionIdAt, type ParticipantName } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import type pg from 'pg';
import { readFile } from 'node:fs/promises';
import { DecisionLogStage } from '../../../test/conformance/decision-log-stage.js';
import {
  abortOf,
  commitOf,
  evidence,
  freshTransaction,
} from '../../../test/conformance/decision-register.js';
import {
  GONE,
  eachState,
  earlierSchema,
  fillEarlier,
} from '../../../test/conformance/earlier-log.js';
import type { DecisionLog } from './decision-log.js';
import { MIGRATION_NAMES } from './migrations.js';
import { dumpSchema } from './schema/schema-dump.sql.js';

const REVIEWED = new URL('./schema/schema.sql', import.meta.url);

let stage: DecisionLogStage;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

describe('opening the decision log', () => {
  it('migrates once and makes one cluster id, however many coordinators start at once', async () => {
    const url = await stage.database();
    const logs = await Promise.all(Array.from({ length: 6 }, () => stage.log(url)));
    const ids = new Set(logs.map((log) => log.clusterId));
    expect(ids.size).toBe(1);
    expect([...ids][0]).toMatch(/^[a-z0-9]{8}$/);
    const dba = await stage.dba(url);
    const { rows } = await dba.query('SELECT name FROM concordat.migration');
    expect(rows).toEqual([
      { name: 'DecisionLog1764720000000' },
      { name: 'Operators1764900000000' },
      { name: 'Reconciliation1765000000000' },
      { name: 'OneRegisterOneTime1765100000000' },
      { name: 'Participants1765200000000' },
      { name: 'EndedSessions1765300000000' },
      { name: 'Principals1765400000000' },
      { name: 'KeyClaims1765500000000' },
      { name: 'SmallJournal1765600000000' },
      { name: 'OnePhase1765800000000' },
    ]);
    for (const log of logs) await stage.shut(log);
  });

  it('finds its cluster id again', async () => {
    const url = await stage.database();
    const first = await stage.log(url);
    await stage.shut(first);
    const second = await stage.log(url);
    expect(second.clusterId).toBe(first.clusterId);
    const elsewhere = await stage.log(await stage.database());
    expect(elsewhere.clusterId).not.toBe(first.clusterId);
  });

  it('refuses a database that a newer version has migrated', async () => {
    const url = await stage.database();
    await stage.shut(await stage.log(url));
    const dba = await stage.dba(url);
    await dba.query(
      `INSERT INTO concordat.migration (timestamp, name) VALUES (9000000000000, 'Later9000000000000')`,
    );
    await expect(stage.log(url)).rejects.toMatchObject({
      code: 'newer-schema',
      message: expect.stringContaining('(Later9000000000000): start that version') as unknown,
    });
  });

  it('refuses one also where a migration of this version is pending', async () => {
    const url = await stage.database();
    await earlierSchema(url);
    const dba = await stage.dba(url);
    await dba.query(
      `INSERT INTO concordat.migration (timestamp, name) VALUES (9000000000000, 'Later9000000000000')`,
    );
    const before = await dba.query('SELECT name FROM concordat.migration');
    await expect(stage.log(url)).rejects.toMatchObject({ code: 'newer-schema' });
    expect(await dba.query('SELECT name FROM concordat.migration')).toMatchObject({
      rows: before.rows,
    });
  });

  it.each([
    ['the last one', 'OnePhase1765800000000', 'SELECT'],
    ['one before others', 'KeyClaims1765500000000', 'DROP TABLE concordat.key_claim'],
  ])('applies %s where it alone is not on record', async (_, missing, undo) => {
    const url = await stage.database();
    await stage.shut(await stage.log(url));
    const dba = await stage.dba(url);
    await dba.query(undo);
    await dba.query('DELETE FROM concordat.migration WHERE name = $1', [missing]);
    await stage.shut(await stage.log(url));
    const { rows } = await dba.query<{ name: string }>('SELECT name FROM concordat.migration');
    expect(rows.map((one) => one.name).sort()).toEqual([...MIGRATION_NAMES].sort());
    expect(await dumpSchema(dba)).toBe(await readFile(REVIEWED, 'utf8'));
  });

  it('closes every connection', async () => {
    const url = await stage.database();
    const log = await stage.log(url);
    await log.register.decide(abortOf(freshTransaction()));
    await stage.shut(log);
    const dba = await stage.dba(url);
    await waitFor(
      async () => {
        const { rows } = await dba.query(
          `SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        );
        return rows.length === 0;
      },
      { what: 'the last connection to end', everyMs: 5 },
    );
  });
});

describe('a log that the version before has filled', () => {
  const CLUSTER = 'ear1ier0';
  const states = eachState();
  const all = Object.values(states);

  it('is migrated whole: every decision, story, key and piece of evidence is there, and what was stuck is found', async () => {
    const url = await stage.database();
    await earlierSchema(url);
    const dba = await stage.dba(url);
    await fillEarlier(dba, all, { participant: 'ledger-east', cluster: CLUSTER });
    const before = await registerOf(dba);

    const log = await stage.log(url);
    expect(log.clusterId).toBe(CLUSTER);
    expect(await registerOf(dba)).toEqual(before);
    for (const { id, status, decision, isEnded, label } of all) {
      const found = await log.reader.get(id);
      expect(found).toMatchObject({ status, label, principal: 'client', owner: GONE });
      expect([found?.decision, found?.endedAtMs !== undefined]).toEqual([decision, isEnded]);
      expect(found?.branches).toMatchObject([{ branch: '1', participant: 'ledger-east' }]);
      expect(found?.timeline.map((one) => one.type)).toEqual(['begun', 'enlisted']);
    }
    const listed = await log.reader.list({
      participant: 'ledger-east' as ParticipantName,
    });
    expect(listed.transactions.map((one) => one.transaction).sort()).toEqual(
      all.map((one) => one.id).sort(),
    );
    const held = await log.register.holderOf(`client:${states.committed.id}`);
    expect(held).toMatchObject({
      transaction: states.committed.id,
      answer: { 'ledger-east': [1] },
    });
    expect((await log.register.standing(states.damaged.id))?.heuristics).toHaveLength(1);

    const self = log.clusterId as never;
    const claimed = await log.register.claimUnfinished(GONE, self, 10);
    expect(claimed.map((one) => one.transaction)).toEqual([states.stuck.id]);
    await stage.shut(log);
  });

  it('lets others decide while its migration waits for a table that somebody holds', async () => {
    const url = await stage.database();
    await earlierSchema(url, 'SmallJournal1765600000000');
    const [holder, decider] = [await stage.dba(url), await stage.dba(url)];
    await holder.query('BEGIN; LOCK TABLE concordat.decision IN ACCESS SHARE MODE');
    const opening = stage.log(url);
    await waitFor(async () => (await waitingForTable(decider)) > 0, {
      what: 'the migration to wait',
    });
    const from = performance.now();
    await decider.query(
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches) VALUES ($1, 'commit', $2, '[]')`,
      [states.stuck.id, GONE],
    );
    // It waits behind the migration, which gives up; not for as long as the table is held.
    expect(performance.now() - from).toBeLessThan(10_000);
    await holder.query('ROLLBACK');
    const log = await opening;
    const { rows } = await decider.query<{ name: string }>('SELECT name FROM concordat.migration');
    expect(rows.map((one) => one.name)).toEqual(MIGRATION_NAMES);
    await stage.shut(log);
  });

  async function registerOf(dba: pg.Client): Promise<unknown> {
    const { rows } = await dba.query(
      `SELECT d.transaction, d.decision, d.finisher, d.branches, d.idempotency_key, d.fingerprint,
              d.answer::text, d.note::text, d.decided_at, d.ended_at, d.outcome, d.principal,
              (SELECT json_agg(h) FROM concordat.heuristic h WHERE h.transaction = d.transaction) AS heuristics
         FROM concordat.decision d ORDER BY 1`,
    );
    return rows;
  }

  async function waitingForTable(dba: pg.Client): Promise<number> {
    const { rows } = await dba.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_locks
        WHERE NOT granted AND relation = 'concordat.decision'::regclass`,
    );
    return rows[0]?.count ?? 0;
  }
});

describe('the schema', () => {
  it('is the reviewed one; after a migration, write the received text to schema/schema.sql', async () => {
    const url = await stage.database();
    await stage.log(url);
    const dumped = await dumpSchema(await stage.dba(url));
    expect(dumped).toBe(await readFile(REVIEWED, 'utf8'));
  });

  it('can be made from the reviewed text alone', async () => {
    const dba = await stage.dba(await stage.database());
    const reviewed = await readFile(REVIEWED, 'utf8');
    await dba.query(reviewed);
    expect(await dumpSchema(dba)).toBe(reviewed);
  });
});

describe('the database itself, for any client', () => {
  let log: DecisionLog;
  let dba: pg.Client;
  const committed = freshTransaction();
  const aborted = freshTransaction();

  beforeAll(async () => {
    const url = await stage.database();
    log = await stage.log(url);
    dba = await stage.dba(url);
    await log.register.decide(commitOf(committed));
    await log.register.decide(abortOf(aborted));
    await log.register.recordHeuristic(committed, 'commit', evidence(1));
  });

  it.each([
    ['turns no commit into an abort', `UPDATE concordat.decision SET decision = 'abort'`],
    ['changes no branches', `UPDATE concordat.decision SET branches = '[]'`],
    ['moves no key', `UPDATE concordat.decision SET idempotency_key = 'k', fingerprint = 'f'`],
    [
      'renames no transaction',
      `UPDATE concordat.decision SET transaction = '${freshTransaction()}'`,
    ],
    ['un-ends nothing', `UPDATE concordat.decision SET ended_at = NULL, outcome = NULL`],
    ['deletes no unended commit', `DELETE FROM concordat.decision WHERE decision = 'commit'`],
    ['deletes nothing above the mark', `DELETE FROM concordat.decision WHERE decision = 'abort'`],
    ['empties no register', `TRUNCATE concordat.decision`],
    ['changes no evidence', `UPDATE concordat.heuristic SET evidence = '{}'`],
    ['deletes no evidence', `DELETE FROM concordat.heuristic`],
    ['lowers no mark', `UPDATE concordat.pruning_mark SET below = ''`],
    ['raises no mark past now', `UPDATE concordat.pruning_mark SET below = '7zzzzzzzzz'`],
    ['deletes no mark', `DELETE FROM concordat.pruning_mark`],
    ['changes no cluster id', `UPDATE concordat.cluster SET cluster_id = 'another0'`],
  ])('%s', async (_, statement) => {
    await dba.query(`UPDATE concordat.pruning_mark SET below = $1 WHERE below = ''`, [
      lowestTransactionIdAt(1_000_000),
    ]);
    // Not even a role that replays changes, for which ordinary triggers are silent.
    for (const role of ['origin', 'replica']) {
      await dba.query(`SET session_replication_role = ${role}`);
      await expect(dba.query(statement)).rejects.toMatchObject({
        message: expect.stringContaining('is refused') as unknown,
        hint: expect.stringMatching(/\w/) as unknown,
      });
    }
    expect((await log.register.standing(committed))?.decision).toBe('commit');
    expect((await log.register.standing(aborted))?.decision).toBe('abort');
  });
});
