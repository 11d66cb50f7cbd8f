/**
 * Several participants in one Nest application, each with a database of its own, on a real Postgres
 * and a real broker: what belongs to which, and what is refused because it does not say.
 */
import {
  Controller,
  Injectable,
  Module,
  Param,
  Post,
  type INestApplication,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import type { ClusterId, TransactionId } from '@concordat/protocol';
import type { Clock } from '@concordat/engine';
import { embeddedStack, type TestStack } from '@concordat/testing';
import pg from 'pg';
import { Column, Entity, PrimaryColumn, type DataSource, type Repository } from 'typeorm';
import {
  BranchContext,
  BranchRunner,
  InjectBranchContext,
  InjectBranchRepository,
  InjectBranchRunner,
  InjectParticipantHost,
  JoinTransaction,
  JoinTransactionInterceptor,
  Operation,
  Participant,
  ParticipantHost,
  ParticipantModule,
  SystemClock,
  VoteNo,
  currentBranch,
  participantToken,
  type ParticipantModuleFactoryOptions,
} from '../index.js';
import { ScriptedCoordinator } from './scripted-coordinator.spec-support.js';

const CLUSTER = 'severals' as ClusterId;
const EAST = 'shard-east';
const WEST = 'shard-west';
const BOTH = [EAST, WEST] as const;
type Shard = (typeof BOTH)[number];

@Entity('shard_note')
class ShardNote {
  @PrimaryColumn('text')
  id!: string;

  @Column('text')
  shard!: string;
}

interface Input {
  readonly id: string;
}

abstract class Shards {
  protected abstract readonly notes: Repository<ShardNote>;
  protected abstract readonly branch: BranchContext;

  @Operation('write')
  async write({ id }: Input): Promise<object> {
    await this.notes.insert({ id, shard: this.branch.participant });
    return { shard: this.branch.participant };
  }
}

@Participant(EAST)
class EasternShard extends Shards {
  constructor(
    @InjectBranchRepository(ShardNote, EAST) protected readonly notes: Repository<ShardNote>,
    @InjectBranchRepository(ShardNote, WEST) private readonly western: Repository<ShardNote>,
    @InjectBranchContext(EAST) protected readonly branch: BranchContext,
    @InjectBranchContext(WEST) private readonly elsewhere: BranchContext,
  ) {
    super();
  }

  @Operation('write-in-the-wrong-place')
  async writeInTheWrongPlace({ id }: Input): Promise<void> {
    await this.western.insert({ id, shard: 'wrong' });
  }

  @Operation('look')
  look(): object {
    return { here: this.branch.active, elsewhere: this.elsewhere.active };
  }
}

@Participant(WEST)
class WesternShard extends Shards {
  constructor(
    @InjectBranchRepository(ShardNote, WEST) protected readonly notes: Repository<ShardNote>,
    protected readonly branch: BranchContext,
  ) {
    super();
  }
}

@Injectable()
class Hosts {
  constructor(
    @InjectParticipantHost(EAST) readonly east: ParticipantHost,
    @InjectParticipantHost(WEST) readonly west: ParticipantHost,
    @InjectBranchRunner(WEST) readonly runner: BranchRunner,
  ) {}
}

@Controller()
class Calls {
  constructor(
    @InjectBranchRepository(ShardNote, WEST) private readonly notes: Repository<ShardNote>,
  ) {}

  @Post('west/:id')
  @JoinTransaction({ participant: WEST })
  async west(@Param('id') id: string): Promise<object> {
    await this.notes.insert({ id, shard: 'called' });
    return { participant: currentBranch().participant };
  }
}

@Controller('bound')
@JoinTransaction({ participant: EAST, required: true })
class BoundTwice {
  @Post(':id')
  @JoinTransaction({ participant: EAST })
  async run(@Param('id') id: string): Promise<object> {
    const { client, participant } = currentBranch();
    if (id === 'refused') throw new VoteNo('NOT_TODAY', { id });
    await client.query('INSERT INTO shard_note VALUES ($1, $2)', [id, participant]);
    return { participant };
  }
}

@Controller('anywhere')
class Anywhere {
  @Post()
  run(): object {
    return { participant: currentBranch().participant };
  }
}

let stack: TestStack;
let coordinator: ScriptedCoordinator;
let databases: Readonly<Record<Shard, { readonly url: string; readonly pool: pg.Pool }>>;

beforeAll(async () => {
  stack = await embeddedStack();
  const open = async (url: string) => {
    const pool = new pg.Pool({ connectionString: url, max: 6 });
    await pool.query('CREATE TABLE shard_note (id text PRIMARY KEY, shard text NOT NULL)');
    return { url, pool };
  };
  const { ledger_east, ledger_west } = stack.databases;
  databases = { [EAST]: await open(ledger_east), [WEST]: await open(ledger_west) };
  coordinator = await ScriptedCoordinator.start(stack.nats.url, CLUSTER);
}, 90_000);

afterAll(async () => {
  await coordinator.stop();
  await Promise.all(BOTH.map((shard) => databases[shard].pool.end()));
  await stack.dispose();
});

const common = () => ({ natsUrl: stack.nats.url, cluster: CLUSTER, graceMs: 100, drainMs: 500 });

/** A participant on the test's own pool. */
const onPool = (name: Shard, more: Partial<ParticipantModuleFactoryOptions> = {}) =>
  ParticipantModule.forRoot({
    ...common(),
    name,
    database: { pool: databases[name].pool },
    inDoubtMax: 10,
    operations: [{ name: 'rest', run: () => ({}) }],
    ...more,
  });

/** A participant on a TypeORM data source of its own name. */
const onDataSource = (name: Shard) => [
  TypeOrmModule.forRootAsync({
    name,
    useFactory: () => ({
      type: 'postgres' as const,
      url: databases[name].url,
      entities: [ShardNote],
      poolSize: 4,
    }),
  }),
  ParticipantModule.forRootAsync({
    name,
    inject: [getDataSourceToken(name)],
    useFactory: (dataSource: DataSource) => ({ ...common(), database: { dataSource } }),
  }),
];

interface Parts {
  readonly imports: NonNullable<Parameters<typeof Module>[0]['imports']>;
  readonly providers?: Provider[];
  readonly controllers?: Type[];
}

async function start(parts: Parts): Promise<INestApplication> {
  @Module(parts)
  class Application {}
  const app = await NestFactory.create(Application, { logger: false, abortOnError: false });
  try {
    return await app.init();
  } catch (error) {
    await app.close();
    throw error;
  }
}

const hostOf = (app: INestApplication, shard: Shard): ParticipantHost =>
  app.get(participantToken(ParticipantHost, shard));

const shardOf = async (database: Shard, id: string): Promise<string | undefined> => {
  const { rows } = await databases[database].pool.query<{ shard: string }>(
    'SELECT shard FROM shard_note WHERE id = $1',
    [id],
  );
  return rows[0]?.shard;
};

describe('Two participants in one application', () => {
  let app: INestApplication;
  let address: string;

  beforeAll(async () => {
    app = await start({
      imports: BOTH.flatMap(onDataSource),
      providers: [EasternShard, WesternShard, Hosts],
      controllers: [Calls, BoundTwice],
    });
    await app.listen(0, '127.0.0.1');
    address = await app.getUrl();
    for (const shard of BOTH) await hostOf(app, shard).participant?.ready();
  });

  afterAll(() => app.close());

  const call = (path: string, transaction: TransactionId) =>
    fetch(`${address}/${path}`, {
      method: 'POST',
      headers: { 'Concordat-Context': `v1;tx=${transaction}` },
    });

  it.each(BOTH)('serve operations of one name in their own databases: %s', async (shard) => {
    const transaction = coordinator.begin();
    const answer = await coordinator.prepare(shard, transaction, [
      { name: 'write', input: { id: 'one' } },
    ]);
    expect(answer).toMatchObject({ vote: { kind: 'prepared' }, outputs: [{ shard }] });
    await coordinator.finish(shard, transaction, 'commit');
    expect(await shardOf(shard, 'one')).toBe(shard);
  });

  it('refuse what belongs to the other in a branch of one', async () => {
    const ask = async (name: string) =>
      coordinator.prepare(EAST, coordinator.begin(), [{ name, input: { id: 'wrong' } }]);
    const { vote } = await ask('write-in-the-wrong-place');
    expect(vote).toMatchObject({
      kind: 'no',
      code: 'BRANCH_MISUSE',
      reason: expect.stringMatching(/shard-east .* used what belongs to participant shard-west/),
    });
    expect(await shardOf(EAST, 'wrong')).toBeUndefined();
    expect(await shardOf(WEST, 'wrong')).toBeUndefined();
    expect((await ask('look')).outputs).toEqual([{ here: true, elsewhere: false }]);
  });

  it('serve only what is theirs', async () => {
    const { vote } = await coordinator.prepare(WEST, coordinator.begin(), [
      { name: 'look', input: {} },
    ]);
    expect(vote).toMatchObject({ kind: 'no', code: 'UNKNOWN_OPERATION' });
  });

  it('join direct calls as the one that the handler names', async () => {
    const transaction = coordinator.begin();
    const response = await call('west/called', transaction);
    expect([response.status, await response.json()]).toEqual([201, { participant: WEST }]);
    expect((await coordinator.prepare(WEST, transaction)).vote).toEqual({ kind: 'prepared' });
    await coordinator.finish(WEST, transaction, 'commit');
    expect(await shardOf(WEST, 'called')).toBe('called');
    expect(await shardOf(EAST, 'called')).toBeUndefined();
  });

  it('join once where @JoinTransaction is on the class and on its handler', async () => {
    const transaction = coordinator.begin();
    const enlisted = coordinator.enlisted;
    const response = await call('bound/twice', transaction);
    expect([response.status, await response.json()]).toEqual([201, { participant: EAST }]);
    expect(coordinator.enlisted).toBe(enlisted + 1);
    expect((await coordinator.prepare(EAST, transaction)).vote).toEqual({ kind: 'prepared' });
    await coordinator.finish(EAST, transaction, 'abort');
  });

  it('vote what such a handler said, and answer its caller the same', async () => {
    const transaction = coordinator.begin();
    const response = await call('bound/refused', transaction);
    expect([response.status, await response.json()]).toMatchObject([409, { code: 'NOT_TODAY' }]);
    const { vote } = await coordinator.prepare(EAST, transaction);
    expect(vote).toMatchObject({ kind: 'no', code: 'NOT_TODAY', details: { id: 'refused' } });
    await coordinator.finish(EAST, transaction, 'abort');
  });

  it('run work explicitly as one of them, also inside of its branch', async () => {
    const { runner } = app.get(Hosts);
    const transaction = coordinator.begin();
    const header = `v1;tx=${transaction}`;
    const ran = await runner.run(header, (outer) =>
      runner.run(header, async (inner) => [outer === inner, inner.participant]),
    );
    expect(ran).toEqual([true, WEST]);
    expect((await coordinator.prepare(WEST, transaction)).vote).toEqual({ kind: 'read-only' });
  });

  it('are each ready', async () => {
    const { east, west } = app.get(Hosts);
    for (const host of [east, west]) {
      expect(await host.readiness()).toEqual({ ready: true, reasons: [] });
    }
    expect([east.participant?.name, west.participant?.name]).toEqual(BOTH);
  });

  it('are not available without a name', () => {
    expect(() => app.get(ParticipantHost).participant).toThrow(
      /several participants \(shard-east, shard-west\), so ParticipantHost without a name is none of them: use @InjectParticipantHost/,
    );
    expect(() => app.get(BranchRunner).run('v1;tx=none', async () => 0)).toThrow(
      /BranchRunner without a name/,
    );
  });
});

describe('Participants of one application live and end together', () => {
  it('each is ready by itself: one waits for its broker while the other works', async () => {
    const nowhere = 'nats://127.0.0.1:9';
    const app = await start({ imports: [onPool(EAST), onPool(WEST, { natsUrl: nowhere })] });
    try {
      await hostOf(app, EAST).participant?.ready();
      expect(await hostOf(app, EAST).readiness()).toEqual({ ready: true, reasons: [] });
      expect(await hostOf(app, WEST).readiness()).toEqual({
        ready: false,
        reasons: [expect.stringMatching(/waiting for the broker/)],
      });
    } finally {
      await app.close();
    }
  });

  it('stop together, and each resolves that it was', async () => {
    const app = await start({ imports: BOTH.map((shard) => onPool(shard)) });
    const hosts = BOTH.map((shard) => hostOf(app, shard));
    for (const { participant } of hosts) await participant?.ready();
    await app.close();
    for (const host of hosts) {
      expect(await host.closed).toBeUndefined();
      expect((await host.readiness()).reasons).toEqual(['it is shutting down']);
    }
  });

  it('do not start at all if one is unfit: the other is stopped again', async () => {
    let east: ParticipantHost | undefined;
    @Injectable()
    class Watching {
      constructor(@InjectParticipantHost(EAST) host: ParticipantHost) {
        east = host;
      }
    }
    @Module({
      imports: [onPool(EAST), onPool(WEST, { inDoubtMax: 100_000 })],
      providers: [Watching],
    })
    class Application {}
    const app = await NestFactory.create(Application, { logger: false, abortOnError: false });
    await expect(app.init()).rejects.toThrow(/the in-doubt limit is 100000/);
    // Without app.close(): a process that does not start closes nothing by itself.
    expect(await east?.closed).toBeUndefined();
    expect((await east?.readiness())?.reasons).toEqual(['it is shutting down']);
    await app.close();
  });

  it('leave nothing behind, however early they are stopped', async () => {
    const timers = new Set<() => void>();
    const clock = new SystemClock();
    const counting: Clock = {
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      after(ms, run) {
        const cancel = clock.after(ms, () => {
          timers.delete(forget);
          run();
        });
        const forget = (): void => {
          timers.delete(forget);
          cancel();
        };
        timers.add(forget);
        return forget;
      },
    };
    for (let early = 0; early < 20; early += 1) {
      const app = await start({ imports: [onPool(EAST, { clock: counting })] });
      // Each time a little later in the start that goes on in the background.
      for (let turn = 0; turn < early; turn += 1) await databases[EAST].pool.query('SELECT 1');
      await app.close();
      expect([early, timers.size]).toEqual([early, 0]);
    }
  });

  it('an application-wide interceptor joins as the participant that its token names', async () => {
    const app = await start({
      imports: BOTH.map((shard) => onPool(shard)),
      providers: [
        {
          provide: APP_INTERCEPTOR,
          useExisting: participantToken(JoinTransactionInterceptor, EAST),
        },
      ],
      controllers: [Anywhere],
    });
    try {
      await app.listen(0, '127.0.0.1');
      await hostOf(app, EAST).participant?.ready();
      const transaction = coordinator.begin();
      const response = await fetch(`${await app.getUrl()}/anywhere`, {
        method: 'POST',
        headers: { 'Concordat-Context': `v1;tx=${transaction}` },
      });
      expect(await response.json()).toEqual({ participant: EAST });
      expect((await coordinator.prepare(EAST, transaction)).vote).toEqual({ kind: 'read-only' });
    } finally {
      await app.close();
    }
  });
});

describe('One participant', () => {
  it('is the same by its class and by its name', async () => {
    @Injectable()
    class Both {
      constructor(
        readonly host: ParticipantHost,
        @InjectParticipantHost() readonly unnamed: ParticipantHost,
        @InjectParticipantHost(EAST) readonly named: ParticipantHost,
      ) {}
    }
    const app = await start({ imports: [onPool(EAST)], providers: [Both] });
    try {
      const { host, unnamed, named } = app.get(Both);
      expect([unnamed === host, named === host]).toEqual([true, true]);
      expect(host.participant?.name).toBe(EAST);
    } finally {
      await app.close();
    }
  });

  it('that a test replaces is not started', async () => {
    @Module({ imports: [onPool(EAST, { inDoubtMax: 100_000 })] })
    class Application {}
    const testing = await Test.createTestingModule({ imports: [Application] })
      .overrideProvider(ParticipantHost)
      .useValue({ readiness: 'replaced' })
      .compile();
    await testing.init();
    expect(testing.get(participantToken(ParticipantHost, EAST))).toEqual({ readiness: 'replaced' });
    await testing.close();
  });
});
