/**
 * A stage for reconciliation: a real register, a real broker, a coordinator's engine on both, and real
 * participants whose own recovery is delayed, so that what is to be found stays to be found. With a DBA's
 * connection to every database.
 */
import {
  connectChannel,
  NatsCoordinatorChannel,
  NatsParticipantChannel,
  serveCoordinator,
  SystemClock,
  SystemEntropy,
} from '@concordat/channel';
import { openDecisionLog, type DecisionLog } from '@concordat/decision-log';
import {
  Liveness,
  OrphanSettler,
  Reconciler,
  TransactionManager,
  type ParticipantInspector,
} from '@concordat/engine';
import { createParticipant, type StandaloneParticipant } from '@concordat/participant';
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type BranchId,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { startNats, startPostgres, type NatsServer, type PostgresServer } from '@concordat/testing';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { gate } from './channel-stage.js';

export const FIRST: BranchId = makeBranchId(1);
const HOUR = 3_600_000;
const clock = new SystemClock();

export type Gate = ReturnType<typeof gate<void>>;

/** A coordinator's engine, in this process. */
export interface Coordinator {
  readonly incarnation: Incarnation;
  readonly manager: TransactionManager;
  readonly reconciler: Reconciler;
  readonly settler: OrphanSettler;
  readonly log: DecisionLog;
  readonly channel: NatsParticipantChannel;
}

export class ReconciliationStage {
  private readonly closers: (() => Promise<unknown>)[] = [];
  private readonly databases = new Map<string, pg.Pool>();
  /** Operations called `wait` go on when this opens. */
  hold: Gate = gate();
  /** Answers to questions about single branches are lost. */
  losesFates = false;

  private constructor(
    readonly postgres: PostgresServer,
    readonly nats: NatsServer,
  ) {}

  static async open(): Promise<ReconciliationStage> {
    const settings = { fsync: 'on', max_prepared_transactions: 200 };
    const [postgres, nats] = await Promise.all([startPostgres({ settings }), startNats()]);
    return new ReconciliationStage(postgres, nats);
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close();
    for (const pool of this.databases.values()) await pool.end();
    await this.nats.dispose();
    await this.postgres.dispose();
  }

  async coordinator(
    { bornMsAgo = 24 * HOUR, pagesMax = 20 } = {} as { bornMsAgo?: number; pagesMax?: number },
  ): Promise<Coordinator> {
    const incarnation: Incarnation = tokenFrom(randomBytes(8));
    const url = await this.postgres.createDatabase('register', 'coordinator');
    const log = await openDecisionLog({ url, clock });
    await this.bearCluster(bornMsAgo);
    const { register, historyWriter, history } = log;
    const cluster = log.clusterId;
    await register.heartbeat({ incarnation });
    const name = `coordinator ${incarnation}`;
    const connection = await connectChannel({ servers: this.nats.url, name });
    const channel = new NatsParticipantChannel(connection, { cluster, incarnation });
    const asker = { coordinator: incarnation };
    const coordinators = new NatsCoordinatorChannel(connection, { cluster, asker });
    const liveness = new Liveness(coordinators, incarnation);
    const entropy = new SystemEntropy();
    const manager = new TransactionManager(
      { register, channel, liveness, historyWriter, history, clock, entropy },
      { incarnation, cluster },
    );
    const served = await serveCoordinator(connection, {
      cluster,
      incarnation,
      handlers: {
        inquire: (inquiry) => manager.inquire(inquiry),
        reportHeuristic: (report) => manager.recordReported(report),
        enlist: (enlistment) => manager.enlist(enlistment),
        isLive: (id) => manager.isLive(id),
        lowWaterMark: () => register.lowWaterMark(),
      },
    });
    const reconciler = new Reconciler(
      { inspector: this.losing(channel), store: log.reconciliation, manager, liveness, clock },
      { cluster, incarnation, periodMs: HOUR, graceMs: 0, pagesMax },
    );
    const settler = new OrphanSettler({ manager, channel }, { incarnation, waitMs: 2_000 });
    this.closers.push(async () => {
      await reconciler.stop();
      await manager.drain(0);
      await served.stop(100);
      await connection.close();
      await log.close();
    });
    return { incarnation, manager, reconciler, settler, log, channel };
  }

