/** The accounts table. The check is the last net under "never negative": the operations ask first. */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateAccount1760000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE account (
        id text PRIMARY KEY,
        balance bigint NOT NULL CONSTRAINT account_never_negative CHECK (balance >= 0)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account');
  }
}
