CREATE SCHEMA concordat;

CREATE TABLE concordat.audit (
  sequence bigint NOT NULL,
  at timestamp with time zone NOT NULL,
  principal text COLLATE "C" NOT NULL,
  role text NOT NULL,
  origin text,
  action text NOT NULL,
  transaction text COLLATE "C",
  branch text,
  gid text,
  reason text,
  ticket text,
  phase text NOT NULL,
  answers bigint,
  before json,
  after json,
  previous text NOT NULL,
  hash text NOT NULL
);

CREATE TABLE concordat.audit_head (
  only_row boolean DEFAULT true NOT NULL,
  sequence bigint NOT NULL,
  hash text NOT NULL
);

CREATE TABLE concordat.cluster (
  only_row boolean DEFAULT true NOT NULL,
  cluster_id text NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE concordat.coordinator (
  incarnation text COLLATE "C" NOT NULL,
  floor text COLLATE "C" NOT NULL,
  started_at timestamp with time zone DEFAULT now() NOT NULL,
  seen_at timestamp with time zone DEFAULT now() NOT NULL,
  beat bigint DEFAULT 0 NOT NULL
) WITH (fillfactor=50);

CREATE TABLE concordat.decision (
  transaction text COLLATE "C" NOT NULL,
  decision text NOT NULL,
  finisher text COLLATE "C" NOT NULL,
  branches jsonb NOT NULL,
  idempotency_key text COLLATE "C",
  fingerprint text,
  answer json,
  note json,
  decided_at timestamp with time zone DEFAULT now() NOT NULL,
  ended_at timestamp with time zone,
  outcome text,
  principal text COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor=0.02);

CREATE TABLE concordat.ended_session (
  digest text COLLATE "C" NOT NULL,
  ends_at timestamp with time zone NOT NULL
);

CREATE TABLE concordat.heuristic (
  transaction text COLLATE "C" NOT NULL,
  branch text COLLATE "C" NOT NULL,
  participant text COLLATE "C" NOT NULL,
  decision text NOT NULL,
  evidence json NOT NULL,
  recorded_at timestamp with time zone DEFAULT now() NOT NULL,
  resolved_at timestamp with time zone,
  resolved_by text,
  resolution text
);

CREATE TABLE concordat.journal (
  begun_at timestamp with time zone NOT NULL,
  decided_at timestamp with time zone,
  ended_at timestamp with time zone,
  version bigint NOT NULL,
  timeout_ms integer NOT NULL,
  unregistered boolean NOT NULL,
  transaction text COLLATE "C" NOT NULL,
  principal text COLLATE "C",
  label text COLLATE "C",
  status text COLLATE "C" NOT NULL,
  decision text,
  cause json,
  participants text COLLATE "C" NOT NULL,
  branches json NOT NULL,
  timeline json NOT NULL,
  takeover json
) WITH (autovacuum_vacuum_scale_factor=0.02);

CREATE TABLE concordat.journal_participant (
  participant text COLLATE "C" NOT NULL,
  span text COLLATE "C" NOT NULL
);

CREATE UNLOGGED TABLE concordat.key_claim (
  key text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  claimant text COLLATE "C" NOT NULL,
  since timestamp with time zone DEFAULT now() NOT NULL
) WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);

CREATE TABLE concordat.operation (
  operation text COLLATE "C" NOT NULL,
  action text NOT NULL,
  state text NOT NULL,
  principal text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  ticket text,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  runner text COLLATE "C",
  total integer NOT NULL,
  done integer DEFAULT 0 NOT NULL,
  skipped integer DEFAULT 0 NOT NULL,
  failed integer DEFAULT 0 NOT NULL
);

CREATE TABLE concordat.operation_item (
  operation text COLLATE "C" NOT NULL,
  ordinal integer NOT NULL,
  transaction text COLLATE "C" NOT NULL,
  seen text NOT NULL,
  result text NOT NULL,
  detail text,
  at timestamp with time zone
);

CREATE TABLE concordat.participant (
  participant text COLLATE "C" NOT NULL,
  first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
  seen_at timestamp with time zone DEFAULT now() NOT NULL,
  in_doubt integer,
  looked_at timestamp with time zone,
  retired_at timestamp with time zone
) WITH (fillfactor=50);

CREATE TABLE concordat.pruning_mark (
  only_row boolean DEFAULT true NOT NULL,
  below text COLLATE "C" NOT NULL
);

