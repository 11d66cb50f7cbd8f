/**
 * The databases without the product: polls while it runs, the dump at rest, and what the nemesis does
 * to Postgres. As the superuser, so that terminated sessions are the product's and never ours.
 */
import { readBranches, readTimeline } from '@concordat/decision-log';
import type { TimelineEvent } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import pg from 'pg';
import type { Product } from '../../stage/product.js';
import type { AuditHead, AuditRow, TimelineEntry, Unstamped } from '../checker/history.js';
import type { PlantName, PlantPlace } from './plan.js';
import type { Recorder } from './recorder.js';
import * as sql from './readings.sql.js';

const CONNECT_MS = 2_000;
const ANSWER_MS = 10_000;
const PARTICIPANTS = [
  ['ledger-east', 'ledger_east'],
  ['ledger-west', 'ledger_west'],
  ['inventory', 'inventory'],
] as const;
const ROLES = ['concordat', 'ledger_east', 'ledger_west', 'inventory'];

export interface Seen {
  /** Seconds since 1970 of the server. */
  readonly now: number;
  readonly prepared: readonly { gid: string; database: string; preparedAtUs: number }[];
  readonly open: number;
  readonly decisions: readonly { transaction: string; decision: string }[];
}

export class Databases {
  constructor(private readonly product: Product) {}

  async poll(sinceS: number): Promise<Seen> {
    const [row] = await this.query<Seen & pg.QueryResultRow>('concordat', sql.POLL, [sinceS]);
    return row as Seen;
  }

  async cluster(): Promise<string> {
    const [row] = await this.query<{ cluster_id: string }>('concordat', sql.CLUSTER);
    return row?.cluster_id ?? '';
  }

  async terminate(count: number): Promise<number> {
    const values = [ROLES, count];
    const [row] = await this.query<{ ended: number }>('postgres', sql.TERMINATE, values);
    return row?.ended ?? 0;
  }

  /** Plants a foreign prepared transaction; what it is called and numbered. */
  async plant(
    id: number,
    name: PlantName,
    database: PlantPlace,
  ): Promise<{ gid: string; xid: string }> {
    const tail = `${String(id).padStart(26, '0')}-foreign1`;
    const gid = {
      stranger: `stranger-${tail}`,
      'other-cluster': `cc:another1:${tail}:1`,
      'other-database': `cc:${await this.cluster()}:${tail}:1`,
    }[name];
    const results = await this.use(database, (client) => client.query(sql.plantSql(gid)));
    // Several statements in one string: one result each, which the driver's types do not say.
    const all = results as unknown as pg.QueryResult<{ xid: string }>[];
    return { gid, xid: all[1]?.rows[0]?.xid ?? '' };
  }

  /** Everything that the databases hold at rest, as events. */
  async dump(recorder: Recorder): Promise<void> {
    for (const read of [this.decisions, this.heuristics, this.outcomes, this.balances]) {
      for (const event of await read.call(this)) recorder.record(event);
    }
    for (const read of [this.prepared, this.journal, this.audit]) {
      for (const event of await read.call(this)) recorder.record(event);
    }
  }

  private async decisions(): Promise<Unstamped[]> {
    const rows = await this.query<DecisionColumns>('concordat', sql.DECISIONS);
    return rows.map(({ decided_at_us, ended_at_us, branches, ...rest }) => ({
      type: 'decision',
      ...rest,
      branches: branches.map(({ branch, participant }) => ({ branch, participant })),
      decidedAtUs: decided_at_us,
      endedAtUs: ended_at_us,
    }));
  }

  private async heuristics(): Promise<Unstamped[]> {
    const rows = await this.query<HeuristicColumns>('concordat', sql.HEURISTICS);
    return rows.map((row) => ({ type: 'heuristic', ...row }));
  }

  private async outcomes(): Promise<Unstamped[]> {
    const events: Unstamped[] = [];
    for (const [participant, database] of PARTICIPANTS) {
      for (const row of await this.query<OutcomeColumns>(database, sql.OUTCOMES)) {
        const { transaction, branch, kind, created_at_us, committed_at_us } = row;
        events.push({
          type: 'outcome',
          // Whose database it is, not what the row says: a row in the wrong one must show.
          participant: row.participant === participant ? participant : `${participant}, wrongly`,
          transaction,
          branch,
          kind,
          createdAtUs: created_at_us,
          committedAtUs: committed_at_us,
        });
      }
    }
    return events;
  }

