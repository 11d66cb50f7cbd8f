/**
 * The reader: one transaction, or a page of a list, newest first. Guards "the register is the truth":
 * a page is filtered again after both rows are merged, so that a stale story never shows a
 * transaction under a status it no longer has.
 */
import type { Clock } from '@concordat/engine';
import {
  isTransactionId,
  lowestTransactionIdAt,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import type pg from 'pg';
import { candidateQueries, countQuery, type Bounds } from './candidates.sql.js';
import { makeCursor, markOf, readCursor, type Position } from './cursor.js';
import {
  COUNT_MAX,
  FIRST_MAX,
  LIMIT_DEFAULT,
  LIMIT_MAX,
  type ListRequest,
  type TransactionFilter,
  type View,
} from './list-filter.js';
import {
  recordOf,
  summaryOf,
  type RecordRow,
  type TransactionRecord,
  type TransactionSummary,
} from './transaction-record.js';
import { ABORT_KINDS, IN_DOUBT, NOT_WAITING } from './overview.sql.js';
import { mayHardlyMeet, search, type Searched } from './search.js';
import {
  ABANDONED,
  ATTENTION,
  FIRST_AND_LAST,
  LIMIT_TIME,
  READ_RECORDS,
  READ_SUMMARIES,
} from './transaction.sql.js';

export interface TransactionPage {
  readonly transactions: readonly TransactionSummary[];
  /** Absent on the last page. A page may be short, even empty, and yet have one behind it. */
  readonly nextCursor?: string;
}

export interface Attention {
  readonly unfinishedCommits: number;
  readonly oldestUnfinishedMs: number;
  readonly unresolvedHeuristics: number;
}

export interface InDoubtQuestion {
  /** Where the buckets of the histogram begin, ascending from 0. */
  readonly agesMs: readonly number[];
  readonly alive: readonly Incarnation[];
  /** Transactions that wait at a participant: those that no commit on record accounts for are added. */
  readonly others: readonly TransactionId[];
}

export interface InDoubt {
  /** Commits on record that have not ended; at most {@link COUNT_MAX} are counted. */
  readonly transactions: number;
  readonly undecided: number;
  /** Without a finisher that is alive. */
  readonly abandoned: number;
  readonly histogram: readonly number[];
  readonly oldest?: TransactionId;
}

/** Aborts whose reasons are counted at most. */
const ABORTS_MAX = 1_000;
/** Sorts after every transaction id. */
const END = '~';
/** Histories that lag behind make a page short; look on, but not forever. */
const ROUNDS_MAX = 4;

/** What Postgres says of a statement that was ended by its time-out. */
const QUERY_CANCELED = '57014';

type Database = pg.Pool | pg.PoolClient;

/** Where in a list: after this one, in this order. */
interface Place {
  readonly last?: TransactionId;
  readonly oldestFirst: boolean;
}

export class TransactionReader {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    private readonly stuckAfterMs: number,
  ) {}

  /** Everything known of a transaction, or undefined. */
  async get(transaction: TransactionId): Promise<TransactionRecord | undefined> {
    const { rows } = await this.pool.query<RecordRow>(READ_RECORDS, [[transaction]]);
    const [row] = rows.filter(isKnown);
    return row && recordOf(row);
  }

  /** A page of a list, newest first unless said otherwise. Rejects with CursorRefused. */
  async list(request: ListRequest): Promise<TransactionPage> {
    const { limit: wanted, cursor, first = [], besides, oldestFirst = false, ...filter } = request;
    const limit = Math.min(Math.max(1, Math.trunc(wanted ?? LIMIT_DEFAULT)), LIMIT_MAX);
    const bound = { ...filter, oldestFirst: oldestFirst || undefined };
    const from: Position = cursor === undefined ? { ahead: new Set() } : readCursor(bound, cursor);
    const ahead = new Set(from.ahead);
    const transactions: TransactionSummary[] = [];
    if (from.last === undefined) {
      const harmful = first.slice(0, FIRST_MAX).filter((id) => !ahead.has(markOf(id)));
      const found = (await this.summaries(harmful)).filter((one) =>
        this.fits(one, filter, new Set(besides)),
      );
      transactions.push(...found.slice(0, limit));
      for (const one of transactions) ahead.add(markOf(one.transaction));
      if (found.length > limit) return { transactions, nextCursor: makeCursor(bound, { ahead }) };
    }
    let { last } = from;
    for (let round = 1; ; round++) {
      const missing = limit - transactions.length;
      const wantedIds = missing + ahead.size + 1;
      const { ids, to } = await this.look(filter, { last, oldestFirst }, wantedIds);
      const fresh = ids.filter((id) => !ahead.has(markOf(id)));
      const page = fresh.slice(0, missing);
      const found = await this.summaries(page);
      transactions.push(...found.filter((one) => this.fits(one, filter)));
      const isAll = fresh.length <= missing;
      if (isAll && to === undefined && ids.length < wantedIds) return { transactions };
      if (isAll && to !== undefined) {
        return { transactions, nextCursor: makeCursor(bound, { last: to, ahead }) };
      }
      last = page.at(-1) ?? last;
      if (transactions.length >= limit || round === ROUNDS_MAX) {
        return { transactions, nextCursor: makeCursor(bound, { last, ahead }) };
      }
    }
  }

  /**
   * How many a list has: exact up to {@link COUNT_MAX}, and whether there are, or may be, more. `besides`:
   * as in a {@link ListRequest}, where the list is that of the stuck.
   */
  async count(
    filter: TransactionFilter,
    besides: readonly TransactionId[] = [],
  ): Promise<{ value: number; isMore: boolean }> {
    let count = await this.countBesides(filter, besides);
    const { to } = await this.through(filter, { oldestFirst: false }, async (bounds, db) => {
      const { text, values } = countQuery(filter, { ...bounds, limit: COUNT_MAX + 1 - count });
      const { rows } = await db.query<{ count: number }>(text, [...values]);
      count += rows[0]?.count ?? 0;
      return count > COUNT_MAX;
    });
    return { value: Math.min(count, COUNT_MAX), isMore: count > COUNT_MAX || to !== undefined };
  }

  /** How many of `besides` belong to the list that no index finds. */
  private async countBesides(
    filter: TransactionFilter,
    besides: readonly TransactionId[],
  ): Promise<number> {
    const found = await this.summaries(besides);
    const all = new Set(besides);
    return found.filter((one) => !this.isStuck(one) && this.fits(one, filter, all)).length;
  }

  /** The same transactions as summaries, those that are known, in the order of the ids. */
  async some(ids: readonly TransactionId[]): Promise<TransactionSummary[]> {
    return this.summaries(ids);
  }

  /**
   * Undecided transactions that an incarnation left in the history, oldest first, behind `after`. Once it is proven dead, an
   * inquiry about each records an abort and takes it off the list of the stuck.
   */
  async abandonedBy(
    incarnation: Incarnation,
    limit: number,
    after?: TransactionId,
  ): Promise<TransactionId[]> {
    const asked = [incarnation, limit, after ?? ''];
    const { rows } = await this.pool.query<{ transaction: TransactionId }>(ABANDONED, asked);
    return rows.map((row) => row.transaction);
  }

  /** What waits, by age; `alive` are the coordinators that finish their own. */
  async inDoubt({ agesMs, alive, others }: InDoubtQuestion): Promise<InDoubt> {
    const now = this.clock.wallNow();
    // The older, the smaller the id: the buckets come out in the opposite order.
    const ends = [...agesMs].reverse().map((age) => lowestTransactionIdAt(Math.max(0, now - age)));
    const { rows } = await this.pool.query<{
      transactions: number;
      oldest: TransactionId | null;
      abandoned: number;
      ages: Readonly<Record<string, number>> | null;
    }>(IN_DOUBT, [COUNT_MAX, ends, [...alive]]);
    const undecided = await this.pool.query<{ count: number }>(NOT_WAITING, [[...others]]);
    const [row] = rows;
    return {
      transactions: row?.transactions ?? 0,
      abandoned: row?.abandoned ?? 0,
      undecided: undecided.rows[0]?.count ?? 0,
      histogram: agesMs.map((_, at) => {
        const bucket = agesMs.length - 1 - at;
        // What seems to be made in the future, by clocks that differ, is young.
        const young = at === 0 ? (row?.ages?.[String(bucket + 1)] ?? 0) : 0;
        return (row?.ages?.[String(bucket)] ?? 0) + young;
      }),
      ...(row?.oldest ? { oldest: row.oldest } : {}),
    };
  }

  /** Why transactions aborted within the last `withinMs`, of the last thousand. */
  async abortKinds(withinMs: number): Promise<{ kind: string; count: number }[]> {
    const since = lowestTransactionIdAt(this.clock.wallNow() - withinMs);
    const { rows } = await this.pool.query<{ kind: string; count: number }>(ABORT_KINDS, [
      since,
      ABORTS_MAX,
    ]);
    return rows.sort((a, b) => b.count - a.count);
  }

  /** The counts that alerts look at. */
  async attention(): Promise<Attention> {
    const { rows } = await this.pool.query<{
      unfinished_commits: number;
      oldest_unfinished_ms: number | null;
      unresolved_heuristics: number;
    }>(ATTENTION);
    const [row] = rows;
    return {
      unfinishedCommits: row?.unfinished_commits ?? 0,
      oldestUnfinishedMs: Math.max(0, Math.round(row?.oldest_unfinished_ms ?? 0)),
      unresolvedHeuristics: row?.unresolved_heuristics ?? 0,
    };
  }

  /** So many ids of a list from a place on; `to` where it stopped for having taken too long. */
  private async look(
    filter: TransactionFilter,
    place: Place,
    limit: number,
  ): Promise<Searched & { readonly ids: TransactionId[] }> {
    const ids: TransactionId[] = [];
    const searched = await this.through(filter, place, async (bounds, db) => {
      const { oldestFirst } = place;
      const within = { ...bounds, limit: limit - ids.length, oldestFirst };
      ids.push(...(await candidates(db, filter, within)));
      return ids.length >= limit;
    });
    return { ...searched, ids };
  }

  /** All of a list's range at once where indexes lead to it, and otherwise window by window. */
  private async through(
    filter: TransactionFilter,
    place: Place,
    look: (bounds: Omit<Bounds, 'limit'>, db: Database) => Promise<boolean>,
  ): Promise<Searched> {
    const bounds = this.bounds(filter, place);
    if (!mayHardlyMeet(filter)) {
      await look(bounds, this.pool);
      return {};
    }
    const { rows } = await this.pool.query<{ first: string | null; last: string | null }>(
      FIRST_AND_LAST,
    );
    const { clock } = this;
    const [ends] = rows;
    const { oldestFirst } = place;
    const options = { clock, oldestFirst, from: ends?.first ?? '', until: ends?.last ?? '' };
    return search(bounds, options, async (window, limitMs) => {
      const found = await this.within(limitMs, (db) => look({ ...bounds, ...window }, db));
      if (found === undefined) return 'too-long';
      return found ? 'enough' : 'more';
    });
  }

  /** Undefined where a statement took longer than it may. */
  private async within<T>(
    limitMs: number | undefined,
    ask: (db: Database) => Promise<T>,
  ): Promise<T | undefined> {
    if (limitMs === undefined) return ask(this.pool);
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(LIMIT_TIME, [String(limitMs)]);
      const found = await ask(client);
      await client.query('COMMIT');
      client.release();
      return found;
    } catch (error) {
      // A session in a broken transaction is not given to another caller.
      client.release(true);
      if ((error as { code?: unknown }).code === QUERY_CANCELED) return undefined;
      throw error;
    }
  }

  /** Ids sort by time: an age, a keyset and the beginning of an id are all ends of one range. */
  private bounds(filter: TransactionFilter, { last, oldestFirst }: Place): Omit<Bounds, 'limit'> {
    const now = this.clock.wallNow();
    const { olderThanMs, idBegins } = filter;
    const lows = ['', ...(idBegins === undefined ? [] : [idBegins.slice(0, -1)])];
    const highs = [
      END,
      ...(olderThanMs === undefined ? [] : [lowestTransactionIdAt(now - olderThanMs)]),
      ...(idBegins === undefined ? [] : [`${idBegins}${END}`]),
    ];
    if (last !== undefined) (oldestFirst ? lows : highs).push(last);
    return {
      above: lows.reduce((a, b) => (a > b ? a : b)),
      below: highs.reduce((a, b) => (a < b ? a : b)),
      stuckBefore: this.stuckBefore(),
      stuckAfterMs: this.stuckAfterMs,
    };
  }

  private stuckBefore(): TransactionId {
    return lowestTransactionIdAt(this.clock.wallNow() - this.stuckAfterMs);
  }

  /**
   * Whether it belongs to the list, by both rows together. `besides`: it was found by no index, and these are
   * stuck as long as they have not ended.
   */
  private fits(
    one: TransactionSummary,
    filter: TransactionFilter,
    besides?: ReadonlySet<TransactionId>,
  ): boolean {
    const { status, idBegins = '' } = filter;
    if (status !== undefined && one.status !== status) return false;
    if (!one.transaction.startsWith(idBegins)) return false;
    if (!besides) return true;
    // What was not found by its index has to pass the index's condition.
    const { olderThanMs = 0, participant, label, principal } = filter;
    if (one.begunAtMs > this.clock.wallNow() - olderThanMs) return false;
    if (participant && !one.branches.some((branch) => branch.participant === participant)) {
      return false;
    }
    if (label !== undefined && one.label !== label) return false;
    if (principal !== undefined && one.principal !== principal) return false;
    const view = filter.view ?? (filter.stuck ? 'stuck' : 'all');
    if (view !== 'stuck') return belongs(one, view);
    const isBlocking = one.endedAtMs === undefined && besides.has(one.transaction);
    return isBlocking || this.isStuck(one);
  }

  /** As the query of the stuck has it, so that their list has as many as their count says. */
  private isStuck(one: TransactionSummary): boolean {
    if (isUnresolved(one)) return true;
    if (one.endedAtMs !== undefined || one.transaction >= this.stuckBefore()) return false;
    if (one.decisionStands) return one.decision === 'commit';
    const deadlineMs = one.begunAtMs + (one.timeoutMs ?? 0);
    const isOpen = /^(active|preparing|deciding)$/.test(one.status);
    return isOpen && deadlineMs < this.clock.wallNow() - this.stuckAfterMs;
  }

  private async summaries(ids: readonly TransactionId[]): Promise<TransactionSummary[]> {
    if (ids.length === 0) return [];
    const { rows } = await this.pool.query<RecordRow>(READ_SUMMARIES, [[...ids]]);
    const found = new Map(rows.filter(isKnown).map((row) => [row.transaction, summaryOf(row)]));
    return ids.flatMap((id) => found.get(id) ?? []);
  }
}

