/**
 * Which coordinators there are and how far back each still reaches. Guards protocol §3: participants
 * forget only below the low-water mark, which no live or unended transaction lies below. A
 * coordinator that has not been heard of holds the mark back until somebody proves it dead.
 */
import type { Clock } from '@concordat/engine';
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
  LIST_COORDINATORS,
  LOW_WATER_MARK,
} from './pruning.sql.js';
import { ask } from './question.js';

export interface Heartbeat {
  readonly incarnation: Incarnation;
  /** The oldest transaction that is live here; absent when none is. */
  readonly oldestLive?: TransactionId;
}

export interface KnownCoordinator {
  readonly incarnation: Incarnation;
  /** Nothing of its own lies below. */
  readonly floor: TransactionId;
  /** By the decision database's clock. */
  readonly seenAgoMs: number;
  /** By the same clock. */
  readonly startedAtMs: number;
}

export class Coordinators {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
    /** How far behind the database's now the mark stays at least. */
    private readonly horizonMs: number,
  ) {}

  heartbeat({ incarnation, oldestLive }: Heartbeat): Promise<void> {
    // Read before anything is awaited: whatever begins from now on is younger than this instant.
    const floor = oldestLive ?? lowestTransactionIdAt(this.clock.wallNow());
    return ask(this.pool, 'heartbeat', COORDINATOR_SEEN, [incarnation, floor]).then(nothing);
  }

  forget(incarnation: Incarnation): Promise<void> {
    return ask(this.pool, 'forget-coordinator', FORGET_COORDINATOR, [incarnation]).then(nothing);
  }

  async list(): Promise<KnownCoordinator[]> {
    const rows = await ask<{
      incarnation: Incarnation;
      floor: TransactionId;
      seen_ago_ms: number;
      started_at_ms: number;
    }>(this.pool, 'coordinators', LIST_COORDINATORS);
    return rows.map(({ incarnation, floor, seen_ago_ms, started_at_ms }) => ({
      incarnation,
      floor,
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
