/**
 * The check at open: refuses a decision database that could forget. Guards protocol §3, last line.
 * It looks at the session as the server gives it, before anything of ours is set, so that a default
 * of the role or of the database is seen too.
 */
import pg from 'pg';
import { DecisionDatabaseUnusable } from './refusals.js';
import { connectionConfig, readOnly, settingOff, standby, type SessionOptions } from './session.js';
import { SERVER_STATE, SERVER_VERSION } from './session.sql.js';
import { unreachable } from './unreachable.js';

const OLDEST = 150_000;

interface ServerState {
  readonly standby: boolean;
  readonly read_only: boolean;
  readonly database: string;
  readonly role: string;
  readonly encoding: string;
  readonly settings: Readonly<Record<string, { setting: string; source: string }>>;
}

export interface Server {
  /** e.g. `PostgreSQL 18.4`. */
  readonly version: string;
}

/** Resolves with what the server is, or rejects with {@link DecisionDatabaseUnusable}. */
export async function checkServer(options: SessionOptions): Promise<Server> {
  const client = new pg.Client(connectionConfig(options, 'preflight'));
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw unreachable(options.url, error); // With any cause: no start goes on without it.
  }
  try {
    const version = await checkVersion(client);
    const { rows } = await client.query<ServerState>(SERVER_STATE);
    checkState(rows[0] as ServerState);
    return { version };
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function checkVersion(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ version: string; number: number }>(SERVER_VERSION);
  const { version = '', number = 0 } = rows[0] ?? {};
  return judgeVersion(version, number);
}

/** The short name of a server that can keep decisions; look-alikes and old ones are refused. */
export function judgeVersion(version: string, number: number): string {
  const short = /^PostgreSQL [\d.]+(beta|rc|devel)?\d*/.exec(version)?.[0];
  if (!short || /cockroach|-YB-|yugabyte/i.test(version) || number < OLDEST) {
    throw new DecisionDatabaseUnusable(
      'unsupported-server',
      `the decision database is "${version}"; decisions are kept on PostgreSQL 15 or newer ` +
        '(tested up to 18): use such a server',
    );
  }
  return short;
}

function checkState(state: ServerState): void {
  if (state.standby) throw standby();
  if (state.read_only) throw readOnly();
  if (state.settings['fsync']?.setting !== 'on') throw settingOff('fsync');
  if (state.settings['full_page_writes']?.setting !== 'on') throw settingOff('full_page_writes');
  const commit = state.settings['synchronous_commit'];
  if (commit?.setting === 'off') {
    throw new DecisionDatabaseUnusable(
      'synchronous-commit-off',
      'the decision database has synchronous_commit=off as a default, which loses decisions in a ' +
        `crash: ${remedyFor(commit.source, state)}`,
    );
  }
  if (state.encoding !== 'UTF8') {
    throw new DecisionDatabaseUnusable(
      'not-utf8',
      `the decision database is encoded in ${state.encoding}, which cannot hold every label and ` +
        "answer: create one with ENCODING 'UTF8' TEMPLATE template0",
    );
  }
}

/** The origin of the default decides which role has to change it. */
function remedyFor(source: string, { role, database }: ServerState): string {
  const [quotedRole, quotedDatabase] = [role, database].map(pg.escapeIdentifier);
  switch (source) {
    case 'user':
      return `ALTER ROLE ${quotedRole} RESET synchronous_commit;`;
    case 'database':
      return `ALTER DATABASE ${quotedDatabase} RESET synchronous_commit;`;
    case 'database user':
      return `ALTER ROLE ${quotedRole} IN DATABASE ${quotedDatabase} RESET synchronous_commit;`;
    case 'client':
      return 'take it out of the options in the connection URL';
    default:
      return 'ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();';
  }
}
