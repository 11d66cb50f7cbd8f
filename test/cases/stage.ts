/**
 * A product with a proxy on every wire, and what each scenario needs around its fault: something to
 * send, what became of it, and the promises at the end. A rule that never fired fails its test.
 */
import { jest } from '@jest/globals';
import { waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import {
  Product,
  transferBody,
  type Json,
  type ParticipantId,
  type ProductOptions,
  type ServiceId,
} from '../stage/product.js';
import { Wires, type Wire } from './wires.js';

type StackDatabase = 'concordat' | 'ledger_east' | 'ledger_west' | 'inventory';

// Processes and servers are started and killed here again and again, on machines that are busy.
jest.setTimeout(180_000);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

interface Balances {
  readonly alice: number;
  readonly bob: number;
}

/** Databases that a stage can have on a server of their own. */
type Apart = 'ledger-west' | 'concordat';

const DATABASE = { 'ledger-west': 'ledger_west', concordat: 'concordat' } as const;
const OPENING_BALANCE = 1_000_000;
/** Periods that are seconds in production, so that healing is quick to watch. */
const SOON = {
  CONCORDAT_GRACE_MS: '300',
  CONCORDAT_RESOLVE_PERIOD_MS: '300',
  CONCORDAT_RECOVERY_PERIOD_MS: '500',
};
/** A time-out that a test lets pass: short, and yet enough for both votes on a busy machine. */
export const DEADLINE_MS = 3_000;
/** The bound within which everything has healed. */
export const HEALED_MS = 30_000;

export interface CaseStageOptions extends ProductOptions {
  /** Servers of their own for some, with their database on it. */
  readonly apart?: Partial<Readonly<Record<Apart, PostgresServer>>>;
}

export class CaseStage {
  private before: Balances = { alice: OPENING_BALANCE, bob: OPENING_BALANCE };

  private constructor(
    readonly product: Product,
    private readonly wires: Wires,
    private readonly apart: Partial<Readonly<Record<string, PostgresServer>>>,
    private readonly participants: readonly ParticipantId[],
  ) {}

  static async start({ apart = {}, ...options }: CaseStageOptions = {}): Promise<CaseStage> {
    const { participants = ['ledger-east', 'ledger-west'] } = options;
    const wires = await Wires.lay(['coordinator', 'coordinator-2', ...participants]);
    try {
      const product = await Product.start({
        ...options,
        participants,
        env: { ...SOON, ...options.env },
        reroute: (id, env) => {
          const name = id.startsWith('coordinator') ? 'concordat' : id;
          const url = addressOf(name, apart);
          return wires.reroute(id, url ? { ...env, DATABASE_URL: url } : env);
        },
      });
      const stage = new CaseStage(product, wires, apart, participants);
      await product.openAccounts(OPENING_BALANCE);
      await stage.untilNothingInDoubt();
      return stage;
    } catch (error) {
      await wires.close();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.product.dispose();
    await this.wires.close();
  }

  private get services(): string[] {
    return ['coordinator' as const, ...this.participants].map((id) => this.product.url(id));
  }

  wire(id: ServiceId): Wire {
    return this.wires.of(id);
  }

  get allWires(): Wires {
    return this.wires;
  }

  /** Before each test: waits until all is well, and remembers what there is. */
  async begin(): Promise<void> {
    await waitFor(async () => (await Promise.all(this.services.map(isReady))).every(Boolean), {
      what: 'every service to be ready',
      timeoutMs: HEALED_MS,
    });
    this.before = await this.balances();
  }

  /** After each test: everything passes and lives again; fails when a fault never happened. */
  async heal(): Promise<void> {
    const unfired = this.wires.mend();
    await this.product.restore();
    await this.untilNothingInDoubt();
    expect(unfired).toEqual([]);
  }

  /** Sends a transaction in one call. */
  post(body: unknown = transferBody(), headers: Record<string, string> = {}): Promise<Answer> {
    return this.product.request('POST', '/v1/transactions', { body, headers });
  }

  /** Sends it and does not care whether an answer comes: its coordinator is about to die. */
  send(body?: unknown, headers?: Record<string, string>): Promise<Answer | undefined> {
    return this.post(body, headers).catch(() => undefined);
  }

  get(id: string, query = '', key = this.product.clientKey): Promise<Answer> {
    return this.product.request('GET', `/v1/transactions/${id}${query}`, { key });
  }

  /** Waits until every branch has acknowledged; how it ended. */
  async completed(id: string, key?: string): Promise<Json> {
    const { body } = await this.get(id, '?wait=30s&until=completed', key);
    return body;
  }

  /** Waits until nothing is in doubt; what has moved from alice to bob since the test began. */
  async moved(): Promise<number> {
    await this.untilNothingInDoubt();
    const now = await this.balances();
    expect(now.alice + now.bob).toBe(this.before.alice + this.before.bob);
    return now.bob - this.before.bob;
  }

  /** The decision on record in the register, if there is one. */
  async standing(id: string): Promise<string | undefined> {
    const text = 'SELECT decision FROM concordat.decision WHERE transaction = $1';
    const [row] = await this.sql<{ decision: string }>('concordat', text, [id]);
    return row?.decision;
  }

  /** What the participant's database remembers of a transaction's branch. */
  async outcomeRow(participant: ParticipantId, id: string): Promise<string | undefined> {
    const text = 'SELECT kind FROM concordat_branch WHERE transaction = $1';
    const [row] = await this.sql<{ kind: string }>(participant, text, [id]);
    return row?.kind;
  }

  /** Runs SQL in a participant's database or the register. */
  sql<Row extends pg.QueryResultRow>(
    name: ParticipantId | 'concordat',
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    const url = addressOf(name, this.apart);
    return url ? rowsOf<Row>(url, text, values) : this.product.sql<Row>(name, text, values);
  }

  /** Every prepared transaction of every server, with its database. */
  async prepared(): Promise<{ gid: string; database: string }[]> {
    const text = 'SELECT gid, database FROM pg_prepared_xacts ORDER BY gid';
    const west = this.apart['ledger-west'];
    return [
      ...(await this.product.prepared()),
      ...(west ? await rowsOf<{ gid: string; database: string }>(west.url(), text, []) : []),
    ];
  }

  /** Waits until no branch of ours is prepared anywhere. */
  async untilNothingInDoubt(): Promise<void> {
    await waitFor(async () => (await this.prepared()).every(({ gid }) => !gid.startsWith('cc:')), {
      what: 'no branch to be in doubt',
      timeoutMs: HEALED_MS,
    });
  }

  private async balances(): Promise<Balances> {
    const text = 'SELECT balance FROM account WHERE id = $1';
    const [east] = await this.sql<{ balance: string }>('ledger-east', text, ['alice']);
    const [west] = await this.sql<{ balance: string }>('ledger-west', text, ['bob']);
    return { alice: Number(east?.balance), bob: Number(west?.balance) };
  }

  /** What only somebody at the server can do. */
  async asSuperuser(database: StackDatabase, text: string): Promise<void> {
    await rowsOf(this.product.stack.postgres.url(database), text, []);
  }

  /** The transaction that is prepared at this moment. */
  async preparedTransaction(branches: number): Promise<string> {
    let gids: string[] = [];
    await waitFor(
      async () => {
        gids = (await this.prepared()).map((one) => one.gid).filter((gid) => gid.startsWith('cc:'));
        return gids.length >= branches;
      },
      { what: `${branches} branches to be prepared` },
    );
    return transactionOf(gids[0] ?? '');
  }

  /** A metric of a coordinator. */
  async metric(name: string, at: ServiceId = 'coordinator'): Promise<number> {
    const response = await fetch(`${this.product.url(at)}/metrics`, {
      headers: { authorization: `Bearer ${this.product.operatorKey}` },
    });
    const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.split(' ').at(-1));
  }
}

/** Of a database on a server of its own, for the role that owns it. */
function addressOf(
  name: string,
  apart: Partial<Readonly<Record<string, PostgresServer>>>,
): string | undefined {
  if (name !== 'ledger-west' && name !== 'concordat') return undefined;
  return apart[name]?.url(DATABASE[name], DATABASE[name]);
}

async function rowsOf<Row extends pg.QueryResultRow>(
  connectionString: string,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await (values.length > 0
      ? client.query<Row>(text, values)
      : client.query<Row>(text));
    return rows;
  } finally {
    await client.end();
  }
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).ok;
}

export function transactionOf(gid: string): string {
  return gid.split(':')[2] ?? '';
}

/** The branch of a participant in an answer. */
export function branchOf(body: Json, participant: ParticipantId): Record<string, unknown> {
  const branches = (body['branches'] ?? []) as unknown as Record<string, unknown>[];
  const found = branches.find((one) => one['participant'] === participant);
  if (!found) throw new Error(`no branch of ${participant} in ${JSON.stringify(body)}`);
  return found;
}
