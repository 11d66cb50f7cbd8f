/**
 * Sessions of the admin view that were ended before their time, so that every coordinator refuses them.
 * Guards nothing by itself: a row is of no use once its session would have ended, and is deleted then.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLE = `CREATE TABLE concordat.ended_session (
     digest text COLLATE "C" PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
     ends_at timestamptz NOT NULL
   )`;

export class EndedSessions1765300000000 implements MigrationInterface {
  readonly name = 'EndedSessions1765300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLE);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
