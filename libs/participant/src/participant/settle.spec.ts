/**
 * Settling what is in doubt before a service opens its ORM, on a real Postgres and a real broker: what it
 * finishes, what it leaves and why, and a migration that would wait forever without it.
 */
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  formatGid,
  makeBranchId,
  type ClusterId,
  type Decision,
  type TransactionId,
} from '@concordat/protocol';
import { embeddedStack, freePort, type TestStack } from '@concordat/testing';
import pg from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { ParticipantHost, ParticipantModule } from '../index.js';
import { ScriptedCoordinator } from '../nest/scripted-coordinator.spec-support.js';
import {
  ParticipantMisconfigured,
  createParticipant,
  settleInDoubt,
  type OperationDefinition,
  type SettleOptions,
} from '../standalone.js';

const CLUSTER = 'settle0s' as ClusterId;
const NAME = 'notes';
/** Long enough to fail a test that waits for it, short enough to watch it fail. */
const WAIT_MS = 20_000;

const write: OperationDefinition = {
  name: 'write',
  run: async (_input, branch) => {
    await branch.client.query('INSERT INTO note VALUES ($1)', [branch.transaction]);
  },
};

class AddText1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE note ADD COLUMN IF NOT EXISTS text text');
  }

  async down(): Promise<void> {}
}

