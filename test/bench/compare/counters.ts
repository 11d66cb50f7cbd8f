/** What servers count by themselves: flushes and bytes of Postgres' log, messages of the broker. */
import type { NatsServer, PostgresServer } from '@concordat/testing';
import pg from 'pg';

export interface Counts {
  readonly flushes: number;
  readonly walBytes: number;
  /** Published by clients of the broker. */
  readonly messages: number;
  readonly messageBytes: number;
}

/** Postgres 18 counts flushes with its other I/O; before, they were counted with the log. */
const FLUSHES = {
  before18: 'SELECT wal_sync::float8 AS flushes, wal_bytes::float8 AS bytes FROM pg_stat_wal',
  from18: `SELECT (SELECT sum(fsyncs)::float8 FROM pg_stat_io WHERE object = 'wal') AS flushes,
                  wal_bytes::float8 AS bytes FROM pg_stat_wal`,
};

/**
 * A session reports what it did once a second while it works, and ten seconds after it has become idle: the
 * end of a turn is missing, and the end of what came before it is in it.
 */
export const SETTLED_MS = 11_000;

export class Counters {
  private constructor(
    private readonly session: pg.Client,
    private readonly text: string,
    private readonly monitor: string | undefined,
  ) {}

  /** `monitor`: the broker's own HTTP address, see {@link monitored}. */
  static async open(postgres: PostgresServer, monitor?: string): Promise<Counters> {
    const session = new pg.Client({ connectionString: postgres.url() });
    session.on('error', () => undefined);
    await session.connect();
    const major = Number(postgres.version.split('.')[0]);
    return new Counters(session, major < 18 ? FLUSHES.before18 : FLUSHES.from18, monitor);
  }

  async read(): Promise<Counts> {
    const { rows } = await this.session.query<{ flushes: number; bytes: number }>(this.text);
    const { flushes = Number.NaN, bytes: walBytes = Number.NaN } = rows[0] ?? {};
    if (this.monitor === undefined) return { flushes, walBytes, messages: 0, messageBytes: 0 };
    const answer = await fetch(`${this.monitor}/varz`);
    const varz = (await answer.json()) as { in_msgs: number; in_bytes: number };
    return { flushes, walBytes, messages: varz.in_msgs, messageBytes: varz.in_bytes };
  }

  async close(): Promise<void> {
    await this.session.end();
  }
}

/** The configuration of a broker that serves its monitoring on this port. */
export function monitored(port: number): string {
  return `http: "127.0.0.1:${port}"\n`;
}

export function monitorOf(nats: NatsServer, port: number): string {
  return `http://${nats.host}:${port}`;
}

export function difference(after: Counts, before: Counts): Counts {
  return {
    flushes: after.flushes - before.flushes,
    walBytes: after.walBytes - before.walBytes,
    messages: after.messages - before.messages,
    messageBytes: after.messageBytes - before.messageBytes,
  };
}
