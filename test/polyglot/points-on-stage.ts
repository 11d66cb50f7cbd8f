/**
 * The script beside this as a process of a test, with a database of its own, and a listener for what it
 * sends. It listens to answers only: a listener to a command counts as a receiver of it.
 */
import { resolve } from 'node:path';
import { spawnService, waitFor, type Service } from '@concordat/testing';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { NATS } from '../faults/proxy/nats-frames.js';
import { startProxy, type TcpProxy } from '../faults/proxy/tcp-proxy.js';
import type { Json, Product } from '../stage/product.js';

export interface Said {
  readonly subject: string;
  readonly message: Json;
}

export class PointsOnStage {
  /** Everything the participant ever answered, and what it was answered when it asked. */
  readonly said: Said[] = [];
  private running!: Service;
  private tokens = 0;

  private constructor(
    private readonly product: Product,
    private readonly databaseUrl: string,
    private readonly ear: NatsConnection,
    /** Between it and the broker. */
    readonly wire: TcpProxy,
  ) {}

  static async start(product: Product): Promise<PointsOnStage> {
    const { postgres, nats } = product.stack;
    const again = { maxReconnectAttempts: -1, reconnectTimeWait: 100 };
    const ear = await connect({ servers: nats.url, ...again });
    const wire = await startProxy(NATS, 'points, broker');
    const points = new PointsOnStage(product, await postgres.createDatabase('points'), ear, wire);
    for (const subject of ['coord.points.>', 'p.points.>']) {
      const callback = (
        _error: unknown,
        { subject: at, data }: { subject: string; data: Uint8Array },
      ) => {
        const text = new TextDecoder().decode(data);
        if (text !== '') points.said.push({ subject: at, message: JSON.parse(text) as Json });
      };
      ear.subscribe(`concordat.*.v1.reply.${subject}`, { callback });
    }
    try {
      await points.startProcess();
    } catch (error) {
      await ear.close();
      await wire.close();
      throw error;
    }
    return points;
  }

  get process(): Service {
    return this.running;
  }

  async startProcess(): Promise<void> {
    this.running = await spawnService({
      name: 'points',
      args: [resolve(import.meta.dirname, 'participant.mjs')],
      env: {
        PATH: process.env['PATH'],
        NATS_URL: this.wire.inFrontOf(this.product.stack.nats.url),
        DATABASE_URL: this.databaseUrl,
        PARTICIPANT_NAME: 'points',
      },
      readyWhen: 'is ready',
    });
  }

  async kill(): Promise<void> {
    this.running.kill('SIGKILL');
    await this.running.exited;
  }

  async dispose(): Promise<void> {
    await this.ear.close();
    await this.running.stop();
    await this.wire.close();
  }

  /** Runs SQL in its database, as its owner. */
  async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return onConnection(
      this.databaseUrl,
      async (client) => (await client.query<Row>(text, values)).rows,
    );
  }

  async balance(customer: string): Promise<number> {
    const rows = await this.sql<{ points: string }>(
      'SELECT points FROM points WHERE customer = $1',
      [customer],
    );
    return Number(rows[0]?.points ?? 0);
  }

  /** Keeps every customer's points locked until it is released. */
  hold(): Promise<() => Promise<void>> {
    return hold(this.databaseUrl, 'points');
  }

  /** Waits until this many of its statements wait for a lock. */
  async untilHanging(count: number): Promise<void> {
    const text = `SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await waitFor(async () => (await this.sql(text)).length === count, {
      what: `${count} statements of points to wait for a lock`,
    });
  }

  /** The kind of the outcome row that a transaction left, if it left one. */
  async outcomeRow(transaction: string): Promise<string | undefined> {
    const text = 'SELECT kind FROM concordat_branch WHERE transaction = $1';
    return (await this.sql<{ kind: string }>(text, [transaction]))[0]?.kind;
  }

  /** One command as a coordinator would send it; resolves with the answer. */
  async command(verb: string, fields: Record<string, unknown>, timeoutMs = 20_000): Promise<Json> {
    const reply = `concordat.${await this.cluster()}.v1.reply.coord.points.0perat0r.${this.token()}`;
    await this.publish(verb, fields, reply);
    const answer = await waitFor(() => this.said.find(({ subject }) => subject === reply), {
      what: `points to answer ${verb}`,
      timeoutMs,
    });
    return answer.message;
  }

  async publish(verb: string, fields: Record<string, unknown>, reply: string): Promise<void> {
    const cluster = await this.cluster();
    const body = { v: 1, type: verb, cluster, participant: 'points', epoch: '0perat0r', ...fields };
    this.ear.publish(`concordat.${cluster}.v1.cmd.points.${verb}`, JSON.stringify(body), { reply });
    await this.ear.flush();
  }

  cluster(): Promise<string> {
    return this.product.cluster();
  }

  private token(): string {
    this.tokens += 1;
    return `asked${String(this.tokens).padStart(6, '0')}`;
  }
}

async function onConnection<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Keeps every row of a table locked until it is released: a writer of one waits. */
async function hold(url: string, table: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN');
  await client.query(`SELECT 1 FROM ${table} FOR UPDATE`);
  return () => client.end();
}

/** Lets no branch of ledger-east come to a vote until it is released. */
export function holdLedger(product: Product): Promise<() => Promise<void>> {
  return hold(product.stack.databases.ledger_east, 'account');
}
