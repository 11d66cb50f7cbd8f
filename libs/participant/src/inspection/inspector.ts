/**
 * The closer look into a participant's database: pages of prepared branches and outcome rows, what
 * branches hold and who waits for them. Guards "looking never hurts": it has one connection of its
 * own, which no branch and no decision ever waits for, and statements that end by themselves; and
 * protocol §5: what a standby does not show is an error, never an empty list.
 */
import {
  formatGid,
  gidPrefix,
  parseGid,
  type BranchId,
  type ClusterId,
  type Gid,
  type GidParts,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import {
  WAITS_MAX,
  type BranchFate,
  type BranchImpact,
  type CommittedPage,
  type LockWaits,
  type OutcomeKey,
  type PreparedPage,
  type WaiterReport,
} from '@concordat/engine';
import type { Pool, PoolClient, QueryResultRow } from 'pg';
import { identifier } from '../postgres/branch.sql.js';
import { INSPECTION_CONNECTIONS } from '../postgres/connections.js';
import { StandbyServer } from '../postgres/inventory.js';
import { LOCKS_WAITED_FOR_BY_ANYBODY } from '../postgres/lock-wait.sql.js';
import { openSecondPhasePool, lend } from '../postgres/pools.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import type { SeenLock } from '../postgres/waits.js';
import {
  blockedSessions,
  waitersByBranch,
  type LockHolder,
  type QueuedSession,
} from './blocking.js';
import { lockWaitsIn } from './lock-waits.js';
import {
  BEGIN_LOOKING,
  CHECK_FACTS,
  DATABASE_FACTS,
  END_LOOKING,
  HELD_LOCKS,
  outcomePageSql,
  PREPARED_PAGE,
  STILL_PREPARED,
  WAITING,
} from './looking.sql.js';

const ANSWER_MS = 5_000;
/** Sessions that wait, read at once; holders named of one lock; relations named of one branch. */
const WAITERS_MAX = 500;
const HOLDERS_MAX = 200;
const RELATIONS_MAX = 40;
const WAITERS_OF_BRANCH_MAX = 50;
const ROWS_OF_RELATION_MAX = 20;

/** Who waits for what, at one moment. */
export interface Blocking {
  readonly byBranch: ReadonlyMap<string, readonly WaiterReport[]>;
  readonly sessions: number;
  /** More wait than were read. */
  readonly truncated: boolean;
}

export interface DatabaseFacts {
  readonly name: string;
  readonly version: string;
  /** Where the outcome table is: the commands shown to people must name it. */
  readonly schema: string;
}

export interface CheckFacts {
  readonly version: string;
  readonly database: string;
  readonly role: string;
  readonly backend: number;
  /** The process id that the connection itself was given: another one behind a pooler. */
  readonly connectedTo: number | null;
  readonly standby: boolean;
  readonly slotsMax: number;
  readonly slotsUsed: number;
  /** Every kind of session that the server allows. */
  readonly sessionsMax: number;
  readonly reaper: string | null;
  readonly monitor: boolean;
  readonly clockMs: number;
  readonly oldestMs: number | null;
}

export class Inspector {
  private readonly pool: Pool;
  private readonly prefix: string;
  private facts?: DatabaseFacts;

  constructor(
    private readonly resource: PostgresResource,
    private readonly options: {
      readonly cluster: ClusterId;
      readonly participant: ParticipantName;
      readonly onConnectionError?: (error: Error) => void;
    },
  ) {
    this.prefix = gidPrefix(options.cluster);
    this.pool = openSecondPhasePool(resource.sessions, {
      connectionsMax: INSPECTION_CONNECTIONS,
      timeoutMs: ANSWER_MS,
      onError: options.onConnectionError ?? (() => undefined),
    });
  }

  async close(): Promise<void> {
    if (!this.pool.ending) await this.pool.end();
  }

  /** Asked once; a server that was replaced since shows with the next start. */
  async database(): Promise<DatabaseFacts | undefined> {
    if (this.facts) return this.facts;
    const [row] = await this.rows<Omit<DatabaseFacts, 'schema'>>(DATABASE_FACTS, []);
    if (row) this.facts = { ...row, schema: this.resource.schema };
    return this.facts;
  }

  async checkFacts(): Promise<CheckFacts> {
    return this.looking(async (client) => {
      const { rows } = await client.query<CheckFacts>(CHECK_FACTS, [
        this.prefix,
        this.resource.table,
      ]);
      if (!rows[0]) throw new Error('the database answered nothing about itself: is it Postgres?');
      const { processID: connectedTo } = client as unknown as { processID: number | null };
      return { ...rows[0], connectedTo };
    });
  }

  /** Prepared branches in the order of their gids. */
  async preparedPage({
    after = '',
    limit,
  }: {
    readonly after?: string;
    readonly limit: number;
  }): Promise<PreparedPage> {
    const [row] = await this.rows<{
      standby: boolean;
      entries: { gid: string; heldMs: number }[];
    }>(PREPARED_PAGE, [this.prefix, this.resource.table, after, limit]);
    if (!row || row.standby) throw new StandbyServer();
    const branches = row.entries.flatMap(({ gid, heldMs }) => {
      const parts = parseGid(gid); // A probe of the start-up check is no branch.
      if (!parts) return [];
      const { transaction, branch } = parts;
      return [{ gid: gid as Gid, transaction, branch, heldMs: Math.max(0, heldMs) }];
    });
    const last = row.entries.at(-1);
    return { branches, ...(last && row.entries.length === limit ? { next: last.gid } : {}) };
  }

  /** Rows of committed branches in the order of their keys. A page may come without any. */
  async committedPage({
    after,
    limit,
  }: {
    readonly after?: OutcomeKey;
    readonly limit: number;
  }): Promise<CommittedPage> {
    const [row] = await this.rows<{
      standby: boolean;
      rows: { transaction: string; branch: string; kind: string; participant: string }[];
    }>(outcomePageSql(this.resource.schema), [after?.transaction ?? '', after?.branch ?? 0, limit]);
    if (!row || row.standby) throw new StandbyServer();
    const keys = row.rows.map(({ transaction, branch }) => ({
      transaction: transaction as TransactionId,
      branch: branch as BranchId,
    }));
    const { participant } = this.options;
    const committed = keys.filter((_, at) => {
      const one = row.rows[at];
      return one?.kind === 'branch' && one.participant === participant;
    });
    const last = keys.at(-1);
    return { rows: committed, ...(last && keys.length === limit ? { next: last } : {}) };
  }

  /**
   * What became of these branches. The list of prepared ones first, outcome rows second: a branch that
   * commits in between is found by its row. The other way round it would be in neither.
   */
  async fates(
    gids: readonly string[],
  ): Promise<{ readonly gid: string; readonly fate: BranchFate }[]> {
    const asked = gids.flatMap((gid) => this.own(gid) ?? []);
    const [still] = await this.rows<{ standby: boolean; gids: string[] }>(STILL_PREPARED, [
      asked.map((one) => formatGid(one)),
    ]);
    if (!still || still.standby) throw new StandbyServer();
    const prepared = new Set(still.gids);
    const { participant } = this.options;
    const gone = asked.filter((one) => !prepared.has(formatGid(one)));
    const outcomes = await this.resource.outcomesOf(gone.map((one) => ({ ...one, participant })));
    const kinds = new Map(
      outcomes.map(({ transaction, branch, kind }) => [`${transaction}:${branch}`, kind]),
    );
    return asked.map((one) => {
      const gid = formatGid(one);
      if (prepared.has(gid)) return { gid, fate: 'prepared' };
      const kind = kinds.get(`${one.transaction}:${one.branch}`);
      return { gid, fate: kind === 'branch' ? 'committed' : (kind ?? 'nothing') };
    });
  }

  /** All sessions that wait for a prepared branch; `named` are found among the holders in any case. */
  async blocking(named: readonly string[] = []): Promise<Blocking> {
    const [row] = await this.rows<{
      waiting: number;
      queue: QueuedSession[];
      holders: LockHolder[];
    }>(WAITING, [this.prefix, WAITERS_MAX, named, HOLDERS_MAX]);
    const { queue = [], holders = [], waiting = 0 } = row ?? {};
    const byBranch = waitersByBranch(queue, holders);
    return { byBranch, sessions: blockedSessions(byBranch), truncated: waiting > WAITERS_MAX };
  }

  /** Who waits for whom, as far as branches of this cluster are in it. */
  async lockWaits(): Promise<LockWaits> {
    const [row] = await this.rows<{ more: boolean; locks: SeenLock[] }>(
      LOCKS_WAITED_FOR_BY_ANYBODY,
      [WAITERS_MAX],
    );
    const { cluster, participant } = this.options;
    const waits = lockWaitsIn(row?.locks ?? [], cluster, participant);
    const truncated = row?.more === true || waits.length > WAITS_MAX;
    const [sessions, listed] = [waits.length, waits.slice(0, WAITS_MAX)];
    return { sessions, waits: listed, ...(truncated ? { truncated } : {}) };
  }

  /** What the branches asked for, or the oldest so many, hold; `blocking` says who waits. */
  async impact(
    wanted: { readonly gids?: readonly string[]; readonly oldest: number },
    blocking: Blocking,
  ): Promise<BranchImpact[]> {
    const rows = await this.rows<{
      gid: string;
      xidAge: number;
      heldMs: number;
      locks: { relation: string; mode: string }[];
      more: boolean;
    }>(HELD_LOCKS, [
      this.prefix,
      wanted.gids ?? null,
      wanted.gids?.length ?? wanted.oldest,
      `${identifier(this.resource.schema)}.concordat_branch`,
      RELATIONS_MAX,
    ]);
    return rows.map(({ gid, xidAge, heldMs, locks, more }) => {
      const waiters = blocking.byBranch.get(gid) ?? [];
      const truncated = more || waiters.length > WAITERS_OF_BRANCH_MAX || blocking.truncated;
      return {
        gid,
        heldMs: Math.max(0, heldMs),
        xidAge,
        locks: locks.map((lock) => ({ ...lock, ...rowsOf(lock.relation, waiters) })),
        waiters: waiters.slice(0, WAITERS_OF_BRANCH_MAX),
        blockedSessions: waiters.length,
        ...(truncated ? { truncated } : {}),
      };
    });
  }

  private own(gid: string): GidParts | undefined {
    const parts = parseGid(gid);
    return parts?.cluster === this.options.cluster ? parts : undefined;
  }

  private rows<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    return this.looking(async (client) => (await client.query<Row>(text, [...values])).rows);
  }

  private async looking<T>(look: (client: PoolClient) => Promise<T>): Promise<T> {
    return lend(await this.pool.connect(), async (client) => {
      await client.query(BEGIN_LOOKING);
      const found = await look(client);
      await client.query(END_LOOKING);
      return found;
    });
  }
}

/** The rows of a relation that a session waits for. The others cannot be known without reading it. */
function rowsOf(
  relation: string,
  waiters: readonly WaiterReport[],
): { readonly rows?: readonly string[] } {
  const rows = new Set<string>();
  for (const one of waiters) {
    const isDirect = one.behind === undefined;
    if (isDirect && one.relation === relation && one.row !== undefined) rows.add(one.row);
  }
  return rows.size > 0 ? { rows: [...rows].slice(0, ROWS_OF_RELATION_MAX) } : {};
}
