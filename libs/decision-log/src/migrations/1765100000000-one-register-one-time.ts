/**
 * One register, one time: the database itself says where a moment of its own clock is in the order of
 * transaction ids, so that no other clock determines what is forgotten, and each coordinator counts its
 * heartbeats, so that another one can detect whether both write into the same register. Guards protocol §3:
 * the pruning mark never passes now.
 */
import { lowestTransactionIdAt } from '@concordat/protocol';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Ten characters hold the milliseconds; the rest is the same for the lowest id of any moment. */
const TIME_LENGTH = 10;
const REST = lowestTransactionIdAt(0).slice(TIME_LENGTH);

const STATEMENTS = [
  `CREATE FUNCTION concordat.lowest_transaction_id(at timestamptz) RETURNS text
   LANGUAGE sql STABLE STRICT SET search_path = pg_catalog AS $body$
     SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((ms >> (5 * n)) & 31)::int + 1, 1),
                       '' ORDER BY n DESC) || '${REST}'
       FROM (SELECT greatest(0, floor(extract(epoch FROM at) * 1000))::bigint AS ms) AS moment,
            generate_series(0, ${TIME_LENGTH - 1}) AS n
   $body$`,
  `CREATE TRIGGER pruning_mark_not_ahead BEFORE UPDATE ON concordat.pruning_mark FOR EACH ROW
   WHEN (NEW.below > concordat.lowest_transaction_id(clock_timestamp()))
   EXECUTE FUNCTION concordat.refuse('raising the mark past now',
     'Every transaction would abort until then. Look at the clocks of the coordinators.')`,
  `ALTER TABLE concordat.pruning_mark ENABLE ALWAYS TRIGGER pruning_mark_not_ahead`,
  `ALTER TABLE concordat.coordinator ADD COLUMN beat bigint NOT NULL DEFAULT 0`,
];

export class OneRegisterOneTime1765100000000 implements MigrationInterface {
  readonly name = 'OneRegisterOneTime1765100000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`nothing is dropped by a migration: ${remedy}`));
  }
}
