/**
 * The exact statements for a person at a participant's database. Guards "nothing is finished manually that is
 * not decided": a COMMIT PREPARED is written down only where commit is decided, a ROLLBACK PREPARED only
 * where abort does, and otherwise there is nothing to run but a look.
 */
import type { BranchView } from '@concordat/engine';
import { decidedAt, type Decision, type Gid, type TransactionId } from '@concordat/protocol';
import { gidOf, waitingBranches, type Situation } from './situation.js';

export interface RunbookStep {
  readonly explanation: string;
  readonly sql: string;
}

/** A gid has letters, digits, colons and hyphens only: see its grammar, which is checked when it is made. */
const literal = (gid: string): string => `'${gid}'`;

/** Quoted in any case: a participant has sent it, and a person will run it. */
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const LOOK = 'Is it there? Connect to the database of this participant, on its primary.';
const FINISH: Readonly<Record<Decision, string>> = {
  commit:
    'Only if retrying does not help and the row is there. The decision is commit. Connect as the role that prepared it, outside a transaction block.',
  abort:
    'Only if retrying does not help and the row is there. The decision is abort. Connect as the role that prepared it, outside a transaction block.',
};
const BECAME =
  'What became of it? A row that is no tombstone says committed, a tombstone says aborted. No row: nothing yet while it is prepared; otherwise it was rolled back manually, was lost, or is past retention.';

const BECAME_ALONE =
  'What became of it? Its participant decides it in one phase, so it is never prepared. A row that is no tombstone says committed, a tombstone says that it can never commit. No row: it has not committed, and may until the participant is asked; or it is past retention.';

const UNQUALIFIED =
  'The participant has not said in which schema its table is: put that in front of its name unless it is on the search path.';

/** The statements for one branch of a transaction as it is known now. */
export function stepsFor(situation: Situation, branch: BranchView): RunbookStep[] {
  const { known, prepared, seen } = situation;
  const gid = gidOf(situation, branch.branch);
  const isFinished = !waitingBranches(situation).includes(branch) && !prepared?.has(branch.branch);
  // A commit is for the branches that voted prepared. What another one has prepared since is a
  // duplicate that ran again, which the register answers with an abort.
  const isOther = branch.vote !== undefined && branch.vote.kind !== 'prepared';
  const decision = known.decision === 'commit' && isOther ? 'abort' : known.decision;
  const about = { gid, branch: branch.branch, transaction: known.transaction };
  return runbookOf(about, decision, isFinished, seen.get(branch.participant)?.schema);
}

export function runbookOf(
  branch: { readonly gid: Gid; readonly branch: string; readonly transaction: TransactionId },
  decision: Decision | undefined,
  isFinished: boolean,
  /** Where the participant says that its outcome table is. */
  schema?: string,
): RunbookStep[] {
  const gid = literal(branch.gid);
  const look = {
    explanation: LOOK,
    sql: `SELECT gid, prepared, owner, database FROM pg_prepared_xacts WHERE gid = ${gid};`,
  };
  const table = `${schema === undefined ? '' : `${identifier(schema)}.`}concordat_branch`;
  const isAlone = decidedAt(branch.transaction) !== undefined;
  const meaning = isAlone ? BECAME_ALONE : BECAME;
  const became = {
    explanation: schema === undefined ? `${meaning} ${UNQUALIFIED}` : meaning,
    sql: `SELECT * FROM ${table} WHERE transaction = ${literal(branch.transaction)} AND branch = ${literal(branch.branch)};`,
  };
  if (isAlone) return [became];
  if (isFinished || decision === undefined) return [look, became];
  const verb = decision === 'commit' ? 'COMMIT' : 'ROLLBACK';
  return [look, { explanation: FINISH[decision], sql: `${verb} PREPARED ${gid};` }, became];
}
