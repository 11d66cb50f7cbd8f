/**
 * Pruning by retention: the mark rises first and is durable, then ended rows below it are deleted in
 * small pieces. A crash in between leaves rows that the next pruning takes; never the opposite, a row
 * gone above the mark, which could be decided again. How old something is, the database says.
 */
import { Pace, type Clock, type Pacing } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type pg from 'pg';
import type { Coordinators } from './coordinators.js';
import {
  DELETE_DECISIONS,
  DELETE_HISTORY,
  DELETE_HISTORY_BELOW,
  DELETE_SPANS,
  LIMIT_MARK_WAIT,
  LOCK_MARK,
  RAISE_MARK,
  READ_MARK,
} from './pruning.sql.js';
import { DELETE_CLAIMS } from './key-claim.sql.js';
import { ask } from './question.js';
import { unknown } from './unknown.js';

export interface Pruned {
  /** Below this, a transaction without a row is forgotten. */
  readonly below: TransactionId;
  readonly decisions: number;
  readonly history: number;
}

/**
 * While a piece is deleted, the mark is being read: another coordinator that raises it waits for the piece, and every
 * decide waits behind that.
 */
const PIECE = 500;
/**
 * A note may be written so much later than its transaction was made, where the database was away. As long as the
 * mark stays behind: spans, too, then grow no further once what they lead to is pruned.
 */
const LATE_MS = 600_000;

export class Pruner {
  constructor(
    private readonly pool: pg.Pool,
    private readonly coordinators: Coordinators,
    private readonly clock: Clock,
  ) {}

  /** `historyMs`: how long a story is kept where that is shorter than decisions are. */
  async prune(
    retentionMs: number,
    historyMs = retentionMs,
    pace: Pacing = new Pace(this.clock),
  ): Promise<Pruned> {
    // Live transactions are above the low-water mark, so none of them is pruned under its owner.
    const byUse = await this.coordinators.lowWaterMark();
    await this.raiseMark(byUse, retentionMs);
    const [mark] = await ask<{ below: TransactionId }>(this.pool, 'mark', READ_MARK);
    const below = mark?.below ?? byUse;
    const decisions = await inPieces(pace, (after) =>
      ask(this.pool, 'prune-decisions', DELETE_DECISIONS, [below, after, retentionMs, PIECE]),
    );
    const told = await inPieces(pace, (after) =>
      ask(this.pool, 'prune-history-below', DELETE_HISTORY_BELOW, [below, after, PIECE]),
    );
    const earlier = historyMs < retentionMs ? await this.forgetStories(historyMs, pace) : 0;
    const spansMs = Math.min(historyMs, retentionMs) + LATE_MS;
    await inPieces(pace, () => ask(this.pool, 'prune-spans', DELETE_SPANS, [spansMs, PIECE]));
    await ask(this.pool, 'prune-claims', DELETE_CLAIMS, [below]);
    return { below, decisions, history: told + earlier };
  }

  private forgetStories(historyMs: number, pace: Pacing): Promise<number> {
    return inPieces(pace, (after) =>
      ask(this.pool, 'prune-history', DELETE_HISTORY, [historyMs, after, PIECE]),
    );
  }

  private async raiseMark(byUse: TransactionId, retentionMs: number): Promise<void> {
    const client = await this.pool.connect().catch((error: unknown) => {
      throw unknown('prune', error);
    });
    try {
      await client.query('BEGIN');
      await client.query(LIMIT_MARK_WAIT);
      await client.query(LOCK_MARK);
      await client.query(RAISE_MARK, [byUse, retentionMs]);
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      client.release(true); // Discarded: it may hold the lock that every decide waits for.
      throw unknown('prune', error);
    }
  }
}

async function inPieces(
  pace: Pacing,
  deletePiece: (after: string) => Promise<{ deleted: number; last: string | null }[]>,
): Promise<number> {
  let total = 0;
  for (let after = ''; ;) {
    const [piece] = await pace.piece(() => deletePiece(after));
    total += piece?.deleted ?? 0;
    if (!piece?.last || piece.deleted < PIECE || !(await pace.rest())) return total;
    after = piece.last;
  }
}
