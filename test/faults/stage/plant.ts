/**
 * What a test cannot wait for, or has to bring along: a commit decided an hour ago by a coordinator
 * that is gone, whose branch is still prepared; prepared transactions that belong to no service here.
 */
import { randomBytes } from 'node:crypto';
import { formatGid, makeTransactionId, tokenFrom, type BranchId } from '@concordat/protocol';
import type { ParticipantId } from '../../stage/product.js';
import type { CaseStage } from '../../cases/stage.js';

export interface Planted {
  readonly transaction: string;
  readonly gid: string;
}

const BRANCH = '1' as BranchId;

/** A commit on record since `ageMs`, its branch prepared with this work done. */
export async function plantCommit(
  { product }: CaseStage,
  participant: ParticipantId,
  work: string,
  ageMs: number,
): Promise<Planted> {
  const owner = tokenFrom(randomBytes(8));
  const transaction = makeTransactionId(Date.now() - ageMs, randomBytes(10), owner);
  const gid = formatGid({ cluster: await product.cluster(), transaction, branch: BRANCH });
  // Prepared after it was decided: no resolver may find the branch while no decision is on record.
  await product.sql(
    'concordat',
    `INSERT INTO concordat.decision (transaction, decision, finisher, branches, decided_at)
     VALUES ($1, 'commit', $2, $3, now() - $4 * interval '1 ms')`,
    [transaction, owner, JSON.stringify([{ branch: BRANCH, participant, work: 'bundled' }]), ageMs],
  );
  await product.sql(
    participant,
    `BEGIN; ${work};
     INSERT INTO concordat_branch (transaction, branch, participant, kind)
     VALUES ('${transaction}', ${BRANCH}, '${participant}', 'branch');
     PREPARE TRANSACTION '${gid}'`,
  );
  return { transaction, gid };
}

/** An old commit that has ended as long ago as it was made: ready to be forgotten. */
export async function plantEnded({ product }: CaseStage, ageMs: number): Promise<string> {
  const owner = tokenFrom(randomBytes(8));
  const transaction = makeTransactionId(Date.now() - ageMs, randomBytes(10), owner);
  await product.sql(
    'concordat',
    `INSERT INTO concordat.decision
       (transaction, decision, finisher, branches, decided_at, ended_at, outcome)
     SELECT $1, 'commit', $2, '[]', at, at, 'committed'
       FROM (SELECT now() - $3 * interval '1 ms' AS at) AS past`,
    [transaction, owner, ageMs],
  );
  return transaction;
}

/** Prepares transactions of somebody else until the server has no slot left; their gids. */
export async function takeSlots({ product }: CaseStage): Promise<string[]> {
  const [row] = await product.sql<{ slots: number }>(
    'superuser',
    "SELECT current_setting('max_prepared_transactions')::int AS slots",
  );
  const gids = Array.from({ length: row?.slots ?? 0 }, (_, n) => `theirs-${1_000 + n}`);
  const each = gids.map((gid) => `BEGIN; SELECT 1; PREPARE TRANSACTION '${gid}'`);
  await product.sql('superuser', each.join('; '));
  return gids;
}

export async function freeSlots({ product }: CaseStage, gids: readonly string[]): Promise<void> {
  for (const gid of gids) await product.sql('superuser', `ROLLBACK PREPARED '${gid}'`);
}