CREATE TABLE concordat.reconciliation (
  participant text COLLATE "C" NOT NULL,
  base text COLLATE "C",
  position_transaction text COLLATE "C",
  position_branch text COLLATE "C",
  candidate text COLLATE "C",
  turn_until timestamp with time zone DEFAULT now() NOT NULL,
  seen_at timestamp with time zone DEFAULT now() NOT NULL
) WITH (fillfactor=50);

CREATE TABLE concordat.session_secret (
  only_row boolean DEFAULT true NOT NULL,
  secret bytea NOT NULL
);

CREATE TABLE concordat.watched_branch (
  participant text COLLATE "C" NOT NULL,
  gid text COLLATE "C" NOT NULL
);

ALTER TABLE concordat.audit ADD CONSTRAINT audit_pkey PRIMARY KEY (sequence);

ALTER TABLE concordat.audit ADD CONSTRAINT audit_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text));

ALTER TABLE concordat.audit ADD CONSTRAINT audit_phase_check CHECK ((phase = ANY (ARRAY['asked'::text, 'done'::text, 'refused'::text, 'failed'::text])));

ALTER TABLE concordat.audit ADD CONSTRAINT audit_previous_check CHECK ((previous ~ '^[0-9a-f]{64}$'::text));

ALTER TABLE concordat.audit ADD CONSTRAINT audit_sequence_check CHECK ((sequence > 0));

ALTER TABLE concordat.audit_head ADD CONSTRAINT audit_head_pkey PRIMARY KEY (only_row);

ALTER TABLE concordat.audit_head ADD CONSTRAINT audit_head_only_row_check CHECK (only_row);

ALTER TABLE concordat.cluster ADD CONSTRAINT cluster_pkey PRIMARY KEY (only_row);

ALTER TABLE concordat.cluster ADD CONSTRAINT cluster_cluster_id_check CHECK ((cluster_id ~ '^[a-z0-9]{8}$'::text));

ALTER TABLE concordat.cluster ADD CONSTRAINT cluster_only_row_check CHECK (only_row);

ALTER TABLE concordat.coordinator ADD CONSTRAINT coordinator_pkey PRIMARY KEY (incarnation);

ALTER TABLE concordat.decision ADD CONSTRAINT decision_pkey PRIMARY KEY (transaction);

ALTER TABLE concordat.decision ADD CONSTRAINT decision_abort_is_bare CHECK (((decision = 'commit'::text) OR ((ended_at IS NOT NULL) AND (branches = '[]'::jsonb) AND (idempotency_key IS NULL) AND (answer IS NULL))));

ALTER TABLE concordat.decision ADD CONSTRAINT decision_decision_check CHECK ((decision = ANY (ARRAY['commit'::text, 'abort'::text])));

ALTER TABLE concordat.decision ADD CONSTRAINT decision_ended_with_outcome CHECK (((ended_at IS NULL) = (outcome IS NULL)));

ALTER TABLE concordat.decision ADD CONSTRAINT decision_key_with_fingerprint CHECK (((idempotency_key IS NULL) = (fingerprint IS NULL)));

ALTER TABLE concordat.decision ADD CONSTRAINT decision_outcome_check CHECK ((outcome = ANY (ARRAY['committed'::text, 'aborted'::text, 'heuristic-mixed'::text, 'heuristic-hazard'::text])));

ALTER TABLE concordat.decision ADD CONSTRAINT decision_transaction_check CHECK ((transaction ~ '^[0-9a-hjkmnp-tv-z]{26}-[a-z0-9]{8}(-[a-z][a-z0-9-]{0,31})?$'::text)) NOT VALID;

ALTER TABLE concordat.ended_session ADD CONSTRAINT ended_session_pkey PRIMARY KEY (digest);

ALTER TABLE concordat.ended_session ADD CONSTRAINT ended_session_digest_check CHECK ((digest ~ '^[0-9a-f]{64}$'::text));

ALTER TABLE concordat.heuristic ADD CONSTRAINT heuristic_pkey PRIMARY KEY (transaction, branch);

ALTER TABLE concordat.heuristic ADD CONSTRAINT heuristic_decision_check CHECK ((decision = ANY (ARRAY['commit'::text, 'abort'::text])));

