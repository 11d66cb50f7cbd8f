/**
 * Ids of transactions that their only participant decides name it. Guards "the register never decides them": a
 * row of such an id is a copy of the participant's answer.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Every id that is there fits the wider form, so no row has to be looked at. */
const WIDEN = `ALTER TABLE concordat.decision
     DROP CONSTRAINT decision_transaction_check,
     ADD CONSTRAINT decision_transaction_check
       CHECK (transaction ~ '^[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}(-[a-z][a-z0-9-]{0,31})?$') NOT VALID`;

export class OnePhase1765800000000 implements MigrationInterface {
  readonly name = 'OnePhase1765800000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(WIDEN);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
