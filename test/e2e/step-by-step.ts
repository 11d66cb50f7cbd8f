/**
 * Transactions step by step behind a balancer that sends every request to the next coordinator: begin,
 * work in the east, work in the west, commit. Every request is sent again once, to the next coordinator,
 * where it got no answer, or after `Retry-After` one that says "not now"; begin and work go under a key, so
 * that nothing runs twice. What was answered is held against the register and the accounts afterwards.
 */
import { waitFor } from '@concordat/testing';
import { randomUUID } from 'node:crypto';
import type { CoordinatorId, Json, Product } from '../stage/product.js';

export const COORDINATORS: readonly CoordinatorId[] = [
  'coordinator',
  'coordinator-2',
  'coordinator-3',
];
/** No more transactions than these are open at once: a slow machine gets a smaller load, not a longer queue. */
const OPEN_MAX = 40;
/** So many that two transactions seldom meet: what a dead owner left open keeps its lock for its lease. */
const ACCOUNTS = 2_000;
const OPENED_AT_ONCE = 250;
const OPENED = 1_000;
const LEDGERS = [
  ['ledger-east', 'debit'],
  ['ledger-west', 'credit'],
] as const;

type Answer = Awaited<ReturnType<Product['request']>>;

export interface Told {
  readonly id?: string;
  readonly end: 'committed' | 'aborted' | 'unmended';
  /** What went wrong twice. */
  readonly why?: string;
}

export class StepByStep {
  readonly told: Told[] = [];
  private readonly running = new Set<Promise<unknown>>();
  /** Transactions that have ended, by who began them. */
  private readonly endedOf = new Map<CoordinatorId, number>();
  private requests = 0;
  private next = 0;

  private constructor(
    private readonly product: Product,
    private readonly before: Money,
  ) {}

  static async over(product: Product): Promise<StepByStep> {
    return new StepByStep(product, await moneyOf(product));
  }

  /** Opens the accounts that the transactions move money between. */
  static async open(product: Product): Promise<void> {
    for (let from = 0; from < ACCOUNTS; from += OPENED_AT_ONCE) {
      const operations = Array.from({ length: OPENED_AT_ONCE }, (_, n) => ({
        name: 'open',
        input: { account: `step-${from + n}`, amount: OPENED },
      }));
      const branches = LEDGERS.map(([participant]) => ({ participant, operations }));
      await product.client().transactions.submit({ branches }, { until: 'completed' });
    }
  }

  /**
   * Begins so many a second until stopped, fewer where the machine does not keep up; resolves when all are
   * answered.
   */
  async load(perSecond: number, isOver: () => boolean): Promise<void> {
    const { running } = this;
    let due = performance.now();
    while (!isOver()) {
      const waitMs = due - performance.now();
      if (waitMs > 0) await pause(waitMs);
      while (running.size >= OPEN_MAX) await Promise.race(running);
      due = Math.max(due, performance.now() - 1_000) + 1_000 / perSecond;
      const one = this.one().finally(() => running.delete(one));
      running.add(one);
    }
    await Promise.all(running);
  }

  /**
   * Resolves when all that is under way now has ended, so that no request has met what was done to a
   * coordinator before and can meet what is done to the next; and when each of them has so many more of its
   * own transactions behind it: those that came back have their share again, and the others see them.
   */
  async untilAllServe(count: number): Promise<void> {
    await Promise.all(this.running);
    const before = new Map(this.endedOf);
    const served = (at: CoordinatorId) => (this.endedOf.get(at) ?? 0) - (before.get(at) ?? 0);
    await waitFor(() => COORDINATORS.every((at) => served(at) >= count), {
      what: `${count} transactions of each coordinator to end`,
      timeoutMs: 60_000,
    });
  }

  /** One after the other. */
  async times(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await this.one();
  }

  async one(): Promise<void> {
    const account = `step-${this.next++ % ACCOUNTS}`;
    let id: string | undefined;
    let owner: CoordinatorId | undefined;
    const end = (ended: Told['end'], why?: string): void => {
      if (owner && ended !== 'unmended')
        this.endedOf.set(owner, (this.endedOf.get(owner) ?? 0) + 1);
      this.told.push({ end: ended, ...(id ? { id } : {}), ...(why ? { why } : {}) });
    };
    try {
      const begun = await this.ask('/v1/transactions', { timeoutMs: 20_000 }, randomUUID());
      if (begun.status !== 201) return end('unmended', said('begin', begun));
      id = String(begun.body['transactionId']);
      owner = begun.at;
      for (const [participant, name] of LEDGERS) {
        const operations = [{ name, input: { account, amount: 1 } }];
        const path = `/v1/transactions/${id}/branches`;
        const done = await this.ask(path, { participant, operations }, randomUUID());
        if (isAborted(done)) return end('aborted');
        if (done.status !== 200) return end('unmended', said(participant, done));
      }
      const committed = await this.ask(`/v1/transactions/${id}/commit?wait=20s`);
      if (isAborted(committed)) return end('aborted');
      if (committed.status === 200) return end('committed');
      // Still under way where a coordinator lost it: looked at, as the answer says.
      const seen = await this.ask(`/v1/transactions/${id}?wait=20s`, undefined, undefined, 'GET');
      const { decision } = seen.body;
      if (decision === undefined) return end('unmended', said('commit', committed));
      return end((decision as unknown) === 'commit' ? 'committed' : 'aborted');
    } catch (error) {
      end('unmended', String(error));
    }
  }

