/**
 * Two ledgers that share a database, a server, a role, or nothing: the same transfers under load, with
 * the coordinator killed, a ledger killed with branches in doubt, and each started again beside a
 * neighbour that works or is dead. Each sees and judges its own branches only, so with anything they share,
 * nothing becomes heuristic and every start succeeds.
 */
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { Product, type ServiceId } from '../stage/product.js';

export interface Sharing {
  readonly roles: 'one role' | 'two roles';
  readonly place: 'one database, a schema each' | 'two databases of one server' | 'two servers';
}

export const SHARINGS: readonly Sharing[] = (['one role', 'two roles'] as const).flatMap((roles) =>
  (['one database, a schema each', 'two databases of one server', 'two servers'] as const).map(
    (place) => ({ roles, place }),
  ),
);

const CLIENTS = 6;
const OPENED = 100_000;
/** Each client has accounts of its own: two that lock the same rows in two databases wait for each other. */
const ACCOUNTS = Array.from({ length: CLIENTS }, (_, client) => ({
  name: 'open',
  input: { account: `account-${client}`, amount: OPENED },
}));
const LEDGERS = ['ledger-east', 'ledger-west'] as const;
type Ledger = (typeof LEDGERS)[number];

interface Place {
  readonly url: string;
  readonly schema: string;
}

export class Neighbours {
  private answered = { committed: 0, aborted: 0, unknown: 0 };
  private stopped = false;

  private constructor(
    private readonly product: Product,
    private readonly places: Readonly<Record<Ledger, Place>>,
    private readonly second: PostgresServer | undefined,
  ) {}

  static async start(sharing: Sharing): Promise<Neighbours> {
    const places = {} as Record<Ledger, Place>;
    const second = sharing.place === 'two servers' ? await startPostgres({}) : undefined;
    let product: Product | undefined;
    try {
      product = await Product.start({
        participants: [],
        env: { CONCORDAT_RESOLVE_PERIOD_MS: '500', CONCORDAT_GRACE_MS: '500' },
        reroute: (id, env) => {
          const place = places[id as Ledger];
          return place ? { DATABASE_URL: place.url, DATABASE_SCHEMA: place.schema } : env;
        },
      });
      Object.assign(places, await makePlaces(sharing, product.stack.postgres, second));
      const made = new Neighbours(product, places, second);
      for (const ledger of LEDGERS) await product.startService(ledger);
      const branches = LEDGERS.map((participant) => ({ participant, operations: ACCOUNTS }));
      await product.client().transactions.submit({ branches }, { until: 'completed' });
      return made;
    } catch (error) {
      await product?.dispose();
      await second?.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    this.stopped = true;
    await this.product.dispose();
    await this.second?.dispose();
  }

  /** Transfers under load while services die and come back; resolves when all is settled. */
  async liveThrough(): Promise<void> {
    const { product } = this;
    const clients = Array.from({ length: CLIENTS }, (_, client) => this.transfer(client));
    await this.untilAnswered(20);
    await this.die('coordinator');
    await this.untilAnswered(20);
    // One is dead with branches in doubt while its neighbour starts, works and is started again.
    for (const [dead, neighbour] of [
      LEDGERS,
      [...LEDGERS].reverse() as unknown as typeof LEDGERS,
    ]) {
      await product.kill(dead);
      await product.kill('coordinator');
      await product.startService('coordinator');
      await product.restart(neighbour);
      await product.startService(dead);
      await this.untilAnswered(10);
    }
    this.stopped = true;
    await Promise.all(clients);
    await waitFor(async () => (await this.prepared()) === 0, {
      what: 'no branch to be in doubt',
      timeoutMs: 60_000,
    });
    await waitFor(async () => (await this.register(`ended_at IS NULL`)) === 0, {
      what: 'every decision to have ended',
      timeoutMs: 60_000,
    });
  }

  /** What is wrong afterwards: transactions that became heuristic, money that came or went. */
  async wrong(): Promise<{ heuristic: number; money: number }> {
    const heuristic = await this.register(`outcome NOT IN ('committed', 'aborted')`);
    const balances = await Promise.all(
      LEDGERS.map(async (ledger) => {
        const text = `SELECT sum(balance)::int AS n FROM "${this.places[ledger].schema}".account`;
        return this.ask(this.places[ledger].url, text);
      }),
    );
    const [east = 0, west = 0] = balances;
    return { heuristic, money: east + west - 2 * CLIENTS * OPENED };
  }

  private async die(id: ServiceId): Promise<void> {
    await this.product.kill(id);
    await this.product.startService(id);
  }

  private async transfer(client: number): Promise<void> {
    while (!this.stopped) {
      try {
        const body = { timeoutMs: 5_000, commit: true, branches: transferOf(client) };
        const { status } = await this.product.request('POST', '/v1/transactions', { body });
        if (status === 200) this.answered.committed += 1;
        else if (status === 409) this.answered.aborted += 1;
        else this.answered.unknown += 1;
      } catch {
        // The coordinator is dead at this moment: nothing was answered, and it needs the processor to start.
        await waitFor(() => this.stopped || this.isUp(), {
          what: 'the coordinator to be back',
          timeoutMs: 60_000,
        });
      }
    }
  }

  private async isUp(): Promise<boolean> {
    try {
      return (await this.product.request('GET', '/readyz')).status === 200;
    } catch {
      return false;
    }
  }

  private async untilAnswered(more: number): Promise<void> {
    const from = this.answered.committed;
    await waitFor(() => this.answered.committed >= from + more, {
      what: `${more} more transfers to be committed`,
      timeoutMs: 60_000,
    });
  }

  private async prepared(): Promise<number> {
    const text = `SELECT count(*)::int AS n FROM pg_prepared_xacts WHERE starts_with(gid, 'cc:')`;
    const counts = await Promise.all(LEDGERS.map((one) => this.ask(this.places[one].url, text)));
    return Math.max(...counts);
  }

  private async register(where: string): Promise<number> {
    const [row] = await this.product.sql<{ n: number }>(
      'concordat',
      `SELECT count(*)::int AS n FROM concordat.decision WHERE ${where}`,
    );
    return row?.n ?? -1;
  }

  private async ask(url: string, text: string): Promise<number> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<{ n: number }>(text)).rows[0]?.n ?? -1;
    } finally {
      await client.end();
    }
  }
}

function transferOf(client: number) {
  const input = { account: `account-${client}`, amount: 1 };
  return [
    { participant: 'ledger-east', operations: [{ name: 'debit', input }] },
    { participant: 'ledger-west', operations: [{ name: 'credit', input }] },
  ];
}

/** Databases, roles and schemas of both ledgers. */
async function makePlaces(
  { roles, place }: Sharing,
  first: PostgresServer,
  second: PostgresServer | undefined,
): Promise<Record<Ledger, Place>> {
  const made = {} as Record<Ledger, Place>;
  for (const [at, ledger] of LEDGERS.entries()) {
    const server = at === 1 && second ? second : first;
    const database = place === 'one database, a schema each' ? 'shared' : `of_${at}`;
    const role = roles === 'one role' ? 'teller' : `teller_${at}`;
    const schema = ledger.replace('-', '_');
    await server.createDatabase(database, role);
    const url = server.url(database, role);
    const admin = new pg.Client({ connectionString: server.url(database) });
    await admin.connect();
    try {
      await admin.query(
        `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${database} TO ${role};
         CREATE SCHEMA ${schema} AUTHORIZATION ${role}`,
      );
    } finally {
      await admin.end();
    }
    made[ledger] = { url, schema };
  }
  return made;
}
