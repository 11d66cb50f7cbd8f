/**
 * A process as an author may have it: a data source with an entity, an active record and a subscriber,
 * two participants for two databases, and operations that a test writes on the spot.
 */
import type { ClusterId, TransactionId, Vote } from '@concordat/protocol';
import pg from 'pg';
import {
  BaseEntity,
  Column,
  DataSource,
  Entity,
  EventSubscriber,
  PrimaryColumn,
  type EntitySubscriberInterface,
  type InsertEvent,
  type QueryRunner,
} from 'typeorm';
import {
  createParticipant,
  type Branch,
  type ParticipantOptions,
  type StandaloneParticipant,
} from '../index.js';
import { poolOf } from '../typeorm/data-source-pool.js';
import { ScriptedCoordinator } from './scripted-coordinator.spec-support.js';

export const EAST = 'east';
export const WEST = 'west';
export const CLUSTER = 'besides0' as ClusterId;

@Entity('note')
export class Note extends BaseEntity {
  @PrimaryColumn('text')
  id!: string;

  @Column('text', { default: '' })
  text!: string;
}

/** Lets a test do something when an entity was inserted. */
@EventSubscriber()
export class OnInsert implements EntitySubscriberInterface {
  static then: ((event: InsertEvent<Note>) => Promise<unknown>) | undefined;

  async afterInsert(event: InsertEvent<Note>): Promise<void> {
    await OnInsert.then?.(event);
  }
}

type Work = (branch: Branch) => unknown;

/** The servers of a test; ended with it. */
interface Servers {
  readonly databases: { readonly ledger_east: string; readonly ledger_west: string };
  readonly nats: { readonly url: string };
  dispose(): Promise<void>;
}

export class Besides {
  readonly logged: string[] = [];
  private readonly work: Work[] = [];
  private readonly participants: StandaloneParticipant[] = [];
  east!: StandaloneParticipant;
  west!: StandaloneParticipant;

  private constructor(
    readonly stack: Servers,
    readonly coordinator: ScriptedCoordinator,
    /** The service's own, which the participant east was given. */
    readonly dataSource: DataSource,
    /** The pool of the participant west, whose database is another one. */
    readonly westPool: pg.Pool,
    /** Taken from the data source before anybody guarded it, and kept. */
    readonly kept: { readonly client: pg.PoolClient; readonly runner: QueryRunner },
    /** A look from outside. */
    private readonly looks: readonly pg.Pool[],
  ) {}

  static async open(stack: Servers): Promise<Besides> {
    const { ledger_east: east, ledger_west: west } = stack.databases;
    const looks = [east, west].map((url) => new pg.Pool({ connectionString: url, max: 1 }));
    for (const look of looks) {
      await look.query(`CREATE TABLE note (id text PRIMARY KEY, text text NOT NULL DEFAULT '')`);
    }
    const coordinator = await ScriptedCoordinator.start(stack.nats.url, CLUSTER);
    const dataSource = await dataSourceFor(east).initialize();
    Note.useDataSource(dataSource);
    const westPool = new pg.Pool({ connectionString: west, max: 4 });
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    const kept = { client: await poolOf(dataSource).connect(), runner };
    const besides = new Besides(stack, coordinator, dataSource, westPool, kept, looks);
    besides.east = await besides.participant(EAST, { database: { dataSource } });
    besides.west = await besides.participant(WEST, { database: { pool: westPool } });
    return besides;
  }

  get pool(): pg.Pool {
    return poolOf(this.dataSource);
  }

  async participant(
    name: string,
    options: Pick<ParticipantOptions, 'database'> & Partial<ParticipantOptions>,
  ): Promise<StandaloneParticipant> {
    const write = (line: string): void => void this.logged.push(line);
    const participant = createParticipant({
      name,
      natsUrl: this.stack.nats.url,
      cluster: CLUSTER,
      schema: name,
      log: { log: write, warn: write, error: write },
      sessionsMax: 3,
      operations: [{ name: 'work', run: (_input, branch) => this.work.shift()?.(branch) }],
      ...options,
    });
    this.participants.push(participant);
    await participant.start();
    await participant.ready();
    return participant;
  }

  /** The vote of a branch whose operation does this. */
  async vote(
    work: Work,
    participant = EAST,
    transaction = this.coordinator.begin(),
  ): Promise<Vote> {
    this.work.push(work);
    const operations = [{ name: 'work', input: {} }];
    return (await this.coordinator.prepare(participant, transaction, operations)).vote;
  }

  /** Does this in a branch that votes yes, and finishes it as said. */
  async finished(work: Work, decision: 'commit' | 'abort'): Promise<TransactionId> {
    const transaction = this.coordinator.begin();
    const vote = await this.vote(work, EAST, transaction);
    if (vote.kind !== 'prepared') throw new Error(`no yes: ${JSON.stringify(vote)}`);
    await this.coordinator.finish(EAST, transaction, decision);
    return transaction;
  }

  /** Where a note is, as every session sees it. */
  async placesOf(id: string): Promise<string[]> {
    const found = await Promise.all(
      this.looks.map((look) => look.query('SELECT 1 FROM note WHERE id = $1', [id])),
    );
    return [EAST, WEST].filter((_, i) => found[i]?.rowCount === 1);
  }

  async close(): Promise<void> {
    await Promise.all(this.participants.map((one) => one.stop()));
    await this.coordinator.stop();
    this.kept.client.release();
    await this.dataSource.destroy();
    await Promise.all([this.westPool, ...this.looks].map((pool) => pool.end()));
    await this.stack.dispose();
  }
}

export function dataSourceFor(url: string, more: { slaves?: string[] } = {}): DataSource {
  const { slaves } = more;
  return new DataSource({
    type: 'postgres',
    entities: [Note],
    subscribers: [OnInsert],
    poolSize: 8,
    ...(slaves
      ? { replication: { master: { url }, slaves: slaves.map((one) => ({ url: one })) } }
      : { url }),
  });
}
