/**
 * Statements that fill a decision database as years of work would: every row follows from its number, so
 * that a run can be repeated. Ages are even over a month; half of the stuck are spread over it and half
 * are an outage at its end. Among the stuck, twelve of twenty are commits without an acknowledgement, seven
 * were never decided, one is heuristic.
 */

export interface Extent {
  readonly transactions: number;
  readonly stuck: number;
  /** When the first was made, and how far apart they are, in milliseconds. */
  readonly firstAtMs: number;
  readonly stepMs: number;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const DIGITS = Array.from(
  { length: 10 },
  (_, at) => `substr('${ALPHABET}', 1 + ((ms >> ${45 - 5 * at}) & 31)::int, 1)`,
).join(' || ');

/** One row for each number: id, time, what became of it, who asked, for what, of whom. */
function made({ transactions, stuck, firstAtMs, stepMs }: Extent): string {
  const spread = Math.max(2, 2 * Math.floor(transactions / stuck));
  return `(
    SELECT n, ms, kind, label,
           ${DIGITS} || substr(md5(n::text), 1, 16) || '-bench00' || (8 * n / ${transactions + 1})
             AS transaction,
           'bench00' || (8 * n / ${transactions + 1}) AS owner,
           to_timestamp(ms / 1000.0) AS at,
           CASE WHEN n % 200003 = 13 THEN 'auditor' WHEN label = 'sweep' THEN 'batch'
                WHEN h / 1000 % 100 < 60 THEN 'shop' WHEN h / 1000 % 100 < 90 THEN 'app'
                WHEN label = 'transfer' THEN 'app' ELSE 'batch' END AS principal,
           CASE WHEN label = 'order' AND n <= ${transactions} / 1000 THEN 'ledger-east,legacy'
                WHEN label = 'transfer' THEN 'ledger-east,ledger-west'
                WHEN label = 'order' THEN 'ledger-east,inventory'
                WHEN label = 'refund' THEN 'ledger-west,inventory'
                WHEN label = 'payout' THEN 'ledger-west,payments'
                WHEN label = 'sweep' THEN 'ledger-east,payments'
                ELSE 'inventory,shipping' END AS parties
      FROM (
        SELECT n, h, (${firstAtMs} + n * ${stepMs})::bigint AS ms,
               CASE WHEN n % 100003 = 11 THEN 'recall' WHEN h % 1000 < 500 THEN 'transfer'
                    WHEN h % 1000 < 800 THEN 'order' WHEN h % 1000 < 900 THEN 'refund'
                    WHEN h % 1000 < 950 THEN 'payout' WHEN h % 1000 < 970 THEN 'sweep'
                    END AS label,
               CASE WHEN NOT (n % ${spread} = 0 OR n > ${transactions - stuck} AND n % 2 = 1)
                    THEN CASE WHEN n % 25 = 7 THEN 'aborted' WHEN n % 100003 = 3
                              THEN 'heuristic-resolved' ELSE 'committed' END
                    WHEN h % 20 < 12 THEN 'committing' WHEN h % 20 < 13 THEN 'active'
                    WHEN h % 20 < 17 THEN 'preparing' WHEN h % 20 < 19 THEN 'deciding'
                    ELSE 'heuristic-open' END AS kind
          FROM (SELECT n, hashint8(n)::bigint & 2147483647 AS h
                  FROM generate_series(1::bigint, ${transactions}) n) AS numbered
      ) AS told
  ) AS made`;
}

const branch = (ordinal: 1 | 2): string => `
  '[${ordinal},"' || split_part(parties, ',', ${ordinal}) || '",0,["move"],'
   || CASE WHEN kind = 'committing' THEN '0,null,7,null,"no responders"]'
           WHEN kind = 'aborted' THEN 'null,3,1]'
           WHEN kind IN ('active', 'preparing', 'deciding') THEN 'null,null,0]'
           ELSE '0,2,1]' END`;

/** How it went: half of the ten lines that two branches leave, so that the whole fits on one disk. */
const TIMELINE = `
  '[[0,0],[2,2,1],[0,2,2]'
   || CASE WHEN kind IN ('active', 'preparing', 'deciding') THEN ']'
           ELSE ',[7,5],[6,' || CASE kind WHEN 'committing' THEN '"retry"' ELSE '8' END || ']]' END`;

const UNDECIDED = `kind IN ('active', 'preparing', 'deciding')`;
const isOpen = `kind IN ('committing', 'active', 'preparing', 'deciding')`;
const HEURISTIC = `kind LIKE 'heuristic%'`;

/** In the transaction that empties its table, which so needs no log of it (wal_level minimal). */
export const fillJournal = (extent: Extent): string[] => [
  'BEGIN',
  'TRUNCATE concordat.journal',
  `INSERT INTO concordat.journal (transaction, principal, label, status, decision, cause, participants,
     unregistered, timeout_ms, begun_at, decided_at, ended_at, branches, timeline, version)
   SELECT transaction, principal, label,
          CASE WHEN ${HEURISTIC} THEN 'heuristic-mixed' ELSE kind END,
          CASE WHEN ${UNDECIDED} THEN NULL WHEN kind = 'aborted' THEN 'abort' ELSE 'commit' END,
          CASE WHEN kind = 'aborted' THEN '{"kind":"deadline","missing":[]}'::json END,
          parties, ${UNDECIDED} OR kind = 'aborted', 10000, at,
          CASE WHEN NOT ${UNDECIDED} THEN at + interval '9 ms' END,
          CASE WHEN NOT (${isOpen}) THEN at + interval '15 ms' END,
          ('[' || ${branch(1)} || ',' || ${branch(2)} || ']')::json, (${TIMELINE})::json, CASE kind WHEN 'heuristic-resolved' THEN 6 ELSE 5 END
     FROM ${made(extent)}`,
  'COMMIT',
];

export const fillParticipants = (extent: Extent): string[] => [
  'BEGIN',
  'TRUNCATE concordat.journal_participant',
  `INSERT INTO concordat.journal_participant (participant, span)
   SELECT DISTINCT p.participant, left(made.transaction, 9)
     FROM ${made(extent)}, string_to_table(parties, ',') AS p(participant)`,
  'COMMIT',
];

/** A tenth of the aborts are on record in the register, because of an inquiry. */
export const fillRegister = (extent: Extent): string[] => [
  `INSERT INTO concordat.decision (transaction, decision, finisher, branches, idempotency_key,
     fingerprint, principal, decided_at, ended_at, outcome)
   SELECT transaction, CASE kind WHEN 'aborted' THEN 'abort' ELSE 'commit' END, owner,
          CASE WHEN kind = 'aborted' THEN '[]'::jsonb
               ELSE ('[{"branch":"1","participant":"' || split_part(parties, ',', 1)
                 || '","work":"bundled"},{"branch":"2","participant":"'
                 || split_part(parties, ',', 2) || '","work":"bundled"}]')::jsonb END,
          CASE WHEN n % 4 = 0 AND kind <> 'aborted' THEN 'key-' || n END,
          CASE WHEN n % 4 = 0 AND kind <> 'aborted' THEN md5(n::text) END, principal,
          at + interval '9 ms', CASE WHEN kind <> 'committing' THEN at + interval '15 ms' END,
          CASE WHEN ${HEURISTIC} THEN 'heuristic-mixed' WHEN kind <> 'committing' THEN kind END
     FROM ${made(extent)}
    WHERE NOT (${UNDECIDED}) AND (kind <> 'aborted' OR n % 250 = 7)`,
];

/** Once the history has its indexes. Those of version 6 were settled by somebody. */
export const FILL_HEURISTICS = `
  INSERT INTO concordat.heuristic (transaction, branch, participant, decision, evidence,
    recorded_at, resolved_at, resolved_by, resolution)
  SELECT transaction, '1', split_part(participants, ',', 1), 'commit',
         '{"decision":"commit","found":"missing","explanation":"No such prepared transaction."}',
         ended_at, CASE version WHEN 6 THEN ended_at + interval '1 hour' END,
         CASE version WHEN 6 THEN 'bench' END, CASE version WHEN 6 THEN 'booked manually' END
    FROM concordat.journal WHERE status = 'heuristic-mixed'`;

/** Of three tables: their indexes, and the constraint that one of them belongs to, if there is one. */
export const INDEXES = `
  SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table,
         c.conname AS constraint, pg_get_constraintdef(c.oid) AS constraint_definition,
         pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
   WHERE i.indrelid IN ('concordat.journal'::regclass, 'concordat.decision'::regclass,
                        'concordat.journal_participant'::regclass)
   ORDER BY i.indexrelid`;

export interface IndexRow {
  readonly name: string;
  readonly table: string;
  readonly constraint: string | null;
  readonly constraint_definition: string | null;
  readonly definition: string;
}

export const dropIndex = ({ name, table, constraint }: IndexRow): string =>
  constraint === null ? `DROP INDEX ${name}` : `ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`;

export const makeIndex = ({ table, constraint, constraint_definition, definition }: IndexRow) =>
  constraint === null
    ? definition
    : `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${constraint_definition ?? ''}`;

export const SIZE = `SELECT pg_size_pretty(pg_database_size(current_database())) AS size`;

/** As the planner knows it; 0 or less before the first fill. */
export const HOW_MANY = `
  SELECT reltuples::float8 AS transactions FROM pg_class
   WHERE oid = 'concordat.journal'::regclass`;
