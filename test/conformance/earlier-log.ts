/**
 * A decision log as the version before `SmallJournal` left it: its schema, made by the migrations of that
 * time, and a transaction in each state that a log can hold.
 */
import {
  makeTransactionId,
  tokenFrom,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from '../../libs/decision-log/src/migrations.js';
import { CREATE_SCHEMA } from '../../libs/decision-log/src/session.sql.js';

export const LAST_BEFORE = 'KeyClaims1765500000000';

/** Brings an empty database to the schema of that version. */
export async function earlierSchema(url: string, last = LAST_BEFORE): Promise<void> {
  const end = MIGRATIONS.findIndex((one) => one.name === last) + 1;
  const source = new DataSource({
    type: 'postgres',
    url,
    schema: 'concordat',
    migrations: MIGRATIONS.slice(0, end),
    migrationsTableName: 'migration',
    installExtensions: false,
    poolSize: 1,
  });
  await source.initialize();
  try {
    await source.query(CREATE_SCHEMA);
    await source.runMigrations({ transaction: 'each' });
  } finally {
    await source.destroy();
  }
}

/** What a transaction of the earlier log was, and has to be afterwards. */
export interface Earlier {
  readonly id: TransactionId;
  readonly status: string;
  readonly decision?: 'commit' | 'abort';
  /** Absent where only the history knows it. */
  readonly finisher?: Incarnation;
  readonly isEnded: boolean;
  readonly label: string;
  readonly outcome?: string;
}

/** The incarnation that began all of them, and is gone. */
export const GONE: Incarnation = tokenFrom(new Uint8Array(8).fill(3));
const MINUTE_MS = 60_000;

export function earlierId(): TransactionId {
  return makeTransactionId(Date.now() - MINUTE_MS, randomBytes(10), GONE);
}

/** One transaction of each kind. */
export function eachState(): Readonly<Record<EarlierKind, Earlier>> {
  const make = (label: EarlierKind, more: Omit<Earlier, 'id' | 'label'>): Earlier => ({
    ...{ id: earlierId(), label, ...more },
  });
  const commit = { decision: 'commit', finisher: GONE } as const;
  return {
    stuck: make('stuck', { ...commit, status: 'committing', isEnded: false }),
    committed: make('committed', {
      ...{ ...commit, status: 'committed', outcome: 'committed', isEnded: true },
    }),
    damaged: make('damaged', {
      ...{ ...commit, status: 'heuristic-mixed', outcome: 'heuristic-mixed', isEnded: true },
    }),
    refused: make('refused', {
      ...{ decision: 'abort', finisher: GONE, status: 'aborted', outcome: 'aborted' },
      isEnded: true,
    }),
    readOnly: make('readOnly', { decision: 'commit', status: 'committed', isEnded: true }),
    presumed: make('presumed', { decision: 'abort', status: 'aborted', isEnded: true }),
    undecided: make('undecided', { status: 'preparing', isEnded: false }),
  };
}

export type EarlierKind =
  | 'stuck'
  | 'committed'
  | 'damaged'
  | 'refused'
  | 'readOnly'
  | 'presumed'
  | 'undecided';

/** Fills the log as that version wrote it; all of them at one participant. */
export async function fillEarlier(
  dba: pg.Client,
  all: readonly Earlier[],
  { participant, cluster }: { readonly participant: string; readonly cluster: string },
): Promise<void> {
  await dba.query('INSERT INTO concordat.cluster (cluster_id) VALUES ($1)', [cluster]);
  for (const one of all) {
    if (one.finisher !== undefined) await insertDecision(dba, one, participant);
    await insertStory(dba, one, participant);
  }
}

async function insertDecision(dba: pg.Client, one: Earlier, participant: string): Promise<void> {
  const isCommit = one.decision === 'commit';
  const branches = isCommit ? [{ branch: '1', participant, work: 'bundled' }] : [];
  const isKeyed = one.label === 'committed';
  await dba.query(
    `INSERT INTO concordat.decision (transaction, decision, finisher, branches, idempotency_key, fingerprint,
                                     answer, note, principal, ended_at, outcome)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'client', CASE WHEN $9 THEN now() END, $10)`,
    [
      ...[one.id, one.decision, one.finisher, JSON.stringify(branches)],
      ...(isKeyed
        ? [`client:${one.id}`, 'f', JSON.stringify({ [participant]: [1] })]
        : [null, null, null]),
      ...[JSON.stringify({ label: one.label }), one.isEnded, one.outcome ?? null],
    ],
  );
  if (one.label !== 'damaged') return;
  const evidence = { decision: 'commit', found: 'rolled-back', explanation: 'somebody did' };
  await dba.query(
    `INSERT INTO concordat.heuristic (transaction, branch, participant, decision, evidence)
     VALUES ($1, '1', $2, 'commit', $3)`,
    [one.id, participant, JSON.stringify(evidence)],
  );
}

/** Branches and timeline with names, as stories were written then. */
async function insertStory(dba: pg.Client, one: Earlier, participant: string): Promise<void> {
  const atMs = Date.now() - MINUTE_MS;
  const branch = { branch: '1', participant, work: 'bundled', operations: ['credit'], attempts: 1 };
  const timeline = [
    { sequence: 1, atMs, type: 'begun', detail: { timeoutMs: 10_000 } },
    { sequence: 2, atMs: atMs + 1, type: 'enlisted', branch: '1', participant },
  ];
  await dba.query(
    `INSERT INTO concordat.journal (transaction, owner, principal, label, status, decision, outcome, cause,
        participants, timeout_ms, begun_at, decided_at, ended_at, branches, timeline, version)
     VALUES ($1, $2, 'client', $3, $4, $5, $6, $7, ARRAY[$8], 10000, now(),
             CASE WHEN $5::text IS NOT NULL THEN now() END, CASE WHEN $9 THEN now() END, $10, $11, 3)`,
    [
      ...[one.id, GONE, one.label, one.status, one.decision ?? null],
      one.isEnded ? (one.outcome ?? one.status) : null,
      one.decision === 'abort'
        ? JSON.stringify({ kind: 'rollback-requested', reason: 'no' })
        : null,
      ...[participant, one.isEnded, JSON.stringify([branch]), JSON.stringify(timeline)],
    ],
  );
  await dba.query('INSERT INTO concordat.journal_participant VALUES ($1, $2)', [
    participant,
    one.id,
  ]);
}