ALTER TABLE concordat.heuristic ADD CONSTRAINT heuristic_resolved_with_reason CHECK ((((resolved_at IS NULL) = (resolved_by IS NULL)) AND ((resolved_at IS NULL) = (resolution IS NULL))));

ALTER TABLE concordat.journal ADD CONSTRAINT journal_pkey PRIMARY KEY (transaction);

ALTER TABLE concordat.journal_participant ADD CONSTRAINT journal_participant_pkey PRIMARY KEY (participant, span);

ALTER TABLE concordat.key_claim ADD CONSTRAINT key_claim_pkey PRIMARY KEY (key);

ALTER TABLE concordat.operation ADD CONSTRAINT operation_pkey PRIMARY KEY (operation);

ALTER TABLE concordat.operation ADD CONSTRAINT operation_action_check CHECK ((action = ANY (ARRAY['retry'::text, 'abort-undecided'::text])));

ALTER TABLE concordat.operation ADD CONSTRAINT operation_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'running'::text, 'done'::text, 'cancelled'::text])));

ALTER TABLE concordat.operation_item ADD CONSTRAINT operation_item_pkey PRIMARY KEY (operation, ordinal);

ALTER TABLE concordat.operation_item ADD CONSTRAINT operation_item_result_check CHECK ((result = ANY (ARRAY['waiting'::text, 'done'::text, 'skipped'::text, 'failed'::text])));

ALTER TABLE concordat.participant ADD CONSTRAINT participant_pkey PRIMARY KEY (participant);

ALTER TABLE concordat.participant ADD CONSTRAINT participant_in_doubt_check CHECK ((in_doubt >= 0));

ALTER TABLE concordat.participant ADD CONSTRAINT participant_in_doubt_when_looked CHECK (((in_doubt IS NULL) = (looked_at IS NULL)));

ALTER TABLE concordat.pruning_mark ADD CONSTRAINT pruning_mark_pkey PRIMARY KEY (only_row);

ALTER TABLE concordat.pruning_mark ADD CONSTRAINT pruning_mark_only_row_check CHECK (only_row);

ALTER TABLE concordat.reconciliation ADD CONSTRAINT reconciliation_pkey PRIMARY KEY (participant);

ALTER TABLE concordat.reconciliation ADD CONSTRAINT reconciliation_position_whole CHECK (((position_transaction IS NULL) = (position_branch IS NULL)));

ALTER TABLE concordat.session_secret ADD CONSTRAINT session_secret_pkey PRIMARY KEY (only_row);

ALTER TABLE concordat.session_secret ADD CONSTRAINT session_secret_only_row_check CHECK (only_row);

ALTER TABLE concordat.session_secret ADD CONSTRAINT session_secret_secret_check CHECK ((octet_length(secret) = 32));

ALTER TABLE concordat.watched_branch ADD CONSTRAINT watched_branch_pkey PRIMARY KEY (participant, gid);

CREATE INDEX audit_by_principal ON concordat.audit USING btree (principal, sequence);

CREATE INDEX audit_by_transaction ON concordat.audit USING btree (transaction, sequence) WHERE (transaction IS NOT NULL);

CREATE INDEX decision_aborted ON concordat.decision USING btree (transaction) WHERE (decision = 'abort'::text);

CREATE UNIQUE INDEX decision_by_key ON concordat.decision USING btree (idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX decision_by_principal ON concordat.decision USING btree (principal, transaction) WHERE (principal IS NOT NULL);

CREATE INDEX decision_unfinished ON concordat.decision USING btree (transaction, finisher) WHERE ((decision = 'commit'::text) AND (ended_at IS NULL));

CREATE INDEX heuristic_unresolved ON concordat.heuristic USING btree (transaction) WHERE (resolved_at IS NULL);

CREATE INDEX journal_by_label ON concordat.journal USING btree (label, transaction) WHERE (label IS NOT NULL);

CREATE INDEX journal_by_principal ON concordat.journal USING btree (principal, transaction) WHERE unregistered;

CREATE INDEX journal_by_status ON concordat.journal USING btree (status, transaction) WHERE (status <> 'committed'::text);

CREATE INDEX journal_open ON concordat.journal USING btree (transaction) WHERE (ended_at IS NULL);

CREATE INDEX operation_item_waiting ON concordat.operation_item USING btree (operation, ordinal) WHERE (result = 'waiting'::text);

CREATE OR REPLACE FUNCTION concordat.lowest_transaction_id(at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE STRICT
 SET search_path TO 'pg_catalog'
AS $function$
     SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((ms >> (5 * n)) & 31)::int + 1, 1),
                       '' ORDER BY n DESC) || 'e008000000000000-00000000'
       FROM (SELECT greatest(0, floor(extract(epoch FROM at) * 1000))::bigint AS ms) AS moment,
            generate_series(0, 9) AS n
   $function$;