async function candidates(
  db: Database,
  filter: TransactionFilter,
  bounds: Bounds,
): Promise<TransactionId[]> {
  const { limit, oldestFirst } = bounds;
  const ids = new Set<TransactionId>();
  for (const { text, values } of candidateQueries(filter, bounds)) {
    const { rows } = await db.query<{ transaction: TransactionId }>(text, [...values]);
    for (const row of rows) ids.add(row.transaction);
  }
  const sign = oldestFirst ? -1 : 1;
  return [...ids].sort((a, b) => (a < b ? sign : -sign)).slice(0, limit);
}

function isKnown(row: RecordRow): boolean {
  return (
    isTransactionId(row.transaction) &&
    (row.j_status !== null || row.d_decision !== null || row.heuristics !== null)
  );
}

function isUnresolved(one: TransactionSummary): boolean {
  return one.heuristics.some((heuristic) => heuristic.resolution === undefined);
}

/** Whether a transaction that holds others up belongs to a view. */
function belongs(one: TransactionSummary, view: Exclude<View, 'stuck'>): boolean {
  switch (view) {
    case 'in-doubt':
      return one.endedAtMs === undefined && one.status !== 'active';
    case 'deciding':
      return one.decision === undefined;
    case 'heuristic':
      return isUnresolved(one);
    case 'recent-aborts':
      return one.status === 'aborted';
    case 'all':
      return true;
  }
}
