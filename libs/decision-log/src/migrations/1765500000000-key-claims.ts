/**
 * Which coordinator runs a request under a key, so that the same request at another one joins it. Guards
 * nothing: a claim only saves work, and only its commit holds a key permanently. So it is unlogged: it costs no
 * flush and nothing in the write-ahead log, is empty after a crash, and is in no standby and no backup.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLE = `CREATE UNLOGGED TABLE concordat.key_claim (
     key text COLLATE "C" PRIMARY KEY,
     fingerprint text COLLATE "C" NOT NULL,
     claimant text COLLATE "C" NOT NULL,
     since timestamptz NOT NULL DEFAULT now()
   ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`;

export class KeyClaims1765500000000 implements MigrationInterface {
  readonly name = 'KeyClaims1765500000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLE);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