CREATE OR REPLACE FUNCTION concordat.refuse()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog'
AS $function$
   BEGIN
     RAISE EXCEPTION 'concordat.%: % is refused', TG_TABLE_NAME, TG_ARGV[0]
       USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[1];
   END
   $function$;

CREATE OR REPLACE FUNCTION concordat.refuse_early_forgetting()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog'
AS $function$
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
   $function$;

CREATE TRIGGER audit_kept BEFORE DELETE ON concordat.audit FOR EACH ROW EXECUTE FUNCTION concordat.refuse('deleting an entry', 'The audit is kept as it was written. What was wrong is said in a further entry.');
ALTER TABLE concordat.audit ENABLE ALWAYS TRIGGER audit_kept;

CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON concordat.audit FOR EACH STATEMENT EXECUTE FUNCTION concordat.refuse('emptying the table', 'The audit is kept as it was written. What was wrong is said in a further entry.');
ALTER TABLE concordat.audit ENABLE ALWAYS TRIGGER audit_not_emptied;

CREATE TRIGGER audit_stands BEFORE UPDATE ON concordat.audit FOR EACH ROW EXECUTE FUNCTION concordat.refuse('changing an entry', 'The audit is kept as it was written. What was wrong is said in a further entry.');
ALTER TABLE concordat.audit ENABLE ALWAYS TRIGGER audit_stands;

CREATE TRIGGER audit_head_kept BEFORE DELETE ON concordat.audit_head FOR EACH ROW EXECUTE FUNCTION concordat.refuse('deleting the head', 'The audit is kept as it was written. What was wrong is said in a further entry.');
ALTER TABLE concordat.audit_head ENABLE ALWAYS TRIGGER audit_head_kept;

CREATE TRIGGER audit_head_not_emptied BEFORE TRUNCATE ON concordat.audit_head FOR EACH STATEMENT EXECUTE FUNCTION concordat.refuse('emptying the table', 'The audit is kept as it was written. What was wrong is said in a further entry.');
ALTER TABLE concordat.audit_head ENABLE ALWAYS TRIGGER audit_head_not_emptied;

CREATE TRIGGER audit_head_rises BEFORE UPDATE ON concordat.audit_head FOR EACH ROW WHEN ((new.sequence <= old.sequence)) EXECUTE FUNCTION concordat.refuse('moving the head back', 'The audit is kept as it was written. What was wrong is said in a further entry.');
ALTER TABLE concordat.audit_head ENABLE ALWAYS TRIGGER audit_head_rises;

CREATE TRIGGER cluster_stands BEFORE DELETE OR UPDATE ON concordat.cluster FOR EACH ROW EXECUTE FUNCTION concordat.refuse('changing the cluster id', 'Every prepared branch carries it. Make another cluster in another database.');
ALTER TABLE concordat.cluster ENABLE ALWAYS TRIGGER cluster_stands;

CREATE TRIGGER decision_kept BEFORE DELETE ON concordat.decision FOR EACH ROW EXECUTE FUNCTION concordat.refuse_early_forgetting();
ALTER TABLE concordat.decision ENABLE ALWAYS TRIGGER decision_kept;

CREATE TRIGGER decision_not_emptied BEFORE TRUNCATE ON concordat.decision FOR EACH STATEMENT EXECUTE FUNCTION concordat.refuse('emptying the table', 'Prune through the coordinator.');
ALTER TABLE concordat.decision ENABLE ALWAYS TRIGGER decision_not_emptied;

CREATE TRIGGER decision_principal_stands BEFORE UPDATE ON concordat.decision FOR EACH ROW WHEN ((old.principal IS DISTINCT FROM new.principal)) EXECUTE FUNCTION concordat.refuse('changing whose a decision is', 'Whose a transaction is was written with its decision and stands with it.');
ALTER TABLE concordat.decision ENABLE ALWAYS TRIGGER decision_principal_stands;

