/**
 * The one connection on which decisions are made. Whenever the outcome of a statement is in doubt the
 * connection is discarded with it, and the next batch opens a new one and checks it first: the same
 * cluster, a primary, still flushing.
 */
import { RegisterUnknown } from '@concordat/engine';
import type { ClusterId } from '@concordat/protocol';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { connectionConfig, findProblems, prepareSession, type SessionOptions } from '../session.js';
import { awaitedByStandbys } from '../standby-wait.js';
import { unknown } from './unknown.js';

const GOODBYE_MS = 1_000;

export class DecisionConnection {
  private client?: pg.Client;

  constructor(
    private readonly options: SessionOptions,
    private readonly cluster: ClusterId,
  ) {}

  /** Runs a named statement. Errors come through as they are; the caller judges and discards. */
  async query<Row extends pg.QueryResultRow>(
    name: string,
    text: string,
    values: unknown[],
  ): Promise<Row[]> {
    const client = (this.client ??= await this.open());
    const { rows } = await awaitedByStandbys(client, () =>
      client.query<Row>({ name, text, values }),
    );
    return rows;
  }

  /** Drops the connection without waiting for what is still running on it. */
  discard(): void {
    const { client } = this;
    this.client = undefined;
    client?.end().catch(() => undefined);
  }

  /** Says goodbye; a server that does not answer it is left behind after a moment. */
  async close(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    if (!client) return;
    const patience = new AbortController();
    const waited = setTimeout(GOODBYE_MS, undefined, { ref: false, signal: patience.signal });
    await Promise.race([client.end(), waited]);
    patience.abort();
    await waited.catch(() => undefined);
  }

  private async open(): Promise<pg.Client> {
    const client = new pg.Client(connectionConfig(this.options, 'decisions'));
    client.on('error', () => this.forget(client));
    client.on('end', () => this.forget(client));
    try {
      await client.connect();
      await prepareSession(client, 'keyed');
      const [problem] = await findProblems(client, this.cluster);
      if (problem) throw new RegisterUnknown(problem.message, { cause: problem });
      return client;
    } catch (error) {
      client.end().catch(() => undefined);
      throw unknown('connect', error);
    }
  }

  private forget(client: pg.Client): void {
    if (this.client === client) this.client = undefined;
  }
}
