/**
 * What one way of carrying out transactions runs on: servers and processes of its own, so that what they use
 * is its own. Settings of the servers, connections per database and rows are the same in each.
 */
import { resolve } from 'node:path';
import {
  freePort,
  spawnService,
  startNats,
  startPostgres,
  type NatsServer,
  type PostgresServer,
  type Service,
} from '@concordat/testing';
import pg from 'pg';
import { READY } from '../apart/ready.js';
import { assertDurable, type Durability } from '../durable.js';
import { ROOT } from '../root.js';
import { makeKey, startApp } from '../stage.js';
import { Counters, monitored, monitorOf } from './counters.js';
import { CountingProxy } from './counting-proxy.js';
import { POOL } from './pool.js';
import { BALANCE, participantName, ROWS, STOCK, type Through } from './shapes.js';

/** Enough for 128 clients at eight participants in one server. */
const SETTINGS = { max_connections: 900, max_prepared_transactions: 2_000 };

const HAND_TABLES = `
CREATE TABLE hand_outcome (transaction text, branch int, participant text NOT NULL, kind text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (transaction, branch))`;
const HAND_DECISION = `
CREATE TABLE hand_decision (transaction text PRIMARY KEY, decision text NOT NULL, participants jsonb NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT now())`;
const ACCOUNT = `
CREATE TABLE account (id text PRIMARY KEY, balance bigint NOT NULL
  CHECK (balance >= 0) CHECK (balance <= ${Number.MAX_SAFE_INTEGER}))`;
const STOCK_TABLE = `
CREATE TABLE stock (sku text PRIMARY KEY, available int NOT NULL CHECK (available >= 0),
  reserved int NOT NULL DEFAULT 0 CHECK (reserved >= 0))`;
const FILL = {
  typeorm: `INSERT INTO account SELECT 'a' || n, ${BALANCE} FROM generate_series(0, ${ROWS - 1}) n ON CONFLICT DO NOTHING`,
  pg: `INSERT INTO stock SELECT 'a' || n, ${STOCK}, ${STOCK} FROM generate_series(0, ${ROWS - 1}) n ON CONFLICT DO NOTHING`,
} as const;

export interface ArenaOptions {
  readonly participants: number;
  readonly through: readonly Through[];
  readonly coordinators: number;
  /** Whether round trips to Postgres are counted: through relays, nothing is timed then. */
  readonly counting: boolean;
  /** Called with the decision database, as its owner's and as the superuser's, before any service runs. */
  readonly fill?: (owner: string, superuser: string) => Promise<void>;
  /** Where Postgres keeps its data for the next run. */
  readonly dataDir?: string;
  /** More of the environment of a service of Concordat's. */
  readonly envOf?: (name: string) => Record<string, string>;
  /** The checkout whose built services of Concordat's run; this one by default. */
  readonly root?: string;
}

export class Arena {
  readonly services: Service[] = [];
  readonly databases: Record<string, string> = {};
  readonly urls: string[] = [];
  readonly key = makeKey();
  decisions = '';
  durability!: Durability;
  counters!: Counters;
  private readonly relays: { participants?: CountingProxy; register?: CountingProxy } = {};

  private constructor(
    readonly postgres: PostgresServer,
    readonly nats: NatsServer | undefined,
  ) {}

  static async open(kind: 'hand' | 'apart' | 'concordat', options: ArenaOptions): Promise<Arena> {
    const port = await freePort();
    const config = monitored(port);
    const { dataDir } = options;
    const kept = dataDir === undefined ? {} : { dataDir };
    const postgres = await startPostgres({ settings: SETTINGS, ...kept });
    const nats =
      kind === 'hand'
        ? undefined
        : await startNats({ config }).catch(async (error: unknown) => {
            await postgres.dispose();
            throw error;
          });
    const arena = new Arena(postgres, nats);
    try {
      await arena.prepare(options, nats && monitorOf(nats, port));
      if (kind === 'hand') await arena.byHand(options);
      if (kind === 'apart') await arena.apart(options);
      if (kind === 'concordat') await arena.concordat(options);
      return arena;
    } catch (error) {
      await arena.dispose();
      throw error;
    }
  }

  get stack() {
    return { postgres: this.postgres, nats: this.nats };
  }

  /** Round trips to Postgres so far, where they are counted. */
  get trips(): { readonly participants: number; readonly register: number } {
    const { participants, register } = this.relays;
    return { participants: participants?.count ?? 0, register: register?.count ?? 0 };
  }

