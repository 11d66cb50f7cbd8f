/**
 * Whose a decided transaction is, durable with the decision: the journal is written lazily and may be
 * lost with its owner. Guards "the principal is as permanent as the decision": it is written with it and
 * never changed. A journal row whose principal was not known has none.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const STATEMENTS = [
  `ALTER TABLE concordat.decision ADD COLUMN principal text COLLATE "C"`,
  `ALTER TABLE concordat.journal ALTER COLUMN principal DROP NOT NULL`,
  `CREATE INDEX decision_by_principal ON concordat.decision (principal, transaction)
     WHERE principal IS NOT NULL`,
  `CREATE TRIGGER decision_principal_stands BEFORE UPDATE ON concordat.decision FOR EACH ROW
   WHEN (OLD.principal IS DISTINCT FROM NEW.principal)
   EXECUTE FUNCTION concordat.refuse('changing whose a decision is',
     'Whose a transaction is was written with its decision and stands with it.')`,
  'ALTER TABLE concordat.decision ENABLE ALWAYS TRIGGER decision_principal_stands',
];

export class Principals1765400000000 implements MigrationInterface {
  readonly name = 'Principals1765400000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
