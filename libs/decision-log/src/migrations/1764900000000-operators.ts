/**
 * What operators leave behind: the audit, bulk operations, and the secret that seals sessions of the
 * admin view. Guards "the audit stays": entries are added in one order, each with the hash of the one
 * before it, and the database itself refuses to change, delete or empty them. The head is a table of its
 * own, so that a cut-off end shows.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `CREATE TABLE concordat.session_secret (
     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
     secret bytea NOT NULL CHECK (octet_length(secret) = 32)
   )`,
  `CREATE TABLE concordat.audit (
     sequence bigint PRIMARY KEY CHECK (sequence > 0),
     at timestamptz NOT NULL,
     principal text COLLATE "C" NOT NULL,
     role text NOT NULL,
     origin text,
     action text NOT NULL,
     transaction text COLLATE "C",
     branch text,
     gid text,
     reason text,
     ticket text,
     phase text NOT NULL CHECK (phase IN ('asked', 'done', 'refused', 'failed')),
     answers bigint,
     before json,
     after json,
     previous text NOT NULL CHECK (previous ~ '^[0-9a-f]{64}$'),
     hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$')
   )`,
  // A writer of an entry holds this row: that is what makes one order of all coordinators' entries.
  `CREATE TABLE concordat.audit_head (
     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
     sequence bigint NOT NULL,
     hash text NOT NULL
   )`,
  `INSERT INTO concordat.audit_head (sequence, hash) VALUES (0, repeat('0', 64))`,
  `CREATE TABLE concordat.operation (
     operation text COLLATE "C" PRIMARY KEY,
     action text NOT NULL CHECK (action IN ('retry', 'abort-undecided')),
     state text NOT NULL CHECK (state IN ('planned', 'running', 'done', 'cancelled')),
     principal text COLLATE "C" NOT NULL,
     reason text NOT NULL,
     ticket text,
     created_at timestamptz NOT NULL DEFAULT now(),
     started_at timestamptz,
     ended_at timestamptz,
     runner text COLLATE "C",
     total integer NOT NULL,
     done integer NOT NULL DEFAULT 0,
     skipped integer NOT NULL DEFAULT 0,
     failed integer NOT NULL DEFAULT 0
   )`,
  `CREATE TABLE concordat.operation_item (
     operation text COLLATE "C" NOT NULL,
     ordinal integer NOT NULL,
     transaction text COLLATE "C" NOT NULL,
     seen text NOT NULL,
     result text NOT NULL CHECK (result IN ('waiting', 'done', 'skipped', 'failed')),
     detail text,
     at timestamptz,
     PRIMARY KEY (operation, ordinal)
   )`,
];

const INDEXES = [
  `CREATE INDEX audit_by_transaction ON concordat.audit (transaction, sequence)
     WHERE transaction IS NOT NULL`,
  `CREATE INDEX audit_by_principal ON concordat.audit (principal, sequence)`,
  `CREATE INDEX operation_item_waiting ON concordat.operation_item (operation, ordinal)
     WHERE result = 'waiting'`,
];

const KEPT = `'The audit is kept as it was written. What was wrong is said in a further entry.'`;

const GUARDS = [
  `CREATE TRIGGER audit_stands BEFORE UPDATE ON concordat.audit FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse('changing an entry', ${KEPT})`,
  `CREATE TRIGGER audit_kept BEFORE DELETE ON concordat.audit FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse('deleting an entry', ${KEPT})`,
  `CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON concordat.audit
   EXECUTE FUNCTION concordat.refuse('emptying the table', ${KEPT})`,
  `CREATE TRIGGER audit_head_rises BEFORE UPDATE ON concordat.audit_head FOR EACH ROW
   WHEN (NEW.sequence <= OLD.sequence)
   EXECUTE FUNCTION concordat.refuse('moving the head back', ${KEPT})`,
  `CREATE TRIGGER audit_head_kept BEFORE DELETE ON concordat.audit_head FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse('deleting the head', ${KEPT})`,
  `CREATE TRIGGER audit_head_not_emptied BEFORE TRUNCATE ON concordat.audit_head
   EXECUTE FUNCTION concordat.refuse('emptying the table', ${KEPT})`,
];

/** Triggers that also fire for replication roles: no role is excepted. */
const ALWAYS = [
  ['audit', 'audit_stands'],
  ['audit', 'audit_kept'],
  ['audit', 'audit_not_emptied'],
  ['audit_head', 'audit_head_rises'],
  ['audit_head', 'audit_head_kept'],
  ['audit_head', 'audit_head_not_emptied'],
].map(([table, trigger]) => `ALTER TABLE concordat.${table} ENABLE ALWAYS TRIGGER ${trigger}`);

export class Operators1764900000000 implements MigrationInterface {
  readonly name = 'Operators1764900000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...TABLES, ...INDEXES, ...GUARDS, ...ALWAYS]) {
      await runner.query(statement);
    }
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`an audit is not dropped by a migration: ${remedy}`));
  }
}
