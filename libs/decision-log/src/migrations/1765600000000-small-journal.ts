/**
 * A journal that takes little space: wide columns first so that none is padded, nothing that the id or the
 * register says as well, participants as text, and one row per span of time in which a participant took part
 * instead of one per transaction. Whose a commit is, the register's index says; committed is what nearly all
 * are, and is read off the key. Stories that are there stay as they are written.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const STATEMENTS = [
  'ALTER TABLE concordat.journal RENAME TO journal_before',
  `CREATE TABLE concordat.journal (
     begun_at timestamptz NOT NULL,
     decided_at timestamptz,
     ended_at timestamptz,
     version bigint NOT NULL,
     timeout_ms integer NOT NULL,
     unregistered boolean NOT NULL,
     transaction text COLLATE "C" NOT NULL,
     principal text COLLATE "C",
     label text COLLATE "C",
     status text COLLATE "C" NOT NULL,
     decision text,
     cause json,
     participants text COLLATE "C" NOT NULL,
     branches json NOT NULL,
     timeline json NOT NULL,
     takeover json
   ) WITH (autovacuum_vacuum_scale_factor = 0.02)`,
  `INSERT INTO concordat.journal
   SELECT j.begun_at, j.decided_at, j.ended_at, j.version, j.timeout_ms::integer,
          j.decision IS DISTINCT FROM 'commit' OR NOT EXISTS (
            SELECT FROM concordat.decision d WHERE d.transaction = j.transaction),
          j.transaction, j.principal, j.label, j.status, j.decision, j.cause,
          array_to_string(j.participants, ','), j.branches, j.timeline, j.takeover
     FROM concordat.journal_before j`,
  'DROP TABLE concordat.journal_before',
  'ALTER TABLE concordat.journal ADD CONSTRAINT journal_pkey PRIMARY KEY (transaction)',
  `CREATE INDEX journal_by_status ON concordat.journal (status, transaction)
     WHERE status <> 'committed'`,
  `CREATE INDEX journal_by_label ON concordat.journal (label, transaction)
     WHERE label IS NOT NULL`,
  `CREATE INDEX journal_by_principal ON concordat.journal (principal, transaction)
     WHERE unregistered`,
  'CREATE INDEX journal_open ON concordat.journal (transaction) WHERE ended_at IS NULL',
  'DROP TABLE concordat.journal_participant',
  `CREATE TABLE concordat.journal_participant (
     participant text COLLATE "C" NOT NULL,
     span text COLLATE "C" NOT NULL,
     PRIMARY KEY (participant, span)
   )`,
  `INSERT INTO concordat.journal_participant (participant, span)
   SELECT DISTINCT p.participant, left(j.transaction, 9)
     FROM concordat.journal j, string_to_table(j.participants, ',') AS p(participant)`,
];

export class SmallJournal1765600000000 implements MigrationInterface {
  readonly name = 'SmallJournal1765600000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
