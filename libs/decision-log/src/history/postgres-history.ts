/**
 * What the history holds of a transaction, for code that has to know whose a branch is. Guards "nothing is
 * concluded from a note that is missing": a history that may lack branches says so, and a history that cannot
 * be read is no history at all.
 */
import {
  TransactionHistory,
  type BranchView,
  type NamedBranch,
  type TransactionStory,
} from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';
import type pg from 'pg';
import { ask } from '../register/question.js';
import { READ_STORY, WITHOUT_END } from './history.sql.js';
import { readBranches } from './story.js';

interface StoryRow {
  readonly branches: readonly object[];
  readonly taken_branches: readonly object[] | null;
  readonly is_complete: boolean;
}

export class PostgresHistory extends TransactionHistory {
  constructor(private readonly pool: pg.Pool) {
    super();
  }

  override async storyOf(transaction: TransactionId): Promise<TransactionStory | undefined> {
    const [row] = await ask<StoryRow>(this.pool, 'story', READ_STORY, [transaction]);
    if (!row) return undefined;
    const stored = [...row.branches, ...(row.taken_branches ?? [])];
    const branches = readBranches(stored).map(named);
    return { branches, isComplete: row.is_complete };
  }

  override async withoutEnd(
    transactions: readonly TransactionId[],
  ): Promise<readonly TransactionId[]> {
    const rows = await ask<{ transaction: TransactionId }>(this.pool, 'ends', WITHOUT_END, [
      transactions,
    ]);
    return rows.map((row) => row.transaction);
  }
}

function named({ branch, participant }: BranchView): NamedBranch {
  return { branch, participant };
}
