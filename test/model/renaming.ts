/**
 * One form for every state: maps in branch order, sets sorted, explanations dropped, branches renamed
 * where asked. Guards the searcher's notion of sameness: two states are one only if the shipped
 * machines cannot distinguish them, up to the names of the participants (renaming.spec.ts).
 */
import type {
  AbortCause,
  BranchId,
  Branches,
  Enlisted,
  Heard,
  HeuristicBranch,
  TransactionRecord,
  TransactionState,
} from '@concordat/protocol';
import { nameOf, type Coordinator, type Forcing, type Outgoing, type Truth } from './world.js';

export type Rename = (branch: BranchId) => BranchId;
export const AS_IT_IS: Rename = (branch) => branch;

/** The cause is for people: no step looks at it, so states that differ in it only are one. */
const SOME_CAUSE: AbortCause = { kind: 'undetermined' };
const NO: Heard = { kind: 'no', code: 'NO', reason: '', retryable: false };

const byBranch = (a: { branch: BranchId }, b: { branch: BranchId }): number =>
  a.branch < b.branch ? -1 : a.branch > b.branch ? 1 : 0;

export function renameBranches(branches: readonly BranchId[], rename: Rename): BranchId[] {
  return branches.map(rename).sort();
}

export function renameTransaction(state: TransactionState, rename: Rename): TransactionState {
  const { phase } = state;
  const branches = renameEnlisted(state.branches, rename);
  switch (phase) {
    case 'active':
      return { phase, branches };
    case 'preparing':
      return {
        phase,
        branches,
        heard: renameHeard(state.heard, rename),
        unasked: state.unasked.map(rename),
        inOnePhase: state.inOnePhase, // Their order counts.
      };
    case 'settling':
      return { phase, branches, branch: rename(state.branch), cause: SOME_CAUSE };
    case 'deciding':
      return { phase, branches, prepared: renameBranches(state.prepared, rename) };
    case 'committing':
      return {
        phase,
        branches,
        unacknowledged: new Set(renameBranches([...state.unacknowledged], rename)),
        heuristics: renameHeuristics(state.heuristics, rename),
      };
    case 'aborting':
      return {
        phase,
        branches,
        cause: SOME_CAUSE,
        durable: state.durable,
        unacknowledged: new Set(renameBranches([...state.unacknowledged], rename)),
        heuristics: renameHeuristics(state.heuristics, rename),
      };
    case 'ended':
      return {
        phase,
        branches,
        ...(state.decision === undefined ? {} : { decision: state.decision }),
        outcome: state.outcome,
        heuristics: renameHeuristics(state.heuristics, rename),
        silent: renameBranches(state.silent, rename),
      };
  }
}

function renameEnlisted(branches: Branches, rename: Rename): Branches {
  const renamed = [...branches.values()].map((one) => renameOne(one, rename)).sort(byBranch);
  return new Map(renamed.map((one) => [one.branch, one]));
}

function renameOne({ branch, work }: Enlisted, rename: Rename): Enlisted {
  const renamed = rename(branch);
  return { branch: renamed, participant: nameOf(renamed), work };
}

function renameHeard(
  heard: ReadonlyMap<BranchId, Heard>,
  rename: Rename,
): ReadonlyMap<BranchId, Heard> {
  const entries = [...heard].map(([branch, said]): [BranchId, Heard] => [
    rename(branch),
    said?.kind === 'no' ? NO : said,
  ]);
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function renameHeuristic({ branch, evidence }: HeuristicBranch, rename: Rename): HeuristicBranch {
  const renamed = rename(branch);
  return {
    branch: renamed,
    participant: nameOf(renamed),
    evidence: { decision: evidence.decision, found: evidence.found, explanation: '' },
  };
}

function renameHeuristics(all: readonly HeuristicBranch[], rename: Rename): HeuristicBranch[] {
  return all.map((one) => renameHeuristic(one, rename)).sort(byBranch);
}

export function renameRecord(record: TransactionRecord, rename: Rename): TransactionRecord {
  switch (record.type) {
    case 'propose-commit': {
      const branches = record.branches.map((one) => renameOne(one, rename)).sort(byBranch);
      return { type: 'propose-commit', durability: 'forced', branches };
    }
    case 'heuristic': {
      const branch = renameHeuristic(record.branch, rename);
      return { type: 'heuristic', durability: 'forced', decision: record.decision, branch };
    }
    case 'ended':
      return { type: 'ended', durability: 'lazy', outcome: record.outcome };
  }
}

export function renameOutgoing(messages: readonly Outgoing[], rename: Rename): Outgoing[] {
  const renamed = messages.map(({ type, branch }) => ({ type, branch: rename(branch) }));
  // A set, not a list: messages to different participants may leave in any order.
  return renamed.sort((a, b) => byBranch(a, b) || (a.type < b.type ? -1 : 1));
}

function renameForcing(forcing: Forcing, rename: Rename): Forcing {
  return {
    records: forcing.records.map((one) => renameRecord(one, rename)),
    messages: renameOutgoing(forcing.messages, rename),
    notification: forcing.notification,
  };
}

export function renameCoordinator(coordinator: Coordinator, rename: Rename): Coordinator {
  const { transaction, unsent, forcing, givenUp } = coordinator;
  return {
    ...coordinator,
    transaction: transaction && renameTransaction(transaction, rename),
    unsent: renameOutgoing(unsent, rename),
    forcing: forcing.map((one) => renameForcing(one, rename)),
    givenUp: renameBranches(givenUp, rename),
  };
}

export function renameTruth(truth: Truth, rename: Rename): Truth {
  return {
    ...truth,
    branches: renameBranches(truth.branches, rename),
    evidence: renameBranches(truth.evidence, rename),
    lateProposal: truth.lateProposal && renameBranches(truth.lateProposal, rename),
  };
}

/** A part of a state as text: the same for the same part, with any history. */
export function textOf(part: unknown): string {
  return JSON.stringify(part, (_key, value: unknown) => {
    if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
    if (value instanceof Set) return [...(value as Set<unknown>)];
    return value;
  });
}
