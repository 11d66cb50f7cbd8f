/** Looks at a database while it works: sizes, dead rows, runs of autovacuum, and what pruning has still to delete. */
import { lowestTransactionIdAt } from '@concordat/protocol';
import pg from 'pg';

/** One table or index of a database. */
export interface Relation {
  readonly name: string;
  readonly kind: 'table' | 'index';
  readonly bytes: number;
}

export interface Look {
  readonly relations: readonly Relation[];
  /** Rows of all tables that no session can see any more, as the server's statistics have them. */
  readonly deadRows: number;
  readonly autovacuums: number;
  /** Rows that may be deleted by now. */
  readonly due: number;
  /** Of these, the ones that should have been deleted by now. */
  readonly overdue: number;
}

const RELATIONS = `
SELECT c.relname AS name, CASE c.relkind WHEN 'i' THEN 'index' ELSE 'table' END AS kind,
       (pg_relation_size(c.oid) + pg_relation_size(c.oid, 'fsm') + pg_relation_size(c.oid, 'vm')
        + coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0))::float8 AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('concordat', 'public') AND c.relkind IN ('r', 'i')
 ORDER BY c.relname`;

const ACTIVITY = `
SELECT coalesce(sum(n_dead_tup), 0)::float8 AS dead, coalesce(sum(autovacuum_count), 0)::float8 AS runs
  FROM pg_stat_user_tables`;

/** $1 the lowest id that is to be kept. */
const below = (table: string) =>
  `SELECT count(*)::float8 AS count FROM ${table} WHERE transaction < $1`;

/** Which tables are pruned, and how long their rows are kept in all. */
export interface Kept {
  readonly tables: readonly string[];
  readonly keptMs: number;
  /** A row that is due for longer is overdue. */
  readonly graceMs: number;
}

export class Sampler {
  private constructor(
    private readonly session: pg.Client,
    private readonly kept: Kept,
  ) {}

  /** `url`: a superuser's or the owner's. */
  static async open(url: string, kept: Kept): Promise<Sampler> {
    const session = new pg.Client({ connectionString: url, application_name: 'bench' });
    session.on('error', () => undefined);
    await session.connect();
    return new Sampler(session, kept);
  }

  async look(): Promise<Look> {
    const { rows: relations } = await this.session.query<Relation>(RELATIONS);
    const { rows } = await this.session.query<{ dead: number; runs: number }>(ACTIVITY);
    const { keptMs, graceMs } = this.kept;
    return {
      relations,
      deadRows: rows[0]?.dead ?? Number.NaN,
      autovacuums: rows[0]?.runs ?? Number.NaN,
      due: await this.olderThan(keptMs),
      overdue: await this.olderThan(keptMs + graceMs),
    };
  }

  async close(): Promise<void> {
    await this.session.end();
  }

  private async olderThan(ms: number): Promise<number> {
    const keep = lowestTransactionIdAt(Date.now() - ms);
    let sum = 0;
    for (const table of this.kept.tables) {
      const { rows } = await this.session.query<{ count: number }>(below(table), [keep]);
      sum += rows[0]?.count ?? Number.NaN;
    }
    return sum;
  }
}
