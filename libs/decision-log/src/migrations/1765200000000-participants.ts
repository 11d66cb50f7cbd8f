/**
 * Participants: every name that has ever answered a coordinator, when it last answered, and what was prepared
 * there when its database was last seen. Guards "a participant is a name that has answered": the
 * journal's names are of those who were asked, typing errors included. A retired name stays as a row until
 * it answers again. Nothing is decided by what is in here.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const STATEMENTS = [
  `CREATE TABLE concordat.participant (
     participant text COLLATE "C" PRIMARY KEY,
     first_seen_at timestamptz NOT NULL DEFAULT now(),
     seen_at timestamptz NOT NULL DEFAULT now(),
     in_doubt integer CHECK (in_doubt >= 0),
     looked_at timestamptz,
     retired_at timestamptz,
     CONSTRAINT participant_in_doubt_when_looked CHECK ((in_doubt IS NULL) = (looked_at IS NULL))
   ) WITH (fillfactor = 50)`,
  // Whose outcome table has been compared has answered.
  `INSERT INTO concordat.participant (participant, first_seen_at, seen_at)
   SELECT participant, seen_at, seen_at FROM concordat.reconciliation`,
];

export class Participants1765200000000 implements MigrationInterface {
  readonly name = 'Participants1765200000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
