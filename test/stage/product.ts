/**
 * The product on stage: real Postgres, real NATS, and the built coordinator, ledgers and inventory as
 * processes of their own, on ports of their own. Each process can be killed, stopped and started
 * again, alone or at a named crash point.
 */
import { createHash, randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { AdminClient, ConcordatClient } from '@concordat/client';
import { makeTransactionId, parseGid, type ClusterId, type Incarnation } from '@concordat/protocol';
import {
  embeddedStack,
  freePort,
  spawnService,
  waitFor,
  type NatsOptions,
  type PostgresOptions,
  type Service,
  type TestStack,
} from '@concordat/testing';
import pg from 'pg';
import { bundled, type Bundled } from './bundled.js';
import { CrashArms } from './crash-arms.js';
import { Looks } from './looks.js';

const ROOT = resolve(import.meta.dirname, '../..');
const POINTS = resolve(ROOT, 'test/crash/crash-points.mjs');

export type ParticipantId = 'ledger-east' | 'ledger-west' | 'inventory';
export type CoordinatorId = 'coordinator' | 'coordinator-2' | 'coordinator-3';
export type ServiceId = ParticipantId | CoordinatorId;

const DATABASE = {
  'ledger-east': 'ledger_east',
  'ledger-west': 'ledger_west',
  inventory: 'inventory',
} as const;

const WAITING = `FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock'`;

const OPEN_COMMITS = `SELECT transaction FROM concordat.decision
  WHERE decision = 'commit' AND ended_at IS NULL`;

/** The id of a transaction that was never begun, made now by a coordinator that was never started. */
export function idOfAStranger(): string {
  return makeTransactionId(Date.now(), randomBytes(10), '00000000' as Incarnation);
}

export interface ProductOptions {
  readonly participants?: readonly ParticipantId[];
  readonly postgres?: PostgresOptions;
  readonly nats?: NatsOptions;
  /** Whether its services can be armed with crash points while they live. */
  readonly armable?: boolean;
  /** Environment of every service, e.g. shorter periods. */
  readonly env?: Readonly<Record<string, string>>;
  /** Other addresses for one service, e.g. of proxies in front of those it gets; asked at each start. */
  readonly reroute?: (
    id: ServiceId,
    env: Readonly<Record<string, string>>,
  ) => Readonly<Record<string, string>>;
}

export interface StartOptions {
  /** CRASH_POINTS of this start, see test/crash/crash-points.mjs. */
  readonly crash?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Started once it has said this, ready or not. */
  readonly said?: string;
  /** What becomes of its output, instead of our reading it. */
  readonly output?: keyof typeof LOST_OUTPUT;
  /** Module by module, as it was built, instead of bundled. */
  readonly asInstalled?: boolean;
}

/** Redirections of a shell: a reader that has ended before anything is written, and a full disk. */
const LOST_OUTPUT = { unread: '> >(exit 0) 2>&1', unwritable: '> /dev/full 2>&1' } as const;

export class Product {
  readonly clientKey = randomBytes(24).toString('base64url');
  readonly viewerKey = randomBytes(24).toString('base64url');
  readonly operatorKey = randomBytes(24).toString('base64url');
  readonly forceKey = randomBytes(24).toString('base64url');
  private readonly ports = new Map<ServiceId, number>();
  private readonly services = new Map<ServiceId, Service>();
  private readonly arms: CrashArms;
  private readonly looks = new Looks();

  private constructor(
    readonly stack: TestStack,
    private readonly options: ProductOptions,
  ) {
    this.arms = new CrashArms(options.armable ?? false);
  }

  /** Starts servers, one coordinator and the participants asked for (both ledgers by default). */
  static async start(options: ProductOptions = {}): Promise<Product> {
    const { participants = ['ledger-east', 'ledger-west'], postgres, nats } = options;
    const stack = await embeddedStack({ postgres, nats });
    const product = new Product(stack, options);
    try {
      // Side by side: a participant waits for a coordinator by itself.
      const services = ['coordinator' as const, ...participants];
      const started = await Promise.allSettled(services.map((one) => product.startService(one)));
      for (const one of started) if (one.status === 'rejected') throw one.reason;
    } catch (error) {
      await product.dispose();
      throw error;
    }
    return product;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.services.values()].map((service) => service.stop()));
    const closed = this.looks.close();
    await this.stack.dispose();
    await closed; // One that waits for a stopped server ends with it.
    this.arms.dispose();
  }

  get coordinatorUrl(): string {
    return this.url('coordinator');
  }

  url(id: ServiceId): string {
    return `http://127.0.0.1:${this.ports.get(id) ?? 0}`;
  }

  client(at: ServiceId = 'coordinator', key = this.clientKey): ConcordatClient {
    return new ConcordatClient({ url: this.url(at), apiKey: key, retries: 0 });
  }

  admin(key = this.operatorKey, at: ServiceId = 'coordinator'): AdminClient {
    return new AdminClient({ url: this.url(at), apiKey: key, retries: 0 });
  }

  service(id: ServiceId): Service {
    const service = this.services.get(id);
    if (!service) throw new Error(`${id} was never started`);
    return service;
  }

  /** Starts a service, again on the port it had before; resolves when it says it is ready. */
  async startService(
    id: ServiceId,
    { crash, env = {}, said, output, asInstalled = false }: StartOptions = {},
  ): Promise<Service> {
    const port = this.ports.get(id) ?? (await freePort());
    this.ports.set(id, port);
    const points = this.arms.environment(id, crash);
    const usual = this.environment(id, port);
    const program = asInstalled
      ? [...(points ? ['--import', POINTS] : []), resolve(ROOT, 'apps', appOf(id), 'dist/main.js')]
      : [...(points ? ['--import', await bundled('crash-points')] : []), await bundled(appOf(id))];
    const service = await spawnService({
      name: id,
      ...(output ? into(output, program) : { args: program }),
      env: {
        ...inherited(),
        ...usual,
        ...this.options.reroute?.(id, usual),
        ...this.options.env,
        ...env,
        ...points,
      },
      readyWhen: said ?? (() => isReady(port)),
    });
    this.services.set(id, service);
    return service;
  }

  /**
   * Arms a living process with crash points, in the place of those it had. The product must be armable; throws
   * where there is no such point.
   */
  arm(id: ServiceId, crash: string): void {
    this.arms.arm(id, crash);
  }

  /** Whether the process has come to a point it is armed with: to this one, or to any. */
  isReached(id: ServiceId, point = ''): boolean {
    return this.arms.hasSaid(id, this.service(id).output(), `crash point ${point}`);
  }

  /** Waits until the process has come to this point it is armed with. */
  untilReached(id: ServiceId, point: string, timeoutMs?: number): Promise<void> {
    const what = `to say crash point ${point}`;
    return this.service(id).until(() => this.isReached(id, point), what, timeoutMs);
  }

  /** Waits until a reply was dropped that the process is armed to drop. */
  untilDropped(id: ServiceId, timeoutMs?: number): Promise<void> {
    const service = this.service(id);
    const isDropped = () => this.arms.hasSaid(id, service.output(), 'dropped the reply of ');
    return service.until(isDropped, 'to drop a reply', timeoutMs);
  }

  async kill(id: ServiceId): Promise<void> {
    const service = this.service(id);
    service.kill('SIGKILL');
    await service.exited;
  }

  /** Ends a service in good order and starts it again, perhaps with crash points. */
  async restart(id: ServiceId, options: StartOptions = {}): Promise<Service> {
    await this.service(id).stop();
    return this.startService(id, options);
  }

  /**
   * Starts again every process that is dead, was armed at its start or may hang, and disarms the others, so that
   * the next test finds all as it began. A participant that hangs would drain until its time is over: it is killed.
   */
  async restore(): Promise<void> {
    for (const service of this.services.values()) if (service.alive) service.kill('SIGCONT');
    if (!this.stack.postgres.alive) await this.stack.postgres.start();
    if (!this.stack.nats.alive) await this.stack.nats.start();
    const broken = [...this.services].filter(([id, { alive }]) => !alive || !this.arms.disarm(id));
    await Promise.all(
      broken.map(async ([id]) => {
        await (id.startsWith('coordinator') ? this.service(id).stop() : this.kill(id));
        await this.startService(id);
      }),
    );
  }

  /** Starts again every process that has died, as it usually is; a living one stays as it is. */
  async startDead(): Promise<void> {
    const dead = [...this.services].filter(([, { alive }]) => !alive);
    await Promise.all(dead.map(([id]) => this.startService(id)));
  }

  /** Ends a service permanently. */
  async remove(id: ServiceId): Promise<void> {
    await this.service(id).stop();
    this.services.delete(id);
  }

  /** One request to the coordinator, as curl would make it. */
  async request(
    method: string,
    path: string,
    {
      body,
      key = this.clientKey,
      headers = {},
      at = 'coordinator',
    }: {
      body?: unknown;
      key?: string;
      headers?: Record<string, string>;
      at?: ServiceId;
    } = {},
  ): Promise<{ status: number; headers: Headers; body: Json }> {
    const response = await fetch(`${this.url(at)}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Json,
    };
  }

  /** The id that the coordinator made at its first start. */
  async cluster(): Promise<ClusterId> {
    const text = 'SELECT cluster_id FROM concordat.cluster';
    const [row] = await this.sql<{ cluster_id: ClusterId }>('concordat', text);
    if (!row) throw new Error('no coordinator has made a cluster id yet');
    return row.cluster_id;
  }

  /** Runs SQL in a database of the stack, as its owner. */
  async sql<Row extends pg.QueryResultRow>(
    database: ParticipantId | 'concordat' | 'superuser',
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    const { databases, postgres } = this.stack;
    const connectionString =
      database === 'superuser'
        ? postgres.url()
        : databases[database === 'concordat' ? 'concordat' : DATABASE[database]];
    if (/^\s*SELECT\b/.test(text)) return this.looks.rows<Row>(connectionString, text, values);
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  /** Runs a statement and keeps its locks until the answer is called. */
  async hold(database: 'concordat', statement: string): Promise<() => Promise<void>> {
    const client = new pg.Client({ connectionString: this.stack.databases[database] });
    await client.connect();
    await client.query('BEGIN');
    await client.query(statement);
    return () => client.end();
  }

  /** Waits until so many sessions of a database wait for a lock. */
  async untilWaiting(database: 'concordat', sessions: number): Promise<void> {
    await waitFor(
      async () => (await this.sql(database, `SELECT pid ${WAITING}`)).length >= sessions,
      { what: `${sessions} sessions to wait for a lock`, timeoutMs: 30_000 },
    );
  }

  /** Ends them: a server does not notice that who waits for a lock is dead. */
  async endWaiting(database: 'concordat'): Promise<void> {
    await this.sql(database, `SELECT pg_terminate_backend(pid) ${WAITING}`);
  }

  /** Every prepared transaction of the whole server. */
  async prepared(): Promise<{ gid: string; database: string }[]> {
    return this.sql('superuser', 'SELECT gid, database FROM pg_prepared_xacts ORDER BY gid');
  }

  /** Waits until no branch of ours is prepared anywhere; resolves with the milliseconds it took. */
  async untilNothingInDoubt(timeoutMs = 30_000): Promise<number> {
    const from = performance.now();
    await waitFor(async () => (await this.prepared()).every(({ gid }) => !gid.startsWith('cc:')), {
      what: 'no branch to be in doubt',
      timeoutMs,
    });
    return performance.now() - from;
  }

  /**
   * The same, and every commit on record has its end: until then it is delivered again, to any process that
   * is there by then, perhaps armed for something else.
   */
  async untilAllEnded(timeoutMs = 30_000): Promise<void> {
    await this.untilNothingInDoubt(timeoutMs);
    await waitFor(async () => (await this.sql('concordat', OPEN_COMMITS)).length === 0, {
      what: 'every commit to have ended',
      timeoutMs,
    });
  }

  /**
   * Resolves with the gid of the only branch that is prepared, once its coordinator has its vote, which follows and
   * which is lost with its participant or its link.
   */
  async untilVoted(voter: string): Promise<string> {
    const [gid = ''] = await this.untilPrepared(1);
    const id = parseGid(gid)?.transaction;
    await waitFor(
      async () => {
        const { body } = await this.request('GET', `/v1/transactions/${id}`);
        const branches = body['branches'] as unknown as readonly {
          participant: string;
          vote?: object;
        }[];
        return branches.some(({ participant, vote }) => participant === voter && vote);
      },
      { what: `the vote of ${voter} to arrive` },
    );
    return gid;
  }

  async untilPrepared(count: number): Promise<string[]> {
    let gids: string[] = [];
    await waitFor(
      async () => {
        gids = (await this.prepared()).map((one) => one.gid).filter((gid) => gid.startsWith('cc:'));
        return gids.length >= count;
      },
      { what: `${count} branches to be prepared` },
    );
    return gids;
  }

  /** Opens alice in the east and bob in the west with this much each; resolves once all sessions see them. */
  async openAccounts(amount = 1_000): Promise<void> {
    for (const [participant, account] of [
      ['ledger-east', 'alice'],
      ['ledger-west', 'bob'],
    ] as const) {
      const operations = [{ name: 'open', input: { account, amount } }];
      await this.client().transactions.submit(
        { branches: [{ participant, operations }] },
        { until: 'completed' },
      );
    }
  }

  /** What the databases hold, read without the product. */
  async balances(): Promise<{ alice: number; bob: number }> {
    const text = 'SELECT balance FROM account WHERE id = $1';
    const [east] = await this.sql<{ balance: string }>('ledger-east', text, ['alice']);
    const [west] = await this.sql<{ balance: string }>('ledger-west', text, ['bob']);
    return { alice: Number(east?.balance), bob: Number(west?.balance) };
  }

  private environment(id: ServiceId, port: number): Record<string, string> {
    const { databases, nats } = this.stack;
    const address = { PORT: String(port), NATS_URL: nats.url };
    if (id.startsWith('coordinator')) {
      return {
        ...address,
        DATABASE_URL: databases.concordat,
        CONCORDAT_DRAIN_NOTICE_MS: '0', // Nothing balances in front of it.
        ...onePhase(),
        CONCORDAT_CLIENT_KEY_SHA256: sha256(this.clientKey),
        CONCORDAT_VIEWER_KEY_SHA256: sha256(this.viewerKey),
        CONCORDAT_OPERATOR_KEY_SHA256: sha256(this.operatorKey),
        CONCORDAT_FORCE_KEY_SHA256: sha256(this.forceKey),
      };
    }
    const database = databases[DATABASE[id as ParticipantId]];
    return { ...address, PARTICIPANT_NAME: id, DATABASE_URL: database };
  }
}

/** Node itself, with its output redirected: the shell replaces itself. */
function into(output: keyof typeof LOST_OUTPUT, program: readonly string[]) {
  const script = `exec "$0" "$@" ${LOST_OUTPUT[output]}`;
  return { command: 'bash', args: ['-c', script, process.execPath, ...program] };
}

/** What a JSON answer may hold; tests look into it freely. */
// A test reads answers as a stranger would: by the names it expects to find.
export type Json = { [name: string]: Json } & Json[] & string & number & boolean;

function appOf(id: ServiceId): Exclude<Bundled, 'crash-points'> {
  if (id === 'inventory') return 'inventory';
  return id.startsWith('coordinator') ? 'coordinator' : 'ledger';
}

/** As `npm run test:with -- --two-phases` asks for it; otherwise as the coordinator does by itself. */
function onePhase(): Record<string, string> {
  const { CONCORDAT_TEST_ONE_PHASE: asked } = process.env;
  return asked ? { CONCORDAT_ONE_PHASE: asked } : {};
}

function inherited(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME };
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false;
  }
}

function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The body of the design's transfer. */
export function transferBody(amount = 100, more: Record<string, unknown> = {}) {
  return {
    label: 'transfer',
    timeoutMs: 10_000,
    commit: true,
    branches: [
      {
        participant: 'ledger-east',
        operations: [{ name: 'debit', input: { account: 'alice', amount } }],
      },
      {
        participant: 'ledger-west',
        operations: [{ name: 'credit', input: { account: 'bob', amount } }],
      },
    ],
    ...more,
  };
}
