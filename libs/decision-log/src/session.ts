/**
 * Database sessions: how every connection of the decision log is opened, and what is demanded of it
 * before it is used. Guards protocol §3: a decision is answered only from a session that flushes,
 * on the cluster this coordinator was started for.
 */
import type { ClusterId } from '@concordat/protocol';
import pg from 'pg';
import { DecisionDatabaseUnusable } from './refusals.js';
import {
  PREPARE_KEYED_SESSION,
  PREPARE_READING_SESSION,
  PREPARE_SESSION,
  SESSION_STATE,
} from './session.sql.js';

export interface SessionOptions {
  readonly url: string;
  /** After this many milliseconds without an answer, what became of a call is unknown. */
  readonly answerWithinMs: number;
}

interface SessionState {
  readonly cluster: string | null;
  readonly now_ms: number;
  readonly standby: boolean;
  readonly read_only: boolean;
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly unlogged: number;
}

export function connectionConfig(options: SessionOptions, purpose: string): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: `concordat ${purpose}`,
    connectionTimeoutMillis: options.answerWithinMs,
    query_timeout: options.answerWithinMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** What sessions are for: writes of several kinds, work on single rows of the register, or lists of the reader. */
export type SessionKind = 'writing' | 'keyed' | 'reading';

const ALSO: Readonly<Record<SessionKind, string | undefined>> = {
  writing: undefined,
  keyed: PREPARE_KEYED_SESSION,
  reading: PREPARE_READING_SESSION,
};

export async function prepareSession(client: pg.ClientBase, kind: SessionKind): Promise<void> {
  await client.query(PREPARE_SESSION);
  const also = ALSO[kind];
  if (also !== undefined) await client.query(also);
}

/** A pool whose sessions are all prepared. A broken idle connection is dropped, never fatal. */
export function openPool(
  options: SessionOptions,
  purpose: string,
  max: number,
  kind: SessionKind = 'writing',
): pg.Pool {
  // Awaited by the pool: no query runs on a session before it is prepared.
  const onConnect = async (client: pg.ClientBase): Promise<void> => {
    // The pool listens to idle sessions only. One that is lost while somebody holds it fails that
    // somebody's query; without a listener its event would end the whole process besides.
    client.on('error', () => undefined);
    await prepareSession(client, kind);
  };
  const config: pg.PoolConfig & { onConnect: typeof onConnect } = {
    ...connectionConfig(options, purpose),
    max,
    onConnect,
  };
  const pool = new pg.Pool(config);
  pool.on('error', () => undefined);
  return pool;
}

/**
 * What is wrong with the server behind a session, each with its remedy; empty when nothing is. `told` gets
 * the Unix milliseconds of its clock.
 */
export async function findProblems(
  client: pg.ClientBase | pg.Pool,
  expected: ClusterId,
  told: (databaseMs: number) => void = () => undefined,
): Promise<DecisionDatabaseUnusable[]> {
  const { rows } = await client.query<SessionState>(SESSION_STATE);
  const state = rows[0] as SessionState;
  told(state.now_ms);
  const problems: DecisionDatabaseUnusable[] = [];
  if (state.standby) problems.push(standby());
  else if (state.read_only) problems.push(readOnly());
  if (state.cluster !== expected) {
    const found = state.cluster ?? 'none';
    problems.push(
      new DecisionDatabaseUnusable(
        'unsupported-server',
        `the connection now leads to another decision database (cluster ${found}, not ${expected}): ` +
          'point the URL back, or restart the coordinator if the move is intended',
      ),
    );
  }
  if (state.fsync !== 'on') problems.push(settingOff('fsync'));
  if (state.full_page_writes !== 'on') problems.push(settingOff('full_page_writes'));
  if (state.unlogged > 0) {
    problems.push(
      new DecisionDatabaseUnusable(
        'unlogged',
        'a table in schema concordat is UNLOGGED, so a crash would empty it: ' +
          'ALTER TABLE … SET LOGGED for each',
      ),
    );
  }
  return problems;
}

export function standby(): DecisionDatabaseUnusable {
  return new DecisionDatabaseUnusable(
    'standby',
    'the decision database is a standby and cannot make anything durable: connect to the primary ' +
      '(several hosts in one URL need target_session_attrs at a proxy), or promote it',
  );
}

/** Somebody wants no writes, for a migration or a full disk: nothing may begin that must be decided. */
export function readOnly(): DecisionDatabaseUnusable {
  return new DecisionDatabaseUnusable(
    'read-only',
    'sessions of the decision database are read-only, so nothing can be decided: take ' +
      'default_transaction_read_only=on back where it was set (ALTER SYSTEM, DATABASE or ROLE … RESET)',
  );
}

export function settingOff(name: 'fsync' | 'full_page_writes'): DecisionDatabaseUnusable {
  return new DecisionDatabaseUnusable(
    name === 'fsync' ? 'fsync-off' : 'full-page-writes-off',
    `the decision database runs with ${name}=off, so a crash can lose or tear decisions that were ` +
      `already carried out: ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf();`,
  );
}
