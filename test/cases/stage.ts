/**
 * A product, with a proxy on every wire unless it is as shipped, and what each case needs around its fault:
 * something to send, what became of it, and what databases keep of it. A rule that never fired fails its test.
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

/** What the databases hold, read without the product. */
export interface Kept {
  readonly alice: number;
  readonly bob: number;
  /** The register: one row for each decision on record. */
  readonly decisions: readonly {
    readonly transaction: string;
    readonly decision: 'commit' | 'abort';
    /** Whose branches it names. */
    readonly participants: readonly string[];
    readonly hasEnded: boolean;
  }[];
  /** The outcome rows of all participants. */
  readonly rows: readonly {
    readonly transaction: string;
    readonly participant: string;
    readonly kind: 'branch' | 'tombstone';
  }[];
}

const DECISIONS = `SELECT transaction, decision, ended_at IS NOT NULL AS "hasEnded",
     ARRAY(SELECT b ->> 'participant' FROM jsonb_array_elements(branches) AS b) AS participants
   FROM concordat.decision`;
const ROWS = `coalesce((SELECT json_agg(json_build_object(
       'transaction', transaction, 'participant', participant, 'kind', kind))
     FROM concordat_branch), '[]') AS rows`;
const BALANCE = '(SELECT balance::float FROM account WHERE id = $1) AS balance';
/** What might still prepare. */
const OPEN_WORK = `SELECT count(*)::int AS open FROM pg_stat_activity
   WHERE datname IN ('ledger_east', 'ledger_west', 'inventory') AND state LIKE 'idle in transaction%'`;
const OPEN_COMMITS = `SELECT count(*)::int AS open FROM concordat.decision
   WHERE decision = 'commit' AND ended_at IS NULL`;

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
const HEALED_MS = 30_000;

export interface CaseStageOptions extends ProductOptions {
  /** Without proxies, and with the periods of production. */
  readonly isAsShipped?: boolean;
  /** Servers of their own for some, with their database on it. */
  readonly apart?: Partial<Readonly<Record<Apart, PostgresServer>>>;
}

export class CaseStage {
  private before = { alice: OPENING_BALANCE, bob: OPENING_BALANCE };
  private fresh?: Kept;

  private constructor(
    readonly product: Product,
    private readonly wires: Wires,
    private readonly apart: Partial<Readonly<Record<string, PostgresServer>>>,
    private readonly participants: readonly ParticipantId[],
  ) {}

