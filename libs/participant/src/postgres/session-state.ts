/**
 * What a pooled connection was like before a branch: its role and the settings that the service gave its
 * session, by a pool's `connect` hook for instance. Guards "nothing is left behind": a closing branch
 * resets every setting, whatever set it, and then puts back what was there before it.
 *
 * The settings are read once per connection, and again after somebody else has borrowed it. Behind a
 * transaction pooler the session is not ours to know; there only what a pooler itself keeps for its
 * clients is put back, as it was when the branch began.
 */
import type { Pool, PoolClient } from 'pg';
import type { SettingsToRead } from './branch.sql.js';

/** Settings of a session, by name. */
export type Settings = Readonly<Record<string, string>>;

/** What the server said of a session when a branch began on it. */
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
  /** Whether a transaction pooler lies in between; absent until a branch began on it. */
  pooled?: boolean;
  settings?: Settings;
}

const memories = new WeakMap<PoolClient, Memory>();
const watched = new WeakSet<Pool>();

/** Counts from now on who borrows connections of this pool. */
export function watchBorrowers(pool: Pool): void {
  if (watched.has(pool)) return;
  watched.add(pool);
  pool.on('acquire', (client) => {
    memoryOf(client).lent += 1;
  });
}

/** What is known of a connection that was just borrowed for a branch. */
export function knownOf(client: PoolClient): Known {
  const memory = memoryOf(client);
  const ours = memory.lent === memory.lentToBranch + 1;
  memory.lentToBranch = memory.lent;
  if (memory.pooled === true) return { read: 'pooled', settings: {} };
  if (ours && memory.settings) return { settings: memory.settings };
  return { read: 'all', settings: {} };
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
