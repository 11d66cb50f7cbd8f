/**
 * The last net under the limit of a balance, as the check of the first migration is under "never negative".
 * It changes a table that branches lock: see data-source.ts for what comes before it.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LimitBalance1764950000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE account ADD CONSTRAINT account_balance_limit
        CHECK (balance <= ${Number.MAX_SAFE_INTEGER})`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE account DROP CONSTRAINT account_balance_limit');
  }
}