  static async start(asked: CaseStageOptions = {}): Promise<CaseStage> {
    const { apart = {}, isAsShipped = false, ...options } = asked;
    const { participants = ['ledger-east', 'ledger-west'] } = options;
    const wired = ['coordinator', 'coordinator-2', ...participants] as const;
    const wires = await Wires.lay(isAsShipped ? [] : wired);
    try {
      const product = await Product.start({
        ...options,
        participants,
        env: { ...(isAsShipped ? {} : SOON), ...options.env },
        reroute: (id, env) => {
          const name = id.startsWith('coordinator') ? 'concordat' : id;
          const url = addressOf(name, apart);
          return wires.reroute(id, url ? { ...env, DATABASE_URL: url } : env);
        },
      });
      const stage = new CaseStage(product, wires, apart, participants);
      await product.openAccounts(OPENING_BALANCE);
      await stage.untilNothingOpen();
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

  /** Waits until every service says that it is ready. */
  async untilReady(): Promise<void> {
    await waitFor(async () => (await Promise.all(this.services.map(isReady))).every(Boolean), {
      what: 'every service to be ready',
      timeoutMs: HEALED_MS,
    });
  }

  /** Before each test: waits until all is well, and remembers what there is. */
  async begin(): Promise<Kept> {
    await this.untilReady();
    const kept = await this.kept();
    this.before = { alice: kept.alice, bob: kept.bob };
    this.fresh = kept;
    return kept;
  }

  /** What there is, as `begin` has just found it where nothing has begun since. */
  async begun(): Promise<Kept> {
    const kept = this.fresh ?? (await this.begin());
    this.fresh = undefined;
    return kept;
  }

  /** Everything passes again, also on half-open connections; which faults never happened. */
  mend(): string[] {
    return this.wires.mend();
  }

  /** After each test: everything passes and lives again; fails when a fault never happened. */
  async heal(): Promise<void> {
    const unfired = this.mend();
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
    const now = await this.kept();
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

  /** Waits until so many branches of ours are prepared; their gids. */
  async untilPrepared(branches: number): Promise<string[]> {
    let gids: string[] = [];
    await waitFor(
      async () => {
        gids = (await this.prepared()).map((one) => one.gid).filter((gid) => gid.startsWith('cc:'));
        return gids.length >= branches;
      },
      { what: `${branches} branches to be prepared` },
    );
    return gids;
  }

  /**
   * Waits until no branch is in doubt, no commit is without its end, and no database transaction of a
   * participant is open, which might still prepare. A process that is dead, or dies of what was thrown, is
   * started again, as an init system would.
   */
  async untilNothingOpen(timeoutMs = HEALED_MS): Promise<void> {
    await waitFor(
      async () => {
        await this.product.startDead();
        const [commits] = await this.sql<{ open: number }>('concordat', OPEN_COMMITS);
        if (commits?.open !== 0 || (await this.openWork()) !== 0) return false;
        return (await this.prepared()).every(({ gid }) => !gid.startsWith('cc:'));
      },
      { what: 'nothing to be open or in doubt', timeoutMs, everyMs: 100 },
    );
  }

  private async openWork(): Promise<number> {
    const west = this.apart['ledger-west'];
    const found = [
      ...(await this.product.sql<{ open: number }>('superuser', OPEN_WORK)),
      ...(west ? await rowsOf<{ open: number }>(west.url(), OPEN_WORK, []) : []),
    ];
    return found.reduce((sum, { open }) => sum + open, 0);
  }

  /** Every decision on record. */
  decisions(): Promise<Kept['decisions']> {
    return this.sql<Kept['decisions'][number]>('concordat', DECISIONS);
  }

  /** What the databases hold now. */
  async kept(): Promise<Kept> {
    const [decisions, ...held] = await Promise.all([
      this.decisions(),
      ...this.participants.map((name) => this.keptAt(name)),
    ]);
    const balanceOf = (name: ParticipantId) =>
      held[this.participants.indexOf(name)]?.balance ?? Number.NaN;
    return {
      alice: balanceOf('ledger-east'),
      bob: balanceOf('ledger-west'),
      decisions,
      rows: held.flatMap(({ rows }) => rows),
    };
  }

  private async keptAt(name: ParticipantId): Promise<{ balance: number; rows: Kept['rows'] }> {
    const account = { 'ledger-east': 'alice', 'ledger-west': 'bob', inventory: undefined }[name];
    const [found] = account
      ? await this.sql<{ balance: number | null; rows: Kept['rows'] }>(
          name,
          `SELECT ${BALANCE}, ${ROWS}`,
          [account],
        )
      : await this.sql<{ balance: null; rows: Kept['rows'] }>(
          name,
          `SELECT NULL AS balance, ${ROWS}`,
        );
    return { balance: found?.balance ?? Number.NaN, rows: found?.rows ?? [] };
  }

  /** Of what there is now, that which is about transactions of which there was nothing before. */
  since(before: Kept, now: Kept): Kept {
    const known = new Set([...before.decisions, ...before.rows].map((one) => one.transaction));
    const isNew = ({ transaction }: { transaction: string }): boolean => !known.has(transaction);
    return { ...now, decisions: now.decisions.filter(isNew), rows: now.rows.filter(isNew) };
  }

  /** What only somebody at the server can do. */
  async asSuperuser(database: StackDatabase, text: string): Promise<void> {
    await rowsOf(this.product.stack.postgres.url(database), text, []);
  }

  /** The branch of a participant, as an operator sees it. */
  async branch(id: string, participant: ParticipantId): Promise<Record<string, unknown>> {
    const { body } = await this.get(id, '', this.product.operatorKey);
    return branchOf(body, participant);
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

/** The branch of a participant in an answer. */
export function branchOf(body: Json, participant: ParticipantId): Record<string, unknown> {
  const branches = (body['branches'] ?? []) as unknown as Record<string, unknown>[];
  const found = branches.find((one) => one['participant'] === participant);
  if (!found) throw new Error(`no branch of ${participant} in ${JSON.stringify(body)}`);
  return found;
}
