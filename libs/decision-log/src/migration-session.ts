/**
 * A session that holds the lock on migrations, whichever client opened it. Guards "one coordinator at a
 * time": TypeORM takes no lock of its own, so several that start at once would race; an advisory lock of the
 * session holds the others back. Crash window: a session that is lost anywhere in here takes its lock with it.
 */
import { isClusterId, type ClusterId } from '@concordat/protocol';
import { MIGRATION_NAMES } from './migrations.js';
import { DecisionDatabaseUnusable } from './refusals.js';
import {
  CREATE_SCHEMA,
  LIMIT_LOCK_WAIT,
  LOCK_MIGRATIONS,
  MAKE_CLUSTER_ID,
  MAKE_SESSION_SECRET,
  PREPARE_SESSION,
  READ_CLUSTER_ID,
  READ_SESSION_SECRET,
  UNLOCK_MIGRATIONS,
} from './session.sql.js';

export const LOCK_NOT_AVAILABLE = '55P03';

/** Asks one session; resolves with the rows. */
export type Ask = (statement: string, values?: unknown[]) => Promise<unknown>;

/** What a decision database is asked for once, at the start. */
export interface Installation {
  readonly cluster: ClusterId;
  /** Seals sessions of the admin view, at every coordinator of the cluster. */
  readonly sessionSecret: Uint8Array;
}

/** Does `work` while the session holds the lock and the schema exists; errors come with their remedy. */
export async function underMigrationLock<T>(ask: Ask, work: () => Promise<T>): Promise<T> {
  try {
    await ask(PREPARE_SESSION);
    await ask(LIMIT_LOCK_WAIT);
    await ask(LOCK_MIGRATIONS);
    await ask(CREATE_SCHEMA);
    return await work();
  } catch (error) {
    throw withRemedy(error);
  } finally {
    // Ending the session would free the lock as well; this frees it before the others time out.
    await ask(UNLOCK_MIGRATIONS).catch(() => undefined);
  }
}

/** Refuses a database on which migrations are on record that this version does not know. */
export function refuseNewer(onRecord: readonly string[]): void {
  const newer = onRecord.filter((one) => !MIGRATION_NAMES.includes(one));
  if (newer.length === 0) return;
  throw new DecisionDatabaseUnusable(
    'newer-schema',
    `the decision database was migrated by a newer version (${newer.join(', ')}): ` +
      'start that version or a later one',
  );
}

/** What a migrated database holds; of a new one, the candidates. */
export async function installationOf(ask: Ask, candidate: Installation): Promise<Installation> {
  await ask(MAKE_CLUSTER_ID, [candidate.cluster]);
  await ask(MAKE_SESSION_SECRET, [Buffer.from(candidate.sessionSecret)]);
  const cluster = await readClusterId(ask);
  return { cluster, sessionSecret: await readSessionSecret(ask) };
}

async function readClusterId(ask: Ask): Promise<ClusterId> {
  const rows = (await ask(READ_CLUSTER_ID)) as { cluster_id: string }[];
  const id = rows[0]?.cluster_id ?? '';
  if (!isClusterId(id)) throw new Error(`concordat.cluster holds "${id}", which is no cluster id`);
  return id;
}

async function readSessionSecret(ask: Ask): Promise<Uint8Array> {
  const rows = (await ask(READ_SESSION_SECRET)) as { secret: Uint8Array }[];
  const [row] = rows;
  if (!row) throw new Error('concordat.session_secret is empty: start the coordinator again');
  return row.secret;
}

export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

function withRemedy(error: unknown): unknown {
  const code = codeOf(error);
  if (code === LOCK_NOT_AVAILABLE) {
    return new DecisionDatabaseUnusable(
      'migration-locked',
      'another coordinator has held the migration lock for a minute: wait for it, or look in ' +
        "pg_stat_activity for application_name 'concordat migrations' and end it",
      { cause: error },
    );
  }
  if (code === '42501') {
    return new DecisionDatabaseUnusable(
      'missing-privilege',
      `the decision database's role may not migrate: GRANT CREATE ON DATABASE … TO it, or make it ` +
        `the owner of schema concordat (${(error as Error).message})`,
      { cause: error },
    );
  }
  return error;
}