describe('settling before the start', () => {
  let stack: TestStack;
  let coordinator: ScriptedCoordinator;
  let db: pg.Pool;
  let options: SettleOptions;

  beforeAll(async () => {
    stack = await embeddedStack();
    const url = stack.databases.ledger_east;
    db = new pg.Pool({ connectionString: url, max: 2 });
    await db.query('CREATE TABLE note (id text PRIMARY KEY)');
    coordinator = await ScriptedCoordinator.start(stack.nats.url, CLUSTER);
    options = { name: NAME, natsUrl: stack.nats.url, database: { url } };
  }, 90_000);

  beforeEach(async () => {
    if (!coordinator.isUp) await coordinator.comeUp();
  });

  afterEach(async () => {
    for (const gid of await prepared()) await db.query(`ROLLBACK PREPARED '${gid}'`);
  });

  afterAll(async () => {
    await coordinator.stop();
    await db.end();
    await stack.dispose();
  });

  const gidOf = (transaction: TransactionId): string =>
    formatGid({ cluster: CLUSTER, transaction, branch: makeBranchId(1) });

  async function prepared(): Promise<string[]> {
    const { rows } = await db.query<{ gid: string }>(
      'SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared',
    );
    return rows.map(({ gid }) => gid);
  }

  const isWritten = async (transaction: TransactionId): Promise<boolean> =>
    (await db.query('SELECT 1 FROM note WHERE id = $1', [transaction])).rowCount === 1;

  /** Branches that an instance of the service prepared before it was gone. */
  async function leaveInDoubt(count: number): Promise<TransactionId[]> {
    const gone = createParticipant({
      ...options,
      cluster: CLUSTER,
      operations: [write],
      graceMs: 3_600_000,
      resolvePeriodMs: 3_600_000,
    });
    await gone.start();
    await gone.ready();
    const transactions = Array.from({ length: count }, () => coordinator.begin());
    for (const transaction of transactions) {
      const { vote } = await coordinator.prepare(NAME, transaction, [{ name: 'write', input: {} }]);
      expect(vote).toEqual({ kind: 'prepared' });
    }
    await gone.stop();
    return transactions;
  }

  const decide = (transaction: TransactionId, decision: Decision): void => {
    coordinator.decisions.set(transaction, decision);
  };

  it('returns at once, without a broker, where nothing is prepared', async () => {
    const natsUrl = `nats://127.0.0.1:${await freePort()}`;
    const settled = { found: 0, settled: 0, left: [] };
    expect(await settleInDoubt({ ...options, natsUrl }, { waitMs: WAIT_MS })).toEqual(settled);
    // Nor where the service has never been: there is no outcome table.
    const database = { url: stack.databases.inventory };
    expect(await settleInDoubt({ ...options, natsUrl, database })).toEqual(settled);
  });

  it('carries out what was decided of every branch, in a cluster that it discovers', async () => {
    const [committed, aborted] = (await leaveInDoubt(2)) as [TransactionId, TransactionId];
    decide(committed, 'commit');
    decide(aborted, 'abort');
    expect(await settleInDoubt(options, { waitMs: WAIT_MS })).toEqual({
      found: 2,
      settled: 2,
      left: [],
    });
    expect(await prepared()).toEqual([]);
    expect(await isWritten(committed)).toBe(true);
    expect(await isWritten(aborted)).toBe(false);
  });

  it('waits for a decision and for a coordinator, no longer than configured', async () => {
    const [transaction] = (await leaveInDoubt(1)) as [TransactionId];
    const left = [{ gid: gidOf(transaction), heldMs: expect.any(Number) as number }];
    expect(await settleInDoubt(options, { waitMs: 400 })).toEqual({
      found: 1,
      settled: 0,
      left: [{ ...left[0], why: 'its transaction is not decided yet' }],
    });
    await coordinator.goAway();
    const named = { ...options, cluster: CLUSTER };
    expect(await settleInDoubt(named, { waitMs: 0 })).toMatchObject({
      left: [{ ...left[0], why: 'no coordinator is there' }],
    });
    const settling = settleInDoubt(options, { waitMs: WAIT_MS });
    decide(transaction, 'commit');
    await coordinator.comeUp();
    expect(await settling).toMatchObject({ settled: 1, left: [] });
    expect(await isWritten(transaction)).toBe(true);
  });

  it('says why it leaves a branch: no broker, another cluster, a decision that is no longer known', async () => {
    const [transaction] = (await leaveInDoubt(1)) as [TransactionId];
    const natsUrl = `nats://127.0.0.1:${await freePort()}`;
    const why = async (more: Partial<SettleOptions>) =>
      (await settleInDoubt({ ...options, ...more }, { waitMs: 300 })).left.map((one) => one.why);
    expect(await why({ natsUrl })).toEqual([expect.stringMatching(/found no NATS broker at/)]);
    expect(await why({ cluster: 'another0' })).toEqual([
      'it belongs to another cluster; this service is in another0, whose coordinators know nothing of it',
    ]);
    coordinator.forgotten.add(transaction);
    const start = performance.now();
    const forgotten = await settleInDoubt(options, { waitMs: WAIT_MS });
    expect(performance.now() - start).toBeLessThan(WAIT_MS);
    expect(forgotten.left).toMatchObject([{ why: expect.stringMatching(/past retention/) }]);
    expect(await prepared()).toEqual([gidOf(transaction)]);
  });

  it('leaves what other instances prepare meanwhile to them', async () => {
    const [old] = (await leaveInDoubt(1)) as [TransactionId];
    let looked: () => void = () => undefined;
    const hasLooked = new Promise<void>((resolve) => (looked = resolve));
    const log = { log: () => looked(), warn: () => undefined, error: () => undefined };
    const settling = settleInDoubt({ ...options, log }, { waitMs: WAIT_MS });
    await hasLooked;
    const [live] = (await leaveInDoubt(1)) as [TransactionId];
    decide(old, 'commit');
    expect(await settling).toMatchObject({ found: 1, settled: 1, left: [] });
    expect(await prepared()).toEqual([gidOf(live)]);
  });

  it('lets a migration pass that a branch in doubt of the same service would hold up', async () => {
    const [transaction] = (await leaveInDoubt(1)) as [TransactionId];
    decide(transaction, 'commit');
    const { url } = options.database as { url: string };
    class Service {}
    const app = await NestFactory.create(
      {
        module: Service,
        imports: [
          TypeOrmModule.forRootAsync({
            useFactory: async () => {
              await settleInDoubt(options, { waitMs: WAIT_MS });
              return {
                type: 'postgres',
                url,
                migrations: [AddText1700000000000],
                migrationsRun: true,
                retryAttempts: 1,
                extra: { lock_timeout: 2_000 },
              };
            },
          }),
          ParticipantModule.forRootAsync({
            inject: [DataSource],
            useFactory: (dataSource: DataSource) => ({
              ...options,
              database: { dataSource },
              operations: [write],
            }),
          }),
        ],
      },
      { logger: false, abortOnError: false },
    );
    await app.init();
    await app.get(ParticipantHost).participant?.ready();
    const { rows } = await db.query('SELECT text FROM note WHERE id = $1', [transaction]);
    expect(rows).toEqual([{ text: null }]);
    await app.close();
  });

  it('waits for a database that is away, and refuses what cannot be meant', async () => {
    const away = { url: `postgres://nobody@127.0.0.1:${await freePort()}/none` };
    const said: string[] = [];
    const log = { log: () => undefined, warn: (line: string) => said.push(line), error: () => 0 };
    const asked = settleInDoubt({ ...options, database: away, log }, { waitMs: 300 });
    await expect(asked).rejects.toThrow(
      /^the database of notes did not answer within 300 ms: .*ECONNREFUSED.*\nRemedy: start it/,
    );
    expect(said).toEqual([expect.stringMatching(/^waiting for the database: .*ECONNREFUSED/)]);
    await expect(settleInDoubt({ ...options, name: 'No' })).rejects.toThrow(
      ParticipantMisconfigured,
    );
    await expect(settleInDoubt(options, { waitMs: -1 })).rejects.toThrow(/waitMs -1 is refused/);
  });
});
