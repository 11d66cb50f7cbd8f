import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateAccount1764460800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE TABLE account (id text PRIMARY KEY, balance integer NOT NULL CHECK (balance >= 0))',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account');
  }
}
