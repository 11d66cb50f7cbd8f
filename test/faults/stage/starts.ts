/**
 * Starts of a participant and of a coordinator through a proxy of their own, each on a ground of its own,
 * so that many can be cut off side by side: a participant in its own schema and cluster, a coordinator
 * in its own database.
 */
import { createParticipant, type StandaloneParticipant } from '@concordat/participant';
import type { ClusterId } from '@concordat/protocol';
import { resolve } from 'node:path';
import { embeddedStack, spawnService, type TestStack } from '@concordat/testing';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { readCoordinatorConfig } from '../../../apps/coordinator/src/platform/coordinator.config.js';
import { startCoordinator, type RunningCoordinator } from '../../../apps/coordinator/src/serve.js';
import type { Frame } from '../proxy/frame.js';
import { POSTGRES } from '../proxy/postgres-frames.js';
import type { Rule } from '../proxy/rule.js';
import { startProxy, type TcpProxy } from '../proxy/tcp-proxy.js';

const WAIT_MS = 30_000;
const PARTICIPANT = resolve(import.meta.dirname, 'starting-participant.mjs');

/** Everything that asks the server for something: a connection, a statement, the end of a pipeline. */
export const asking = ({ from, kind }: Frame): boolean =>
  from === 'client' && ['startup', 'Q', 'S'].includes(kind);

/** Where one start happens. */
export interface Ground {
  readonly proxy: TcpProxy;
  /** Of the participant, and of its sessions at the server. */
  readonly name: string;
  readonly cluster: ClusterId;
  readonly schema: string;
  /** What it said while it started. */
  readonly said: string[];
  /** Another database than the stage's. */
  readonly url?: string;
}

export class Starts {
  private grounds = 0;

  private constructor(
    readonly stack: TestStack,
    readonly dba: pg.Pool,
  ) {}

  static async open(): Promise<Starts> {
    Logger.overrideLogger(false); // Coordinators that start say much.
    const stack = await embeddedStack();
    const dba = new pg.Pool({ connectionString: stack.postgres.url('ledger_east'), max: 4 });
    dba.on('error', () => undefined);
    await dba.query('GRANT CREATE ON DATABASE ledger_east TO ledger_east');
    return new Starts(stack, dba);
  }

  async dispose(): Promise<void> {
    await this.dba.end();
    await this.stack.dispose();
  }

  async ground(): Promise<Ground> {
    this.grounds += 1;
    const number = String(this.grounds).padStart(4, '0');
    const proxy = await startProxy(POSTGRES, `start ${number}`);
    return {
      proxy,
      name: `starter-${number}`,
      cluster: `cut0${number}` as ClusterId,
      schema: `start_${number}`,
      said: [],
    };
  }

  /** Starts a participant on a ground; resolves once it listens. */
  async participant(ground: Ground): Promise<StandaloneParticipant> {
    const say = (line: string): void => void ground.said.push(line);
    const participant = createParticipant({
      ...this.optionsOf(ground),
      operations: [{ name: 'nothing', run: () => undefined }],
      log: { log: say, warn: say, error: say },
    });
    try {
      await participant.start();
      await participant.ready();
      return participant;
    } catch (error) {
      await participant.stop();
      throw error;
    }
  }

  /** Looks at what has started on a ground, and ends both. */
  async on(
    { proxy }: Ground,
    starting: Promise<{ stop(): Promise<void> }>,
    look: () => Promise<void>,
  ): Promise<void> {
    try {
      const started = await starting;
      try {
        await look();
      } finally {
        await started.stop();
      }
    } finally {
      await proxy.close();
    }
  }

  /** Starts one as a process of its own, and kills it once the rule has caught it. */
  async killedAt(ground: Ground, rule: Rule): Promise<void> {
    const service = await spawnService({
      name: ground.name,
      args: [PARTICIPANT, JSON.stringify(this.optionsOf(ground))],
      readyWhen: () => rule.hits > 0,
    });
    service.kill('SIGKILL');
    await service.exited;
  }

  private optionsOf({ proxy, name, cluster, schema, url }: Ground) {
    return {
      name,
      natsUrl: this.stack.nats.url,
      cluster,
      schema,
      database: { url: proxy.inFrontOf(url ?? this.stack.databases.ledger_east) },
      databaseWaitMs: WAIT_MS,
      resolvePeriodMs: 3_600_000,
    };
  }

  /** Sessions that the server still has of a ground's participants. */
  async sessions({ name }: Ground): Promise<number> {
    const text = 'SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = $1';
    const { rows } = await this.dba.query<{ count: number }>(text, [name]);
    return rows[0]?.count ?? 0;
  }

  /** What is prepared of a ground's cluster. */
  async prepared({ cluster }: Ground): Promise<string[]> {
    const text = 'SELECT gid FROM pg_prepared_xacts WHERE starts_with(gid, $1)';
    const { rows } = await this.dba.query<{ gid: string }>(text, [`cc:${cluster}:`]);
    return rows.map(({ gid }) => gid);
  }

  /** Starts a coordinator on a database of its own, through a ground's proxy; resolves once it is ready. */
  async coordinator({ proxy, schema }: Ground): Promise<RunningCoordinator> {
    const url = await this.stack.postgres.createDatabase(schema);
    return startCoordinator(
      readCoordinatorConfig({
        DATABASE_URL: proxy.inFrontOf(url),
        NATS_URL: this.stack.nats.url,
        PORT: '0',
        CONCORDAT_START_WAIT_MS: String(WAIT_MS),
        CONCORDAT_CLIENT_KEY_SHA256: 'a'.repeat(64),
      }),
    );
  }
}

/** Runs `task` for each item, a few at a time; rejects with the first failure, named by its item. */
export async function eachOf<T>(items: readonly T[], task: (item: T) => Promise<void>) {
  const width = 6;
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await task(item);
      } catch (error) {
        throw new Error(`${JSON.stringify(item)}: ${String(error)}`, { cause: error });
      }
    }
  };
  // All lanes end before a failure is passed on: nothing of this call runs on behind its back.
  const ended = await Promise.allSettled(Array.from({ length: width }, lane));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}
