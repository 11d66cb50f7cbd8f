/**
 * What every host has to show: a commit that both sides have, an abort that neither has, and a decision
 * that it carries out although it was killed between its vote and the end.
 */
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { Product } from '../../stage/product.js';
import type { Host } from './host.js';

const CREDIT = 100;

export interface Taking {
  /** The participant's name in the host. */
  readonly participant: string;
  /** An operation that can be done again and again; each does one unit of work. */
  readonly operation: () => { readonly name: string; readonly input: unknown };
  /** How many units of work its database holds. */
  readonly done: (database: pg.Client) => Promise<number>;
}

export class Rounds {
  private constructor(
    readonly product: Product,
    /** Of its database. */
    private readonly name: string,
    private readonly databaseUrl: string,
    private readonly database: pg.Client,
    private readonly more: Readonly<Record<string, string>>,
  ) {}

  /** A database of the host's own on the stage's server, and more for its environment. */
  static async open(
    product: Product,
    name: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Rounds> {
    const url = await product.stack.postgres.createDatabase(name);
    const database = new pg.Client({ connectionString: url });
    database.on('error', () => undefined);
    await database.connect();
    return new Rounds(product, name, url, database, more);
  }

  get env(): Record<string, string> {
    return {
      DATABASE_URL: this.databaseUrl,
      NATS_URL: this.product.stack.nats.url,
      ...this.more,
    };
  }

  async sql(text: string): Promise<void> {
    await this.database.query(text);
  }

  close(): Promise<void> {
    return this.database.end();
  }

  /** What was done, by side: units of the host, and bob's balance at the example ledger. */
  private async state({ done }: Taking): Promise<{ host: number; bob: number }> {
    const text = `SELECT balance FROM account WHERE id = 'bob'`;
    const [row] = await this.product.sql<{ balance: string }>('ledger-west', text);
    return { host: await done(this.database), bob: Number(row?.balance) };
  }

  /** The account on the other side of every transaction; once per stage. */
  static async openBob(product: Product): Promise<void> {
    const operations = [{ name: 'open', input: { account: 'bob', amount: 0 } }];
    const branches = [{ participant: 'ledger-west', operations }];
    await product.client().transactions.submit({ branches }, { until: 'completed' });
  }

  async commit(taking: Taking): Promise<void> {
    const before = await this.state(taking);
    const answer = await this.submit(taking, { name: 'credit', amount: CREDIT });
    expect([answer.status, answer.body['status']]).toEqual([200, 'committed']);
    expect(await this.state(taking)).toEqual({ host: before.host + 1, bob: before.bob + CREDIT });
  }

  async abort(taking: Taking): Promise<void> {
    const before = await this.state(taking);
    const answer = await this.submit(taking, { name: 'debit', amount: 1_000_000 });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      409,
      expect.stringContaining('INSUFFICIENT_FUNDS'),
    ]);
    await this.product.untilNothingInDoubt();
    expect(await this.state(taking)).toEqual(before);
  }

  /** Killed with its branch prepared, while the other side still waits; the decision is made meanwhile. */
  async kill(taking: Taking, host: Host): Promise<void> {
    const before = await this.state(taking);
    const release = await this.holdBob();
    const answered = this.submit(taking, { name: 'credit', amount: CREDIT }, 'decided');
    await this.product.untilPrepared(1);
    await host.kill();
    await release();
    expect((await answered).status).toBe(200);
    const inDoubt = (await this.product.prepared()).map(({ database }) => database);
    expect(inDoubt).toContain(this.name);
    await host.start(this.env);
    await this.product.untilNothingInDoubt();
    await waitFor(async () => (await this.state(taking)).bob === before.bob + CREDIT, {
      what: 'the other side to be credited',
    });
    expect(await this.state(taking)).toEqual({ host: before.host + 1, bob: before.bob + CREDIT });
  }

  private submit(
    { participant, operation }: Taking,
    { name, amount }: { name: string; amount: number },
    until = 'completed',
  ) {
    const other = { name, input: { account: 'bob', amount } };
    return this.product.request('POST', `/v1/transactions?until=${until}`, {
      body: {
        timeoutMs: 30_000,
        commit: true,
        branches: [
          { participant, operations: [operation()] },
          { participant: 'ledger-west', operations: [other] },
        ],
      },
    });
  }

  /** Locks bob's row until the answer is called. */
  private async holdBob(): Promise<() => Promise<void>> {
    const client = new pg.Client({ connectionString: this.product.stack.databases.ledger_west });
    await client.connect();
    await client.query(`BEGIN; SELECT FROM account WHERE id = 'bob' FOR UPDATE`);
    return () => client.end();
  }
}

/** The shop of docs/adapters.md: each unit of work takes one from alice. */
export const SHOP: Taking = {
  participant: 'shop',
  operation: () => ({ name: 'debit', input: { account: 'alice', amount: 1 } }),
  done: async (database) => {
    const { rows } = await database.query<{ balance: number }>(
      `SELECT balance FROM account WHERE id = 'alice'`,
    );
    return 1_000 - (rows[0]?.balance ?? Number.NaN);
  },
};

let notes = 0;

/** The page's plain Node sample: each unit of work is a note. */
export const NOTES: Taking = {
  participant: 'notes',
  operation: () => ({ name: 'write', input: { id: `note-${(notes += 1)}`, text: 'written' } }),
  done: async (database) => {
    const { rows } = await database.query<{ count: string }>('SELECT count(*) FROM note');
    return Number(rows[0]?.count);
  },
};