  /** What of the answers the register does not bear out, and money that came or went. */
  async wrong(): Promise<string[]> {
    const { product } = this;
    await product.untilAllEnded(60_000);
    const rows = await product.sql<{ transaction: string; decision: string }>(
      'concordat',
      'SELECT transaction, decision FROM concordat.decision',
    );
    const decisions = new Map(rows.map((row) => [row.transaction, row.decision]));
    const wrong = this.told.flatMap(({ id, end }) => {
      const stands = id && decisions.get(id);
      if (end === 'committed' && stands !== 'commit') return [`${id}: committed, ${stands}`];
      if (end === 'aborted' && stands === 'commit') return [`${id}: aborted, ${stands}`];
      return [];
    });
    const committed = this.told.filter(({ id }) => id && decisions.get(id) === 'commit').length;
    const now = await moneyOf(product);
    const left = this.before.east - now.east;
    const came = now.west - this.before.west;
    if (left !== committed || came !== committed) {
      wrong.push(`${left} left the east, ${came} came to the west, ${committed} committed`);
    }
    return wrong;
  }

  private async ask(
    path: string,
    body?: unknown,
    key?: string,
    method = 'POST',
  ): Promise<Answer & { readonly at: CoordinatorId }> {
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
    const turn = this.requests++;
    const once = async (turnOf: number) => {
      const at = COORDINATORS[turnOf % COORDINATORS.length] as CoordinatorId;
      return { ...(await this.product.request(method, path, { body, headers, at })), at };
    };
    const first = await once(turn).catch((error: unknown) => causeOf(error));
    if (typeof first !== 'string') {
      if (first.status < 500 && first.status !== 429) return first;
      await pause(1_000 * Number(first.headers.get('retry-after') ?? 0));
    }
    return once(turn + 1).catch((error: unknown) => {
      const before = typeof first === 'string' ? first : said('answered', first);
      throw new Error(`${method} ${path}: first ${before}; then ${causeOf(error)}`);
    });
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function causeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return `${String(error)} (${cause?.code ?? cause?.message ?? 'no cause'})`;
}

interface Money {
  readonly east: number;
  readonly west: number;
}

async function moneyOf(product: Product): Promise<Money> {
  const text = `SELECT sum(balance)::int AS n FROM account WHERE id LIKE 'step-%'`;
  const [east] = await product.sql<{ n: number }>('ledger-east', text);
  const [west] = await product.sql<{ n: number }>('ledger-west', text);
  return { east: Number(east?.n), west: Number(west?.n) };
}

function isAborted({ status, body }: Answer): boolean {
  return status === 409 && (body['code'] as unknown) === 'transaction-aborted';
}

function said(what: string, { status, body }: { status: number; body: Json }): string {
  return `${what}: ${status} ${JSON.stringify(body)}`;
}

const INSTANTS = ['begunAt', 'decidedAt', 'endedAt'] as const;

/**
 * In what the answers of all coordinators about one transaction contradict each other: instants, and the
 * entity tags of one version of what has ended. After a `first` answer they are asked at once, while some have
 * it in memory and some only the register's row; until all have what its owner noted; and again once its owner is
 * `restarted`. Without, from its owner's note on: an abort that was asked about before has a row of its own time.
 */
export async function contradictions(
  product: Product,
  id: string,
  first?: Answer,
  restarted?: CoordinatorId,
): Promise<string[]> {
  const told = first ? [first] : [];
  const isOne = async (): Promise<boolean> => {
    const ask = (at: CoordinatorId) => product.request('GET', `/v1/transactions/${id}`, { at });
    const answers = await Promise.all(COORDINATORS.map(ask));
    told.push(...answers);
    const ended = answers.filter(({ body }) => body['endedAt'] !== undefined);
    return ended.length === 3 && new Set(ended.map(({ body }) => body['version'])).size === 1;
  };
  const noted = 'SELECT 1 FROM concordat.journal WHERE transaction = $1 AND ended_at IS NOT NULL';
  const isNoted = async () => (await product.sql('concordat', noted, [id])).length > 0;
  if (!first) await waitFor(isNoted, { what: `the end of ${id} to be noted` });
  await waitFor(isOne, { what: `the story of ${id} to be noted` });
  if (restarted) {
    await product.restart(restarted);
    await isOne();
  }
  const values = new Map<string, Set<string | null>>();
  const take = (what: string, value: string | null) =>
    values.set(what, (values.get(what) ?? new Set()).add(value));
  for (const { headers, body } of told.filter((one) => one.body['decidedAt'] !== undefined)) {
    for (const name of INSTANTS) if (body[name] !== undefined) take(name, body[name]);
    if (body['endedAt'] !== undefined) take(`v${body['version']}`, headers.get('etag'));
  }
  return [...values].flatMap(([what, all]) => (all.size > 1 ? `${what}: ${[...all].join()}` : []));
}
