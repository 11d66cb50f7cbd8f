/**
 * Reconciliation's memory and eyes in the decision database. Guards "comparing never delays a
 * decision": it has connections of its own, and writes nothing that a decision reads.
 */
import {
  ReconciliationStore,
  type ComparedBranch,
  type OutcomeKey,
  type ScanBounds,
  type ScanState,
  type UnfinishedCommit,
} from '@concordat/engine';
import {
  invariant,
  lowestTransactionIdAt,
  type BranchId,
  type Decision,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type pg from 'pg';
import { enlistedOf, type StoredBranch } from '../register/decision-row.js';
import { ask } from '../register/question.js';
import {
  ADVANCE,
  COMPARE,
  COMPARED_PARTICIPANTS,
  CONTRADICTED,
  FORGOTTEN_AT,
  SCAN_BOUNDS,
  TAKE_TURN,
  UNFINISHED,
  UNRECORDED,
  UNWATCH,
  WATCH,
  WATCHED,
} from './reconciliation.sql.js';

interface ScanRow {
  readonly base: TransactionId | null;
  readonly position_transaction: TransactionId | null;
  readonly position_branch: BranchId | null;
  readonly candidate: TransactionId | null;
}

export class PostgresReconciliationStore extends ReconciliationStore {
  constructor(private readonly pool: pg.Pool) {
    super();
  }

  override async compare(branches: readonly OutcomeKey[]): Promise<readonly ComparedBranch[]> {
    if (branches.length === 0) return [];
    const rows = await ask<{
      transaction: TransactionId;
      branch: BranchId;
      verdict: Decision | null;
      forgotten: boolean;
      ended: boolean;
      finisher: Incarnation | null;
      participant: ParticipantName | null;
    }>(this.pool, 'compare', COMPARE, columnsOf(branches));
    return rows.map(({ verdict, finisher, participant, ...row }) => ({
      ...row,
      ...(verdict ? { verdict } : {}),
      ...(finisher ? { finisher } : {}),
      ...(participant ? { participant } : {}),
    }));
  }

  override async contradicted(committed: readonly OutcomeKey[]): Promise<readonly OutcomeKey[]> {
    if (committed.length === 0) return [];
    return ask<{ transaction: TransactionId; branch: BranchId }>(
      this.pool,
      'contradicted',
      CONTRADICTED,
      columnsOf(committed),
    );
  }

  override async unrecorded(committed: readonly OutcomeKey[]): Promise<readonly OutcomeKey[]> {
    if (committed.length === 0) return [];
    return ask<{ transaction: TransactionId; branch: BranchId }>(
      this.pool,
      'unrecorded',
      UNRECORDED,
      columnsOf(committed),
    );
  }

  /**
   * Below this a participant may forget what it has decided in one phase: it is past retention, and has been met by a
   * comparison. Undefined before the first. Rejects with `RegisterUnknown`.
   */
  async forgottenAt(participant: ParticipantName): Promise<TransactionId | undefined> {
    const rows = await ask<{ below: TransactionId }>(this.pool, 'forgotten-at', FORGOTTEN_AT, [
      participant,
    ]);
    return rows[0]?.below;
  }

  override async unfinished(
    olderThanMs: number,
    limit: number,
  ): Promise<readonly UnfinishedCommit[]> {
    const rows = await ask<{
      transaction: TransactionId;
      finisher: Incarnation;
      branches: readonly StoredBranch[];
      decided_ago_ms: number;
    }>(this.pool, 'reconcile-unfinished', UNFINISHED, [olderThanMs, limit]);
    return rows.map(({ decided_ago_ms, ...row }) => ({
      ...row,
      branches: enlistedOf(row.branches),
      decidedAgoMs: Math.max(0, Math.round(decided_ago_ms)),
    }));
  }

  override async bounds(): Promise<ScanBounds> {
    const [row] = await ask<{
      mark: TransactionId;
      born_ms: number | null;
      live_floor: TransactionId;
    }>(this.pool, 'scan-bounds', SCAN_BOUNDS);
    invariant(row !== undefined, 'a SELECT without FROM returns one row');
    // Rows of an earlier cluster may be in the same outcome table: no decision of theirs is here.
    const born = lowestTransactionIdAt(row.born_ms ?? 0);
    const { mark, live_floor: liveFloor } = row;
    return { floor: mark > born ? mark : born, born, liveFloor };
  }

  override async takeTurn(
    participant: ParticipantName,
    { forMs, regardless }: { readonly forMs: number; readonly regardless: boolean },
  ): Promise<ScanState | undefined> {
    const [row] = await ask<ScanRow>(this.pool, 'take-turn', TAKE_TURN, [
      participant,
      forMs,
      regardless,
    ]);
    if (!row) return undefined;
    const { base, position_transaction: transaction, position_branch: branch, candidate } = row;
    return {
      ...(base === null ? {} : { base }),
      ...(transaction === null || branch === null ? {} : { position: { transaction, branch } }),
      ...(candidate === null ? {} : { candidate }),
    };
  }

  override async advance(
    participant: ParticipantName,
    from: ScanState,
    to: ScanState,
  ): Promise<boolean> {
    const values = [participant, ...valuesOf(from), ...valuesOf(to)];
    return (await ask(this.pool, 'advance', ADVANCE, values)).length === 1;
  }

  override async watched(participant: ParticipantName): Promise<readonly string[]> {
    const rows = await ask<{ gid: string }>(this.pool, 'watched', WATCHED, [participant]);
    return rows.map((row) => row.gid);
  }

  override async watch(participant: ParticipantName, gids: readonly string[]): Promise<void> {
    if (gids.length > 0) await ask(this.pool, 'watch', WATCH, [participant, gids]);
  }

  override async unwatch(participant: ParticipantName, gids: readonly string[]): Promise<void> {
    if (gids.length > 0) await ask(this.pool, 'unwatch', UNWATCH, [participant, gids]);
  }

  override async participants(): Promise<readonly ParticipantName[]> {
    const rows = await ask<{ participant: ParticipantName }>(
      this.pool,
      'compared-participants',
      COMPARED_PARTICIPANTS,
    );
    return rows.map((row) => row.participant);
  }
}

function columnsOf(branches: readonly OutcomeKey[]): [string[], string[]] {
  return [branches.map((one) => one.transaction), branches.map((one) => one.branch)];
}

function valuesOf({ base, position, candidate }: ScanState): (string | null)[] {
  return [base ?? null, position?.transaction ?? null, position?.branch ?? null, candidate ?? null];
}
