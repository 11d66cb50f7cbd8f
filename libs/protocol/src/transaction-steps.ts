/**
 * What the steps of the transaction machine are made of: ends, messages to branches, another try. Pure, like the
 * steps themselves.
 */
import type { AbortCause, Decision } from './decision.js';
import type { BranchId } from './identity.js';
import {
  evidenceAgainst,
  transactionOutcome,
  type BranchOutcome,
  type HeuristicBranch,
} from './outcome.js';
import type {
  Branches,
  TransactionEvent,
  TransactionMessage,
  TransactionState,
  TransactionStep,
} from './transaction.js';
import { invariant } from './violation.js';

export type In<Phase extends TransactionState['phase']> = Extract<
  TransactionState,
  { phase: Phase }
>;

export function end(
  branches: Branches,
  decision: Decision,
  cause: AbortCause | undefined,
  heuristics: readonly HeuristicBranch[],
  silent: readonly BranchId[],
): TransactionStep {
  const outcome = transactionOutcome(decision, heuristics);
  return {
    state: {
      phase: 'ended',
      branches,
      decision,
      ...(cause ? { cause } : {}),
      outcome,
      heuristics,
      silent,
    },
    records: [],
    messages: [],
    timers: [{ type: 'cancel-deadline' }],
  };
}

export function tell(
  type: TransactionMessage['type'],
  branches: Branches,
  to: readonly BranchId[],
): TransactionMessage[] {
  return to.map((branch) => ({ type, branch, participant: known(branches, branch).participant }));
}

export function heuristicOf(
  branches: Branches,
  branch: BranchId,
  decision: Decision,
  outcome: BranchOutcome,
): HeuristicBranch | undefined {
  const { participant } = known(branches, branch);
  const evidence = evidenceAgainst(decision, outcome);
  return evidence && { branch, participant, evidence };
}

export function retryLater(
  state: TransactionState,
  open: ReadonlySet<BranchId>,
  branch: BranchId,
): TransactionStep {
  if (!open.has(branch)) return stay(state); // Another copy of the command was answered meanwhile.
  return { state, records: [], messages: [], timers: [{ type: 'retry', branch }] };
}

export function askAgain(
  state: TransactionState,
  type: Exclude<TransactionMessage['type'], 'prepare'>,
  branches: Branches,
  open: ReadonlySet<BranchId>,
  branch: BranchId,
): TransactionStep {
  if (!open.has(branch)) return stay(state); // It answered while the timer ran.
  return { state, records: [], messages: tell(type, branches, [branch]), timers: [] };
}

export function stay(state: TransactionState): TransactionStep {
  return { state, records: [], messages: [], timers: [] };
}

export function known(branches: Branches, branch: BranchId) {
  const enlisted = branches.get(branch);
  invariant(enlisted !== undefined, `branch ${branch} is not enlisted`);
  return enlisted;
}

export function without(set: ReadonlySet<BranchId>, branch: BranchId): ReadonlySet<BranchId> {
  const rest = new Set(set);
  rest.delete(branch);
  return rest;
}

export function impossible(state: TransactionState, event: TransactionEvent): never {
  invariant(false, `event ${event.type} cannot happen in phase ${state.phase}`);
}
