/**
 * Which coordinators there are and how far back each still reaches. Guards protocol §3: participants forget
 * only below the low-water mark, and no live or unended transaction is below it. A coordinator without a
 * heartbeat holds the mark back until it is proven dead.
 */
import { RegisterUnknown, type Clock } from '@concordat/engine';
import {
  invariant,
  lowestTransactionIdAt,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import type pg from 'pg';
import {
  COORDINATOR_SEEN,
  FORGET_COORDINATOR,
  HOLDS_BEAT,
  LIST_COORDINATORS,
  LOW_WATER_MARK,
  NAME_DATABASE,
  NAME_SERVER,
} from './pruning.sql.js';
import { ask } from './question.js';

export interface Heartbeat {
  readonly incarnation: Incarnation;
  /** The oldest transaction that is live here; absent when none is. */
  readonly oldestLive?: TransactionId;
}

export interface KnownCoordinator {
  readonly incarnation: Incarnation;
  /** Nothing of its own is below. */
  readonly floor: TransactionId;
  /** By the decision database's clock. */
  readonly seenAgoMs: number;
  /** By the same clock. */
  readonly startedAtMs: number;
  /** The number of its last heartbeat. */
  readonly beat: number;
}

/** What a register is called, for people: none of it decides anything. */
export interface RegisterName {
  /** The server's system identifier; absent where this role may not ask for it. */
  readonly system?: string;
  readonly timeline?: number;
  readonly database: string;
  readonly oid: number;
}

export class Coordinators {
  private beats = 0;
  private acknowledged = 0;

  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    /** How far behind the database's now the mark stays at least. */
    private readonly horizonMs: number,
  ) {}

  heartbeat({ incarnation, oldestLive }: Heartbeat): Promise<void> {
    // Read before anything is awaited: everything begun from now on is younger than this instant.
    const floor = oldestLive ?? lowestTransactionIdAt(this.clock.wallNow());
    const beat = (this.beats += 1);
    return ask(this.pool, 'heartbeat', COORDINATOR_SEEN, [incarnation, floor, beat]).then(() => {
      this.acknowledged = beat;
    });
  }

  /** The number of the last heartbeat that this process knows to be written; 0 before the first. */
  get latestBeat(): number {
    return this.acknowledged;
  }

  /** Whether this register holds what a coordinator says to have written into its own. */
  async holdsBeat(incarnation: Incarnation, beat: number): Promise<boolean> {
    const [row] = await ask<{ standby: boolean; held: boolean }>(
      this.pool,
      'holds-beat',
      HOLDS_BEAT,
      [incarnation, beat],
    );
    if (!row || row.standby) throw new RegisterUnknown('this is a standby, which may lag behind');
    return row.held;
  }

  async name(): Promise<RegisterName> {
    type Named = { database: string; oid: number };
    const [named] = await ask<Named>(this.pool, 'name-database', NAME_DATABASE);
    invariant(named !== undefined, 'a SELECT without FROM returns one row');
    type Server = { system: string; timeline: number };
    const [server] = await ask<Server>(this.pool, 'name-server', NAME_SERVER).catch(() => []);
    return { ...server, ...named };
  }

  forget(incarnation: Incarnation, ifBeat?: number): Promise<void> {
    const values = [incarnation, ifBeat ?? null];
    return ask(this.pool, 'forget-coordinator', FORGET_COORDINATOR, values).then(nothing);
  }

  async list(): Promise<KnownCoordinator[]> {
    const rows = await ask<{
      incarnation: Incarnation;
      floor: TransactionId;
      seen_ago_ms: number;
      started_at_ms: number;
      beat: number;
    }>(this.pool, 'coordinators', LIST_COORDINATORS);
    return rows.map(({ incarnation, floor, beat, seen_ago_ms, started_at_ms }) => ({
      incarnation,
      floor,
      beat,
      seenAgoMs: Math.max(0, Math.round(seen_ago_ms)),
      startedAtMs: Math.round(started_at_ms),
    }));
  }

  async lowWaterMark(): Promise<TransactionId> {
    const [row] = await ask<{ below: TransactionId }>(this.pool, 'low-water-mark', LOW_WATER_MARK, [
      this.horizonMs,
    ]);
    invariant(row !== undefined, 'a SELECT without FROM returns one row');
    return row.below;
  }
}

function nothing(): void {}
