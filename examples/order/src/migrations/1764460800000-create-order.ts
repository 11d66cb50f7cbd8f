/** The table of orders. */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateOrder1764460800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "order" (
        id uuid PRIMARY KEY,
        customer text NOT NULL,
        sku text NOT NULL,
        quantity integer NOT NULL CHECK (quantity > 0),
        total integer NOT NULL CHECK (total >= 0)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE "order"');
  }
}
