/**
 * The participant's own table. Guards protocol §4.2: one row per branch, primary key on transaction
 * and branch, first writer wins, whether it is the branch's outcome row or an abort's tombstone.
 */
import type { ParticipantName } from '@concordat/protocol';
import { identifier } from './branch.sql.js';

/** "concorda" as an integer: serialises migrations of every participant in one database. */
export const MIGRATION_LOCK = 'SELECT pg_advisory_xact_lock(7165915668497687649)';

/**
 * For the migration's own transaction: the wait for another one ends on the server too. A server does not
 * notice that the client of a session that waits for a lock is dead.
 */
export const LIMIT_LOCK_WAIT = 'SET LOCAL lock_timeout = 3000';

/**
 * Each entry is one migration, applied once and never edited. `transaction` is compared bytewise
 * (collation "C"), because ids are time-ordered as text and the low-water mark is one of them.
 */
export function migrations(schema: string): readonly string[] {
  const quoted = identifier(schema);
  return [
    `CREATE TABLE ${quoted}.concordat_branch (
       transaction text COLLATE "C" NOT NULL,
       branch smallint NOT NULL CHECK (branch > 0),
       participant text NOT NULL,
       kind text NOT NULL CHECK (kind IN ('branch', 'tombstone')),
       created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
       CONSTRAINT concordat_branch_pkey PRIMARY KEY (transaction, branch)
     );
     COMMENT ON COLUMN ${quoted}.concordat_branch.kind IS
       'branch: committed by the branch itself. tombstone: an abort was first, it can never commit.'`,
    `CREATE TABLE ${quoted}.concordat_closed (
       alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
       below text COLLATE "C" NOT NULL
     );
     INSERT INTO ${quoted}.concordat_closed (below) VALUES ('');
     COMMENT ON TABLE ${quoted}.concordat_closed IS
       'One row: in one phase no transaction below this id commits here any more, and its outcome may have been pruned.'`,
  ];
}

/** Asked first: CREATE SCHEMA IF NOT EXISTS wants a right on the database even for one that exists. */
export const SCHEMA_EXISTS = 'SELECT to_regnamespace($1) IS NOT NULL AS present';
export const createSchemaSql = (schema: string): string => `CREATE SCHEMA ${identifier(schema)}`;

/**
 * $1 the outcome table. How many migrations have been applied: kept as the table's comment, so no second
 * table is needed. The name is a parameter: what a backslash in a literal means is a setting.
 */
export const APPLIED_VERSION =
  "SELECT substring(obj_description(to_regclass($1), 'pg_class') from 'version ([0-9]+)')::int AS version";

/** `participant`: whose table it is. Absent, it is left open, for the next start to note. */
export function noteVersionSql(
  schema: string,
  version: number,
  participant?: ParticipantName,
): string {
  const whose = participant === undefined ? '' : `, of participant ${participant}`;
  const text = `Concordat: outcomes of branches and tombstones of aborted ones, version ${version}${whose}`;
  return `COMMENT ON TABLE ${identifier(schema)}.concordat_branch IS '${text}'`;
}

/**
 * $1 participant, $2 the outcome table. Whose it is: as its comment says, or as its rows say where the
 * comment is of an earlier version. And whether we may write the comment.
 */
export function tableOwnerSql(schema: string): string {
  return `
SELECT substring(obj_description(to_regclass($2), 'pg_class') from 'participant ([a-z][a-z0-9-]*)') AS noted,
       (SELECT participant FROM ${outcomeTable(schema)} WHERE participant <> $1 LIMIT 1) AS found,
       (SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class
         WHERE oid = to_regclass($2)) AS may_note`;
}

export function outcomeTable(schema: string): string {
  return `${identifier(schema)}.concordat_branch`;
}

/** Below which nothing is decided in one phase any more: one row. */
export function closedTable(schema: string): string {
  return `${identifier(schema)}.concordat_closed`;
}
