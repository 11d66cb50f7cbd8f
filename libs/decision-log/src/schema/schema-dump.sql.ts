/**
 * The schema as the database itself describes it, as DDL that makes it again. `schema.sql` is this
 * text, committed, so that every migration's net effect shows in review; a spec compares the two.
 * pg_dump would do the same, but it is not everywhere where the tests run.
 */
import type pg from 'pg';

const IN_SCHEMA = `n.nspname = 'concordat' AND c.relname <> 'migration'`;

const TABLES = `
  SELECT format(E'CREATE %sTABLE concordat.%I (\\n%s\\n)%s',
           CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, c.relname,
           string_agg(format('  %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
             CASE WHEN a.attcollation <> t.typcollation
                  THEN format(' COLLATE %I', l.collname) ELSE '' END,
             CASE WHEN d.adbin IS NOT NULL
                  THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END,
             CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END), E',\\n' ORDER BY a.attnum),
           CASE WHEN c.reloptions IS NOT NULL
                THEN format(' WITH (%s)', array_to_string(c.reloptions, ', ')) ELSE '' END) AS ddl
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE ${IN_SCHEMA} AND c.relkind = 'r'
   GROUP BY c.oid, c.relname, c.relpersistence, c.reloptions ORDER BY c.relname`;

// Not-null constraints are in the table itself; Postgres 18 lists them here too.
const CONSTRAINTS = `
  SELECT format('ALTER TABLE concordat.%I ADD CONSTRAINT %I %s', c.relname, o.conname,
                pg_get_constraintdef(o.oid)) AS ddl
    FROM pg_constraint o
    JOIN pg_class c ON c.oid = o.conrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IN_SCHEMA} AND o.contype IN ('p', 'u', 'c', 'f')
   ORDER BY c.relname, o.contype DESC, o.conname`;

const INDEXES = `
  SELECT pg_get_indexdef(i.indexrelid) AS ddl
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IN_SCHEMA}
     AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = i.indexrelid)
   ORDER BY x.relname`;

const FUNCTIONS = `
  SELECT rtrim(pg_get_functiondef(p.oid), E' \\n') AS ddl
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = 'concordat' ORDER BY p.proname`;

const TRIGGERS = `
  SELECT pg_get_triggerdef(g.oid)
         || CASE WHEN g.tgenabled = 'A' THEN
              format(E';\\nALTER TABLE concordat.%I ENABLE ALWAYS TRIGGER %I', c.relname, g.tgname)
            ELSE '' END AS ddl
    FROM pg_trigger g
    JOIN pg_class c ON c.oid = g.tgrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${IN_SCHEMA} AND NOT g.tgisinternal
   ORDER BY c.relname, g.tgname`;

const ROWS = `
  SELECT format('INSERT INTO concordat.pruning_mark (below) VALUES (%L)', '') AS ddl
   UNION ALL
  SELECT format('INSERT INTO concordat.audit_head (sequence, hash) VALUES (0, %L)', repeat('0', 64))`;

/** For tests: the DDL of schema `concordat`; the migration table belongs to TypeORM and is left out. */
export async function dumpSchema(client: pg.ClientBase): Promise<string> {
  const statements = ['CREATE SCHEMA concordat'];
  for (const part of [TABLES, CONSTRAINTS, INDEXES, FUNCTIONS, TRIGGERS, ROWS]) {
    const { rows } = await client.query<{ ddl: string }>(part);
    statements.push(...rows.map((row) => row.ddl.trimEnd()));
  }
  return statements.map((one) => `${one};\n`).join('\n');
}
