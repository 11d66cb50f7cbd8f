/**
 * What is prepared in this database: the list that recovery works from, and what the prepared
 * branches hold up. Guards protocol §5: own prefix, own database, primary only; "I cannot see" is an
 * error, never an empty list.
 */
import { gidPrefix, type ClusterId, type PreparedEntry } from '@concordat/protocol';
import type { PreparedInventory } from '@concordat/engine';
import type { Pool } from 'pg';
import { LIST_PREPARED, LOCK_IMPACT } from './inspection.sql.js';

/** What one prepared branch holds. */
export interface LockImpact {
  readonly gid: string;
  readonly heldMs: number;
  /** Age of its transaction id: how much vacuum must keep. */
  readonly xidAge: number;
  readonly locks: readonly { readonly relation: string; readonly mode: string }[];
  /** Sessions that wait for a row of it; waiters on whole tables come on top. */
  readonly waiting: number;
}

export class StandbyServer extends Error {
  override readonly name = 'StandbyServer';
  constructor() {
    super(
      'this database server is a standby, which shows no prepared transactions: use the primary',
    );
  }
}

interface InventoryRow {
  readonly standby: boolean;
  readonly slots_max: number;
  readonly slots_used: number;
  readonly entries: PreparedEntry[];
}

export async function listPrepared(
  pool: Pool,
  cluster: ClusterId,
  table: string,
): Promise<PreparedInventory> {
  const { rows } = await pool.query<InventoryRow>(LIST_PREPARED, [gidPrefix(cluster), table]);
  const row = rows[0];
  if (!row || row.standby) throw new StandbyServer();
  return { entries: row.entries, slotsUsed: row.slots_used, slotsMax: row.slots_max };
}

interface LockImpactRow {
  readonly gid: string;
  readonly xid_age: number;
  readonly held_ms: number;
  readonly locks: { relation: string; mode: string }[];
  readonly waiting: number;
}

/** The oldest prepared branches of a cluster with their locks and waiters. */
export async function lockImpact(
  pool: Pool,
  cluster: ClusterId,
  { table, limit }: { readonly table: string; readonly limit: number },
): Promise<LockImpact[]> {
  const values = [gidPrefix(cluster), table, limit];
  const { rows } = await pool.query<LockImpactRow>(LOCK_IMPACT, values);
  return rows.map((row) => ({
    gid: row.gid,
    heldMs: row.held_ms,
    xidAge: row.xid_age,
    locks: row.locks,
    waiting: row.waiting,
  }));
}
