/**
 * The legal transitions of both machines, drawn as tables and asserted at every step. Guards
 * protocol §3: once committing, never aborting, and the other way round. `docs/protocol.md` draws
 * them.
 */
import type { TransactionPhase } from './transaction.js';
import type { BranchPhase } from './branch.js';
import { invariant } from './violation.js';

export const TRANSACTION_TRANSITIONS: Readonly<
  Record<TransactionPhase, readonly TransactionPhase[]>
> = {
  active: ['active', 'preparing', 'aborting', 'ended'],
  preparing: ['preparing', 'deciding', 'aborting', 'ended'],
  deciding: ['deciding', 'committing', 'aborting'],
  committing: ['committing', 'ended'],
  aborting: ['aborting', 'ended'],
  ended: ['ended'],
};

export const BRANCH_TRANSITIONS: Readonly<Record<BranchPhase, readonly BranchPhase[]>> = {
  absent: ['absent', 'working', 'committing', 'aborting'],
  working: ['working', 'preparing', 'aborting', 'ended'],
  preparing: ['preparing', 'prepared', 'aborting', 'ended'],
  prepared: ['prepared', 'committing', 'aborting'],
  committing: ['committing', 'prepared', 'absent', 'ended'],
  aborting: ['aborting', 'absent', 'prepared', 'ended'],
  ended: ['ended', 'aborting', 'committing'],
};

export function assertTransactionTransition(from: TransactionPhase, to: TransactionPhase): void {
  invariant(
    TRANSACTION_TRANSITIONS[from].includes(to),
    `a transaction may not go from ${from} to ${to}`,
  );
}

export function assertBranchTransition(from: BranchPhase, to: BranchPhase): void {
  invariant(BRANCH_TRANSITIONS[from].includes(to), `a branch may not go from ${from} to ${to}`);
}
