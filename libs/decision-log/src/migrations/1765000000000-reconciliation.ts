/**
 * What reconciliation remembers: how far each participant's outcome table has been compared with the
 * register, and which branches are to be looked up again. Not needed for safety: an empty table means that
 * everything is compared again.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `CREATE TABLE concordat.reconciliation (
     participant text COLLATE "C" PRIMARY KEY,
     base text COLLATE "C",
     position_transaction text COLLATE "C",
     position_branch text COLLATE "C",
     candidate text COLLATE "C",
     turn_until timestamptz NOT NULL DEFAULT now(),
     seen_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT reconciliation_position_whole
       CHECK ((position_transaction IS NULL) = (position_branch IS NULL))
   ) WITH (fillfactor = 50)`,
  `CREATE TABLE concordat.watched_branch (
     participant text COLLATE "C" NOT NULL,
     gid text COLLATE "C" NOT NULL,
     PRIMARY KEY (participant, gid)
   )`,
];

export class Reconciliation1765000000000 implements MigrationInterface {
  readonly name = 'Reconciliation1765000000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES) await runner.query(statement);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
