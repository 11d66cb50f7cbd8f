/** Which services a development stack has beside its servers and coordinators. */
import type { ConcordatClient } from '@concordat/client';
import type { DevConfig, PortRole } from '../cli.config.js';
import type { DevKeys } from './keys.js';
import type { Progress } from './progress.js';
import type { DevServers } from './servers.js';
import type { ServiceSpec } from './services.js';

export interface Topology {
  /** The first line of a start. */
  readonly title: string;
  /** One for each service that has one. */
  readonly databases: readonly string[];
  /** The ports that its services listen on. */
  readonly ports: readonly PortRole[];
  participants(config: DevConfig, servers: DevServers, keys: DevKeys): readonly ServiceSpec[];
  /** Runs one transaction, and says what became of it. Rejects when it did not commit. */
  first(client: ConcordatClient, config: DevConfig, progress: Progress): Promise<void>;
  /** What to try next, for a person; the last lines before "Ready". */
  hints(config: DevConfig): readonly string[];
}

/** The address of a database that {@link Topology.databases} names. */
export function databaseOf({ databases }: DevServers, name: string): string {
  const url = databases[name];
  if (url === undefined) throw new Error(`the stack has made no database ${name}`);
  return url;
}