  /** The channel, with answers that get lost while this stage says so. */
  private losing(channel: NatsParticipantChannel): ParticipantInspector {
    return {
      roll: () => channel.roll(),
      look: async (participant, question) => {
        const answer = await channel.look(participant, question);
        const isLost = this.losesFates && question.gids !== undefined;
        return isLost ? { kind: 'no-answer', why: 'the answer was lost' } : answer;
      },
    };
  }

  /** A participant with the operations `write` and `wait`; its own recovery waits for an hour. */
  async participant(name: string, { log }: Coordinator): Promise<StandaloneParticipant> {
    const url = await this.postgres.createDatabase(databaseOf(name), name);
    const write = async (_input: unknown, branch: { readonly client: unknown }): Promise<null> => {
      await (branch.client as pg.ClientBase).query('INSERT INTO work VALUES (1)');
      return null;
    };
    await this.sql(name, 'CREATE TABLE IF NOT EXISTS work (n int)');
    await this.sql(name, 'GRANT ALL ON work TO PUBLIC');
    const participant = createParticipant({
      name,
      natsUrl: this.nats.url,
      cluster: log.clusterId,
      database: { url },
      graceMs: HOUR,
      resolvePeriodMs: HOUR,
      drainMs: 100,
      operations: [
        { name: 'write', run: write },
        {
          name: 'wait',
          run: async (input, branch) => {
            await this.hold.opened;
            return write(input, branch);
          },
        },
      ],
    });
    await participant.start();
    await participant.ready();
    this.closers.push(() => participant.stop());
    return participant;
  }

  /** A statement of a DBA at a participant's database, or at the register. */
  async sql<Row extends pg.QueryResultRow>(
    where: string,
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    const name = where === 'register' ? 'register' : databaseOf(where);
    let pool = this.databases.get(name);
    if (!pool) {
      pool = new pg.Pool({ connectionString: this.postgres.url(name), max: 2 });
      this.databases.set(name, pool);
    }
    return (await pool.query<Row>(text, values)).rows;
  }

  /** A branch prepared in a participant's database, as its service would have left it. */
  async prepared(
    { log }: Coordinator,
    participant: string,
    { owner = 'deadown1', madeMsAgo = 60_000 }: { owner?: string; madeMsAgo?: number } = {},
  ): Promise<{
    gid: string;
    transaction: TransactionId;
    branch: BranchId;
    participant: ParticipantName;
  }> {
    const transaction = makeTransactionId(
      Date.now() - madeMsAgo,
      randomBytes(10),
      owner as Incarnation,
    );
    const gid = formatGid({ cluster: log.clusterId, transaction, branch: FIRST });
    const client = new pg.Client({
      connectionString: this.postgres.url(databaseOf(participant), participant),
    });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('INSERT INTO work VALUES (1)');
      await client.query(outcomeRow, [transaction, participant]);
      await client.query(`PREPARE TRANSACTION '${gid}'`);
    } finally {
      await client.end();
    }
    return { gid, transaction, branch: FIRST, participant: participant as ParticipantName };
  }

  async commitByHand(participant: string, gid: string): Promise<void> {
    await this.sql(participant, `COMMIT PREPARED '${gid}'`);
  }

  async heuristics(): Promise<{ transaction: string; participant: string; found: string }[]> {
    return this.sql(
      'register',
      `SELECT transaction, participant, evidence->>'found' AS found FROM concordat.heuristic
        ORDER BY transaction`,
    );
  }

  async decisionOf(transaction: TransactionId): Promise<string | undefined> {
    const [row] = await this.sql<{ decision: string }>(
      'register',
      'SELECT decision FROM concordat.decision WHERE transaction = $1',
      [transaction],
    );
    return row?.decision;
  }

  /** The cluster as if it had been made earlier: its id is as old as its first transactions. */
  private async bearCluster(msAgo: number): Promise<void> {
    await this.sql('register', 'ALTER TABLE concordat.cluster DISABLE TRIGGER cluster_stands');
    await this.sql(
      'register',
      `UPDATE concordat.cluster SET created_at = now() - $1::float8 * interval '1 ms'`,
      [msAgo],
    );
    await this.sql(
      'register',
      'ALTER TABLE concordat.cluster ENABLE ALWAYS TRIGGER cluster_stands',
    );
  }
}

const outcomeRow = `INSERT INTO concordat_branch (transaction, branch, participant, kind)
  VALUES ($1, 1, $2, 'branch')`;

const databaseOf = (name: string): string => name.replace('-', '_');
