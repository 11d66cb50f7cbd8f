/**
 * A product with a proxy on every wire, and what each scenario needs around its fault: something to
 * send, what became of it, and the promises at the end. A rule that never fired fails its test.
 */
import pg from 'pg';
import {
  Product,
  transferBody,
  type Json,
  type ParticipantId,
  type ProductOptions,
  type ServiceId,
} from '../../stage/product.js';
import { Wires, type Wire } from './wires.js';

type StackDatabase = 'concordat' | 'ledger_east' | 'ledger_west' | 'inventory';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

interface Balances {
  readonly alice: number;
  readonly bob: number;
}

const OPENING_BALANCE = 1_000_000;
/** Periods that are seconds in production, so that healing is quick to watch. */
const SOON = {
  CONCORDAT_GRACE_MS: '300',
  CONCORDAT_RESOLVE_PERIOD_MS: '300',
  CONCORDAT_RECOVERY_PERIOD_MS: '500',
};
/** The bound within which everything has healed. */
export const HEALED_MS = 30_000;

export class FaultStage {
  private before: Balances = { alice: OPENING_BALANCE, bob: OPENING_BALANCE };

  private constructor(
    readonly product: Product,
    private readonly wires: Wires,
  ) {}

  static async start(options: ProductOptions = {}): Promise<FaultStage> {
    const { participants = ['ledger-east', 'ledger-west'] } = options;
    const wires = await Wires.lay(['coordinator', 'coordinator-2', ...participants]);
    try {
      const product = await Product.start({
        ...options,
        participants,
        env: { ...SOON, ...options.env },
        reroute: (id, env) => wires.reroute(id, { ...env, ...options.reroute?.(id, env) }),
      });
      await product.openAccounts(OPENING_BALANCE);
      await product.untilNothingInDoubt();
      return new FaultStage(product, wires);
    } catch (error) {
      await wires.close();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.product.dispose();
    await this.wires.close();
  }

  wire(id: ServiceId): Wire {
    return this.wires.of(id);
  }

  get allWires(): Wires {
    return this.wires;
  }

  /** Before each test: remembers what there is. */
  async begin(): Promise<void> {
    this.before = await this.product.balances();
  }

  /** After each test: everything passes and lives again; fails when a fault never happened. */
  async heal(): Promise<void> {
    const unfired = this.wires.mend();
    await this.product.restore();
    await this.product.untilNothingInDoubt(HEALED_MS);
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
    await this.product.untilNothingInDoubt(HEALED_MS);
    const now = await this.product.balances();
    expect(now.alice + now.bob).toBe(this.before.alice + this.before.bob);
    return now.bob - this.before.bob;
  }

  /** The decision that stands in the register, if one does. */
  async standing(id: string): Promise<string | undefined> {
    const text = 'SELECT decision FROM concordat.decision WHERE transaction = $1';
    const [row] = await this.product.sql<{ decision: string }>('concordat', text, [id]);
    return row?.decision;
  }

  /** What the participant's database remembers of a transaction's branch. */
  async outcomeRow(participant: ParticipantId, id: string): Promise<string | undefined> {
    const text = 'SELECT kind FROM concordat_branch WHERE transaction = $1';
    const [row] = await this.product.sql<{ kind: string }>(participant, text, [id]);
    return row?.kind;
  }

  /** What only somebody at the server can do. */
  async asSuperuser(database: StackDatabase, text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.product.stack.postgres.url(database) });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  /** The transaction that is prepared at this moment. */
  async preparedTransaction(branches: number): Promise<string> {
    const [gid = ''] = await this.product.untilPrepared(branches);
    return transactionOf(gid);
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
