// Everything a test of a whole system needs, in one call: a Postgres with a database for the
// coordinator and one for each example service, each owned by a role of its own, and a NATS server.
// One Postgres server holds them all; the branches still commit apart, since a transaction belongs to
// one database.

import { startNats, type NatsOptions, type NatsServer } from '../nats/nats-server.js';
import {
  startPostgres,
  type PostgresOptions,
  type PostgresServer,
} from '../postgres/postgres-server.js';

export const STACK_DATABASES = ['concordat', 'ledger_east', 'ledger_west', 'inventory'] as const;
export type StackDatabase = (typeof STACK_DATABASES)[number];

export interface StackOptions {
  readonly postgres?: PostgresOptions;
  readonly nats?: NatsOptions;
  readonly log?: (line: string) => void;
}

/** Starts both servers; when one fails, the other is disposed of before the error is thrown. */
export async function embeddedStack(options: StackOptions = {}): Promise<TestStack> {
  const { postgres = {}, nats = {}, log } = options;
  const [database, broker] = await Promise.allSettled([
    startPostgres({ log, ...postgres, databases: STACK_DATABASES }),
    startNats({ log, ...nats }),
  ]);
  if (database.status === 'fulfilled' && broker.status === 'fulfilled') {
    return new TestStack(database.value, broker.value, urlsOf(database.value));
  }
  if (database.status === 'fulfilled') await database.value.dispose();
  if (broker.status === 'fulfilled') await broker.value.dispose();
  const failed = database.status === 'rejected' ? database : (broker as PromiseRejectedResult);
  throw failed.reason;
}

export class TestStack {
  /** Use `embeddedStack`. */
  constructor(
    readonly postgres: PostgresServer,
    readonly nats: NatsServer,
    /** The address of each database, for the role that owns it. */
    readonly databases: Readonly<Record<StackDatabase, string>>,
  ) {}

  /** Ends both servers and removes their data. */
  async dispose(): Promise<void> {
    await Promise.all([this.postgres.dispose(), this.nats.dispose()]);
  }
}

function urlsOf(server: PostgresServer): Record<StackDatabase, string> {
  const urls = STACK_DATABASES.map((name) => [name, server.url(name, name)]);
  return Object.fromEntries(urls) as Record<StackDatabase, string>;
}