CREATE TRIGGER decision_stands BEFORE UPDATE ON concordat.decision FOR EACH ROW WHEN (((old.transaction IS DISTINCT FROM new.transaction) OR (old.decision IS DISTINCT FROM new.decision) OR (old.branches IS DISTINCT FROM new.branches) OR (old.idempotency_key IS DISTINCT FROM new.idempotency_key) OR (old.fingerprint IS DISTINCT FROM new.fingerprint) OR ((old.answer)::text IS DISTINCT FROM (new.answer)::text) OR (old.decided_at IS DISTINCT FROM new.decided_at) OR ((old.ended_at IS NOT NULL) AND ((old.ended_at IS DISTINCT FROM new.ended_at) OR (old.outcome IS DISTINCT FROM new.outcome))))) EXECUTE FUNCTION concordat.refuse('changing a standing decision', 'A decision stands for ever. To record that its damage was reconciled, resolve the heuristic.');
ALTER TABLE concordat.decision ENABLE ALWAYS TRIGGER decision_stands;

CREATE TRIGGER heuristic_kept BEFORE DELETE ON concordat.heuristic FOR EACH ROW EXECUTE FUNCTION concordat.refuse('deleting evidence', 'Resolve it with a reason; the row stays.');
ALTER TABLE concordat.heuristic ENABLE ALWAYS TRIGGER heuristic_kept;

CREATE TRIGGER heuristic_not_emptied BEFORE TRUNCATE ON concordat.heuristic FOR EACH STATEMENT EXECUTE FUNCTION concordat.refuse('emptying the table', 'Resolve each heuristic with a reason; the rows stay.');
ALTER TABLE concordat.heuristic ENABLE ALWAYS TRIGGER heuristic_not_emptied;

CREATE TRIGGER heuristic_stands BEFORE UPDATE ON concordat.heuristic FOR EACH ROW WHEN (((old.transaction IS DISTINCT FROM new.transaction) OR (old.branch IS DISTINCT FROM new.branch) OR (old.participant IS DISTINCT FROM new.participant) OR (old.decision IS DISTINCT FROM new.decision) OR ((old.evidence)::text IS DISTINCT FROM (new.evidence)::text) OR (old.recorded_at IS DISTINCT FROM new.recorded_at) OR (old.resolved_at IS NOT NULL))) EXECUTE FUNCTION concordat.refuse('changing recorded evidence', 'Evidence and resolutions are kept as they were written.');
ALTER TABLE concordat.heuristic ENABLE ALWAYS TRIGGER heuristic_stands;

CREATE TRIGGER pruning_mark_kept BEFORE DELETE ON concordat.pruning_mark FOR EACH ROW EXECUTE FUNCTION concordat.refuse('deleting the mark', 'What was forgotten could be decided anew.');
ALTER TABLE concordat.pruning_mark ENABLE ALWAYS TRIGGER pruning_mark_kept;

CREATE TRIGGER pruning_mark_not_ahead BEFORE UPDATE ON concordat.pruning_mark FOR EACH ROW WHEN ((new.below > concordat.lowest_transaction_id(clock_timestamp()))) EXECUTE FUNCTION concordat.refuse('raising the mark past now', 'Every transaction would abort until then. Look at the clocks of the coordinators.');
ALTER TABLE concordat.pruning_mark ENABLE ALWAYS TRIGGER pruning_mark_not_ahead;

CREATE TRIGGER pruning_mark_not_emptied BEFORE TRUNCATE ON concordat.pruning_mark FOR EACH STATEMENT EXECUTE FUNCTION concordat.refuse('emptying the table', 'What was forgotten could be decided anew.');
ALTER TABLE concordat.pruning_mark ENABLE ALWAYS TRIGGER pruning_mark_not_emptied;

CREATE TRIGGER pruning_mark_rises BEFORE UPDATE ON concordat.pruning_mark FOR EACH ROW WHEN ((new.below < old.below)) EXECUTE FUNCTION concordat.refuse('lowering the mark', 'What was forgotten could be decided anew.');
ALTER TABLE concordat.pruning_mark ENABLE ALWAYS TRIGGER pruning_mark_rises;

INSERT INTO concordat.pruning_mark (below) VALUES ('');

INSERT INTO concordat.audit_head (sequence, hash) VALUES (0, '0000000000000000000000000000000000000000000000000000000000000000');
