/**
 * The first schema of the decision database. Guards protocol §3 in the database itself: one row per
 * transaction, one commit per idempotency key, decisions that cannot be changed, unended commits that cannot
 * be deleted. Identifiers sort in "C" order because the order of transaction ids is the order of time, and
 * every keyset and every mark depends on that.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `CREATE TABLE concordat.cluster (
     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
     cluster_id text NOT NULL CHECK (cluster_id ~ '^[a-z0-9]{8}$'),
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  // Every decide reads this row, and so holds a lock that raising the mark has to wait for.
  `CREATE TABLE concordat.pruning_mark (
     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
     below text COLLATE "C" NOT NULL
   )`,
  `INSERT INTO concordat.pruning_mark (below) VALUES ('')`,
  `CREATE TABLE concordat.decision (
     transaction text COLLATE "C" PRIMARY KEY
       CHECK (transaction ~ '^[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}$'),
     decision text NOT NULL CHECK (decision IN ('commit', 'abort')),
     finisher text COLLATE "C" NOT NULL,
     branches jsonb NOT NULL,
     idempotency_key text COLLATE "C",
     fingerprint text,
     answer json,
     note json,
     decided_at timestamptz NOT NULL DEFAULT now(),
     ended_at timestamptz,
     outcome text CHECK
       (outcome IN ('committed', 'aborted', 'heuristic-mixed', 'heuristic-hazard')),
     CONSTRAINT decision_ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL)),
     CONSTRAINT decision_key_with_fingerprint
       CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL)),
     CONSTRAINT decision_abort_is_bare CHECK (
       decision = 'commit' OR
       (ended_at IS NOT NULL AND branches = '[]' AND idempotency_key IS NULL AND answer IS NULL))
   ) WITH (autovacuum_vacuum_scale_factor = 0.02)`,
  `CREATE TABLE concordat.heuristic (
     transaction text COLLATE "C" NOT NULL,
     branch text COLLATE "C" NOT NULL,
     participant text COLLATE "C" NOT NULL,
     decision text NOT NULL CHECK (decision IN ('commit', 'abort')),
     evidence json NOT NULL,
     recorded_at timestamptz NOT NULL DEFAULT now(),
     resolved_at timestamptz,
     resolved_by text,
     resolution text,
     PRIMARY KEY (transaction, branch),
     CONSTRAINT heuristic_resolved_with_reason CHECK
       ((resolved_at IS NULL) = (resolved_by IS NULL)
         AND (resolved_at IS NULL) = (resolution IS NULL))
   )`,
  `CREATE TABLE concordat.coordinator (
     incarnation text COLLATE "C" PRIMARY KEY,
     floor text COLLATE "C" NOT NULL,
     started_at timestamptz NOT NULL DEFAULT now(),
     seen_at timestamptz NOT NULL DEFAULT now()
   ) WITH (fillfactor = 50)`,
  `CREATE TABLE concordat.journal (
     transaction text COLLATE "C" PRIMARY KEY,
     owner text COLLATE "C" NOT NULL,
     principal text COLLATE "C" NOT NULL,
     label text COLLATE "C",
     status text COLLATE "C" NOT NULL,
     decision text,
     outcome text,
     cause json,
     participants text[] COLLATE "C" NOT NULL,
     timeout_ms double precision NOT NULL,
     begun_at timestamptz NOT NULL,
     decided_at timestamptz,
     ended_at timestamptz,
     branches json NOT NULL,
     timeline json NOT NULL,
     takeover json,
     version bigint NOT NULL
   ) WITH (autovacuum_vacuum_scale_factor = 0.02)`,
  // Its own table, because an index on an array cannot give a participant's latest in order.
  `CREATE TABLE concordat.journal_participant (
     participant text COLLATE "C" NOT NULL,
     transaction text COLLATE "C" NOT NULL,
     PRIMARY KEY (participant, transaction)
   )`,
];

const INDEXES = [
  `CREATE UNIQUE INDEX decision_by_key ON concordat.decision (idempotency_key)
     WHERE idempotency_key IS NOT NULL`,
  // Few rows at any time: recovery, the low-water mark and "committing" live on it.
  `CREATE INDEX decision_unfinished ON concordat.decision (transaction, finisher)
     WHERE decision = 'commit' AND ended_at IS NULL`,
  `CREATE INDEX decision_aborted ON concordat.decision (transaction) WHERE decision = 'abort'`,
  `CREATE INDEX heuristic_unresolved ON concordat.heuristic (transaction)
     WHERE resolved_at IS NULL`,
  `CREATE INDEX journal_by_status ON concordat.journal (status, transaction)`,
  `CREATE INDEX journal_by_label ON concordat.journal (label, transaction)
     WHERE label IS NOT NULL`,
  `CREATE INDEX journal_by_principal ON concordat.journal (principal, transaction)`,
  `CREATE INDEX journal_open ON concordat.journal (transaction) WHERE ended_at IS NULL`,
];

const GUARDS = [
  `CREATE FUNCTION concordat.refuse() RETURNS trigger LANGUAGE plpgsql
   SET search_path = pg_catalog AS $body$
   BEGIN
     RAISE EXCEPTION 'concordat.%: % is refused', TG_TABLE_NAME, TG_ARGV[0]
       USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[1];
   END
   $body$`,
  `CREATE TRIGGER decision_stands BEFORE UPDATE ON concordat.decision FOR EACH ROW
   WHEN (OLD.transaction IS DISTINCT FROM NEW.transaction
     OR OLD.decision IS DISTINCT FROM NEW.decision
     OR OLD.branches IS DISTINCT FROM NEW.branches
     OR OLD.idempotency_key IS DISTINCT FROM NEW.idempotency_key
     OR OLD.fingerprint IS DISTINCT FROM NEW.fingerprint
     OR OLD.answer::text IS DISTINCT FROM NEW.answer::text
     OR OLD.decided_at IS DISTINCT FROM NEW.decided_at
     OR OLD.ended_at IS NOT NULL AND (OLD.ended_at IS DISTINCT FROM NEW.ended_at
       OR OLD.outcome IS DISTINCT FROM NEW.outcome))
   EXECUTE FUNCTION concordat.refuse('changing a standing decision',
     'A decision stands for ever. To record that its damage was reconciled, resolve the heuristic.')`,
  `CREATE FUNCTION concordat.refuse_early_forgetting() RETURNS trigger LANGUAGE plpgsql
   SET search_path = pg_catalog AS $body$
   BEGIN
     IF OLD.ended_at IS NULL THEN
       RAISE EXCEPTION 'concordat.decision: deleting a commit that has not ended is refused'
         USING ERRCODE = 'restrict_violation',
         HINT = 'Its branches would be told abort. Let a coordinator finish it first.';
     END IF;
     IF OLD.transaction >= (SELECT below FROM concordat.pruning_mark) THEN
       RAISE EXCEPTION 'concordat.decision: deleting above the pruning mark is refused'
         USING ERRCODE = 'restrict_violation',
         HINT = 'It could be decided anew. Prune through the coordinator, which raises the mark first.';
     END IF;
     IF EXISTS (SELECT FROM concordat.heuristic h
                WHERE h.transaction = OLD.transaction AND h.resolved_at IS NULL) THEN
       RAISE EXCEPTION 'concordat.decision: deleting an unresolved heuristic is refused'
         USING ERRCODE = 'restrict_violation',
         HINT = 'Resolve it with a reason first.';
     END IF;
     RETURN OLD;
   END
   $body$`,
  `CREATE TRIGGER decision_kept BEFORE DELETE ON concordat.decision FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse_early_forgetting()`,
  `CREATE TRIGGER decision_not_emptied BEFORE TRUNCATE ON concordat.decision
   EXECUTE FUNCTION concordat.refuse('emptying the table', 'Prune through the coordinator.')`,
  `CREATE TRIGGER heuristic_stands BEFORE UPDATE ON concordat.heuristic FOR EACH ROW
   WHEN (OLD.transaction IS DISTINCT FROM NEW.transaction
     OR OLD.branch IS DISTINCT FROM NEW.branch
     OR OLD.participant IS DISTINCT FROM NEW.participant
     OR OLD.decision IS DISTINCT FROM NEW.decision
     OR OLD.evidence::text IS DISTINCT FROM NEW.evidence::text
     OR OLD.recorded_at IS DISTINCT FROM NEW.recorded_at
     OR OLD.resolved_at IS NOT NULL)
   EXECUTE FUNCTION concordat.refuse('changing recorded evidence',
     'Evidence and resolutions are kept as they were written.')`,
  `CREATE TRIGGER heuristic_kept BEFORE DELETE ON concordat.heuristic FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse('deleting evidence',
     'Resolve it with a reason; the row stays.')`,
  `CREATE TRIGGER heuristic_not_emptied BEFORE TRUNCATE ON concordat.heuristic
   EXECUTE FUNCTION concordat.refuse('emptying the table',
     'Resolve each heuristic with a reason; the rows stay.')`,
  `CREATE TRIGGER pruning_mark_rises BEFORE UPDATE ON concordat.pruning_mark FOR EACH ROW
   WHEN (NEW.below < OLD.below)
   EXECUTE FUNCTION concordat.refuse('lowering the mark',
     'What was forgotten could be decided anew.')`,
  `CREATE TRIGGER pruning_mark_kept BEFORE DELETE ON concordat.pruning_mark FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse('deleting the mark',
     'What was forgotten could be decided anew.')`,
  `CREATE TRIGGER pruning_mark_not_emptied BEFORE TRUNCATE ON concordat.pruning_mark
   EXECUTE FUNCTION concordat.refuse('emptying the table',
     'What was forgotten could be decided anew.')`,
  `CREATE TRIGGER cluster_stands BEFORE UPDATE OR DELETE ON concordat.cluster FOR EACH ROW
   EXECUTE FUNCTION concordat.refuse('changing the cluster id',
     'Every prepared branch carries it. Make another cluster in another database.')`,
];

/** Triggers that also fire for replication roles: no role is excepted. */
const ALWAYS = [
  ['decision', 'decision_stands'],
  ['decision', 'decision_kept'],
  ['decision', 'decision_not_emptied'],
  ['heuristic', 'heuristic_stands'],
  ['heuristic', 'heuristic_kept'],
  ['heuristic', 'heuristic_not_emptied'],
  ['pruning_mark', 'pruning_mark_rises'],
  ['pruning_mark', 'pruning_mark_kept'],
  ['pruning_mark', 'pruning_mark_not_emptied'],
  ['cluster', 'cluster_stands'],
].map(([table, trigger]) => `ALTER TABLE concordat.${table} ENABLE ALWAYS TRIGGER ${trigger}`);

export class DecisionLog1764720000000 implements MigrationInterface {
  readonly name = 'DecisionLog1764720000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...TABLES, ...INDEXES, ...GUARDS, ...ALWAYS]) {
      await runner.query(statement);
    }
  }

  down(): Promise<void> {
    const remedy = 'restore a backup into another database, and start the older version on that';
    return Promise.reject(new Error(`decisions are not dropped by a migration: ${remedy}`));
  }
}