  async dispose(): Promise<void> {
    await this.counters?.close().catch(() => undefined);
    await Promise.all(this.services.map((one) => one.stop()));
    await Promise.all(Object.values(this.relays).map((one) => one.close()));
    await Promise.all([this.postgres.dispose(), this.nats?.dispose()]);
  }

  private async prepare(options: ArenaOptions, monitor: string | undefined): Promise<void> {
    const { host, port } = this.postgres;
    if (options.counting) {
      this.relays.participants = await CountingProxy.open(host, port);
      this.relays.register = await CountingProxy.open(host, port);
    }
    this.durability = await assertDurable(this.postgres.url());
    this.counters = await Counters.open(this.postgres, monitor);
    const decisions = await this.postgres.createDatabase('concordat');
    await options.fill?.(decisions, this.postgres.url('concordat'));
    this.decisions = this.relays.register?.address(decisions) ?? decisions;
    for (const name of participantsOf(options)) {
      const database = await this.postgres.createDatabase(name.replace('-', '_'));
      this.databases[name] = this.relays.participants?.address(database) ?? database;
    }
  }

  private async byHand(options: ArenaOptions): Promise<void> {
    await sql(this.decisions, HAND_DECISION);
    for (const name of participantsOf(options)) {
      const table = name.startsWith('ledger') ? ACCOUNT : STOCK_TABLE;
      await sql(this.databases[name] ?? '', HAND_TABLES, table);
    }
    await this.fillRows(options);
  }

  private async apart(options: ArenaOptions): Promise<void> {
    const nats = this.nats?.url ?? '';
    const start = async (name: string, file: string, env: Record<string, string>) => {
      const service = await spawnService({
        name,
        args: [resolve(ROOT, 'test/bench/dist/apart', file)],
        env: { PATH: process.env['PATH'], NATS_URL: nats, PARTICIPANT_NAME: name, ...env },
        readyWhen: READY,
      });
      this.services.push(service);
    };
    for (const name of participantsOf(options)) {
      const file = name.startsWith('ledger') ? 'ledger.js' : 'stock.js';
      await start(name, file, { DATABASE_URL: this.databases[name] ?? '' });
    }
    await this.fillRows(options);
    const port = await freePort();
    await start('gateway', 'gateway.js', { PORT: String(port), KEY: this.key.key });
    this.urls.push(`http://127.0.0.1:${port}`);
  }

  private async concordat(options: ArenaOptions): Promise<void> {
    if (!this.nats) throw new Error('Concordat needs a broker');
    const stack = { nats: this.nats };
    const start = (name: string, app: string, env: Record<string, string>) =>
      startApp(stack, name, app, { ...env, ...options.envOf?.(name) }, options.root);
    for (let index = 1; index <= options.coordinators; index++) {
      const name = index === 1 ? 'coordinator' : `coordinator-${index}`;
      const { service, url } = await start(name, 'coordinator', {
        DATABASE_URL: this.decisions,
        CONCORDAT_CLIENT_KEY_SHA256: this.key.sha256,
        CONCORDAT_BEGINS_PER_SECOND_PER_KEY: '1000000', // One client is all of the load.
        LOG_LEVEL: 'warn',
      });
      this.services.push(service);
      this.urls.push(url);
    }
    for (const name of participantsOf(options)) {
      const app = name.startsWith('ledger') ? 'ledger' : 'inventory';
      const { service } = await start(name, app, {
        PARTICIPANT_NAME: name,
        DATABASE_URL: this.databases[name] ?? '',
        CONCORDAT_SESSIONS_MAX: String(POOL),
      });
      this.services.push(service);
    }
    await this.fillRows(options);
  }

  private async fillRows(options: ArenaOptions): Promise<void> {
    for (const name of participantsOf(options)) {
      const through = name.startsWith('ledger') ? 'typeorm' : 'pg';
      const table = through === 'typeorm' ? 'account' : 'stock';
      await sql(this.databases[name] ?? '', FILL[through], `ANALYZE ${table}`);
    }
  }
}

function participantsOf({ participants, through }: ArenaOptions): string[] {
  return through.flatMap((one) =>
    Array.from({ length: participants }, (_, index) => participantName(one, index)),
  );
}

async function sql(connectionString: string, ...texts: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}
