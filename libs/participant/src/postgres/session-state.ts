/**
 * What a pooled connection was like before a branch: its role and the settings that the service gave its
 * session, by a pool's `connect` hook for instance. Guards "nothing is left behind": a closing branch
 * resets every setting, however it was set, and then puts back what was there before it.
 *
 * The settings are read once per connection, and again after somebody else has borrowed it. Settings of
 * the service's own making (`app.tenant`) are in no list of Postgres': their names are learned from the
 * statements that set them, so a connection is watched from its first one. Behind a transaction pooler
 * the session is not ours to know; there only what a pooler itself keeps for its clients is put back, as
 * it was when the branch began.
 */
import type { Pool, PoolClient } from 'pg';
import type { SettingsToRead } from './branch.sql.js';
import type { FlightRow } from './flight.js';
import { remembered } from './statement-text.js';

/** Settings of a session, by name. */
export type Settings = Readonly<Record<string, string>>;

/** What the server reported of a session when a branch began on it. */
export interface SessionState {
  /** The setting `role`: `none`, or the role that the session took on. */
  readonly role: string;
  /** Who the session belongs to. */
  readonly login: string;
  readonly settings: Settings;
}

/** What is known of a connection, and what has to be read when a branch begins on it. */
export interface Known {
  readonly read?: SettingsToRead;
  readonly settings: Settings;
}

interface Memory {
  /** How often the connection was lent since it was made, by anybody. */
  lent: number;
  /** What `lent` was when a branch last had it. */
  lentToBranch: number;
  /** Whether a transaction pooler is in between; absent until a branch began on it. */
  pooled?: boolean;
  settings?: Settings;
  /** How many names of settings were known when they were read. */
  names?: number;
}

const memories = new WeakMap<PoolClient, Memory>();
const watched = new WeakMap<Pool, Watch>();

interface Watch {
  /** Names of settings that are the service's own. */
  readonly names: Set<string>;
  readonly clients: WeakSet<PoolClient>;
  /** Whether the pool does not report its new connections. */
  silent: boolean;
}

/** Watches from now on who borrows connections of this pool, and what new ones are given. */
export function watchSessions(pool: Pool): void {
  if (watched.has(pool)) return;
  const watch: Watch = { names: new Set(), clients: new WeakSet(), silent: false };
  watched.set(pool, watch);
  // First of all listeners: the service's own may be what gives the session its settings.
  pool.prependListener('connect', (client: PoolClient) => {
    watch.clients.add(client);
    learnNames(client, watch.names);
  });
  pool.on('acquire', (client) => {
    memoryOf(client).lent += 1;
  });
}

/** Whether a connection was made before it was watched: what it was given is unknown. */
export function isStranger(pool: Pool, client: PoolClient): boolean {
  const watch = watched.get(pool);
  return watch !== undefined && !watch.silent && !watch.clients.has(client);
}

/** For a pool that does not report its new connections: all of them are unknown, and are taken. */
export function trustStrangers(pool: Pool): void {
  const watch = watched.get(pool);
  if (watch) watch.silent = true;
}

const SETTING = String.raw`[a-z_][\w$]*(?:\.[a-z_][\w$]*)+`;
const SETS = new RegExp(
  String.raw`\bset\s+(?:session\s+|local\s+)?(${SETTING})|set_config\s*\(\s*'(${SETTING})'`,
  'gi',
);
const IS_SETTING = new RegExp(`^${SETTING}$`, 'i');

/** The settings of a service's own making that a statement sets. */
const settingsSetBy = remembered((text) => ({
  names: [...text.matchAll(SETS)].map(([, one, other]) => (one ?? other ?? '').toLowerCase()),
  byParameter: /set_config/i.test(text),
}));

/** Adds to `names` what the statements of a connection set from now on. */
function learnNames(client: PoolClient, names: Set<string>): void {
  const query = client.query as (...args: unknown[]) => unknown;
  const learning = function (this: unknown, ...args: unknown[]): unknown {
    const [config, values] = args;
    const given = config as { text?: unknown; values?: unknown } | undefined;
    const text = typeof config === 'string' ? config : given?.text;
    if (typeof text === 'string') {
      const sets = settingsSetBy(text);
      for (const name of sets.names) names.add(name);
      const parameters = Array.isArray(values) ? values : given?.values;
      // set_config($1, …): one of its values is a name.
      if (sets.byParameter && Array.isArray(parameters)) {
        for (const value of parameters as unknown[]) {
          if (typeof value === 'string' && IS_SETTING.test(value)) names.add(value.toLowerCase());
        }
      }
    }
    return query.apply(this, args);
  };
  client.query = learning as typeof client.query;
}

/** What is known of a connection that was just borrowed for a branch. */
export function knownOf(pool: Pool, client: PoolClient): Known {
  const memory = memoryOf(client);
  const names = [...(watched.get(pool)?.names ?? [])];
  const ours = memory.lent === memory.lentToBranch + 1 && memory.names === names.length;
  memory.lentToBranch = memory.lent;
  memory.names = names.length;
  if (memory.pooled === true) return { read: { pooled: true }, settings: {} };
  if (ours && memory.settings) return { settings: memory.settings };
  return { read: { pooled: false, names }, settings: {} };
}

/** Keeps what was read of a session, for the next branch on its connection. */
export function remember(
  client: PoolClient,
  read: { readonly backend: number; readonly session?: Settings },
): { readonly pooled: boolean } {
  const memory = memoryOf(client);
  const { processID } = client as unknown as { processID?: number | null };
  memory.pooled = typeof processID === 'number' && processID !== read.backend;
  if (read.session) memory.settings = read.session;
  return { pooled: memory.pooled };
}

function memoryOf(client: PoolClient): Memory {
  let memory = memories.get(client);
  // A pool that does not say whom it lends to leaves `lent` at 0, so that its sessions are always read.
  if (!memory) memories.set(client, (memory = { lent: 0, lentToBranch: 0 }));
  return memory;
}

/** Texts stay texts: what a service registered to parse its own values with has no say here. */
export interface BegunOn {
  readonly backend: number;
  readonly role: string;
  readonly login: string;
  /** What the service gave this session, if it was read. */
  readonly session?: Settings;
  /** What a pooler would keep for it, if it was read. */
  readonly pooled: Settings;
}

/** What BEGIN reported of the session. */
export function begunOf(
  answer: readonly FlightRow[][],
  read?: SettingsToRead,
): BegunOn | undefined {
  const row = answer.at(-1)?.[0];
  if (!row) return undefined;
  const given = answer[1]?.map(({ name, value }) => [name, value ?? ''] as const);
  return {
    backend: Number(row['pid']),
    role: row['role'] ?? 'none',
    login: row['login'] ?? '',
    ...(read?.pooled === false ? { session: Object.fromEntries(given ?? []) as Settings } : {}),
    pooled: row['pooled'] ? (JSON.parse(row['pooled']) as Settings) : {},
  };
}