  private async balances(): Promise<Unstamped[]> {
    const events: Unstamped[] = [];
    for (const [participant, database] of PARTICIPANTS.slice(0, 2)) {
      const rows = await this.query<{ id: string; balance: string | null }>(database, sql.ACCOUNTS);
      for (const { id, balance } of rows) {
        const value = balance === null ? null : Number(balance);
        events.push({ type: 'balance', participant, key: id, value });
      }
    }
    const stock = await this.query<StockColumns>('inventory', sql.STOCK);
    for (const { sku, available, reserved } of stock) {
      const row = { type: 'balance', participant: 'inventory' } as const;
      events.push({ ...row, key: `${sku}.available`, value: available });
      events.push({ ...row, key: `${sku}.reserved`, value: reserved });
    }
    return events;
  }

  private async prepared(): Promise<Unstamped[]> {
    const rows = await this.query<PreparedColumns>('postgres', sql.PREPARED);
    return rows.map(({ prepared_at_us, ...rest }) => ({
      type: 'prepared',
      ...rest,
      preparedAtUs: prepared_at_us,
    }));
  }

  private async journal(): Promise<Unstamped[]> {
    const rows = await this.query<JournalColumns>('concordat', sql.JOURNAL);
    return rows.map(({ transaction, label, branches, timeline }) => ({
      type: 'journal',
      transaction,
      label,
      branches: readBranches(branches).map((one) => one.branch),
      timeline: readTimeline(transaction, readBranches(branches), timeline).map(entryOf),
    }));
  }

  private async audit(): Promise<Unstamped[]> {
    const rows = await this.query<Columns<AuditRow>>('concordat', sql.AUDIT);
    const heads = await this.query<Columns<AuditHead>>('concordat', sql.AUDIT_HEAD);
    return [
      ...rows.map((row): Unstamped => ({ type: 'audit', ...row })),
      ...heads.map((head): Unstamped => ({ type: 'audit-head', ...head })),
    ];
  }

  private async query<Row extends pg.QueryResultRow>(
    database: string,
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    return (await this.use(database, (client) => client.query<Row>(text, values))).rows;
  }

  private async use<T>(database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.product.stack.postgres.url(database),
      application_name: 'chaos',
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function entryOf({ sequence, type, branch, detail }: TimelineEvent): TimelineEntry {
  const said = detail?.['vote'] ?? detail?.['decision'] ?? detail?.['outcome'];
  return {
    sequence,
    type,
    ...(branch === undefined ? {} : { branch }),
    ...(typeof said === 'string' ? { said } : {}),
  };
}

/** A row that is read as it is written down. */
type Columns<E> = Omit<E, 'type' | 't' | 'wall'> & pg.QueryResultRow;

interface DecisionColumns extends pg.QueryResultRow {
  readonly transaction: string;
  readonly decision: 'commit' | 'abort';
  readonly label: string | null;
  readonly key: string | null;
  readonly branches: readonly { branch: string; participant: string }[];
  readonly decided_at_us: number;
  readonly ended_at_us: number | null;
  readonly outcome: string | null;
}

interface HeuristicColumns extends pg.QueryResultRow {
  readonly transaction: string;
  readonly branch: string;
  readonly participant: string;
  readonly found: string;
}

interface OutcomeColumns extends pg.QueryResultRow {
  readonly transaction: string;
  readonly branch: string;
  readonly participant: string;
  readonly kind: 'branch' | 'tombstone';
  readonly created_at_us: number;
  readonly committed_at_us: number | null;
}

interface StockColumns extends pg.QueryResultRow {
  readonly sku: string;
  readonly available: number;
  readonly reserved: number;
}

interface PreparedColumns extends pg.QueryResultRow {
  readonly gid: string;
  readonly database: string;
  readonly xid: string;
  readonly prepared_at_us: number;
}

interface JournalColumns extends pg.QueryResultRow {
  readonly transaction: TransactionId;
  readonly label: string | null;
  readonly branches: readonly object[];
  readonly timeline: readonly object[];
}
