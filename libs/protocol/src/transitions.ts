/**
 * The legal transitions of both machines, as tables: in each phase, the events that may happen and the
 * phases that they may lead to. Asserted at every step. Guards protocol §3: once committing, never
 * aborting, and the other way round. The diagrams of `docs/protocol.md` are written from these tables,
 * and a search over both machines shows that every arrow is taken (`transitions.spec.ts`).
 */
import type { BranchEvent, BranchPhase } from './branch.js';
import type { TransactionEvent, TransactionPhase } from './transaction.js';
import { invariant } from './violation.js';

/** By phase and event: the phases after it. An event that is not named cannot happen in that phase. */
export type Transitions<Phase extends string, Event extends string> = Readonly<
  Record<Phase, Readonly<Partial<Record<Event, readonly Phase[]>>>>
>;

export const TRANSACTION_TRANSITIONS: Transitions<TransactionPhase, TransactionEvent['type']> = {
  active: {
    enlisted: ['active'],
    'prepare-requested': ['preparing', 'ended'],
    'deadline-passed': ['aborting', 'ended'],
    'rollback-requested': ['aborting', 'ended'],
    decided: ['aborting', 'ended'],
  },
  preparing: {
    voted: ['preparing', 'deciding', 'settling', 'aborting', 'ended'],
    unreached: ['preparing', 'aborting', 'ended'],
    'deadline-passed': ['settling', 'aborting'],
    'rollback-requested': ['settling', 'aborting'],
    decided: ['aborting'],
    'prepare-requested': ['preparing'],
  },
  settling: {
    acknowledged: ['settling', 'ended'],
    unanswered: ['settling'],
    forgotten: ['settling', 'ended'],
    'retry-due': ['settling'],
    voted: ['settling', 'ended'],
    unreached: ['settling'],
    'deadline-passed': ['settling'],
    'rollback-requested': ['settling'],
    'prepare-requested': ['settling'],
  },
  deciding: {
    decided: ['committing', 'aborting'],
    'deadline-passed': ['deciding'],
    'rollback-requested': ['deciding'],
    'prepare-requested': ['deciding'],
    voted: ['deciding'],
    unreached: ['deciding'],
  },
  committing: {
    acknowledged: ['committing', 'ended'],
    unanswered: ['committing'],
    'retry-due': ['committing'],
    decided: ['committing'],
    'deadline-passed': ['committing'],
    'rollback-requested': ['committing'],
    'prepare-requested': ['committing'],
    voted: ['committing'],
    unreached: ['committing'],
  },
  aborting: {
    acknowledged: ['aborting', 'ended'],
    'notification-over': ['ended'],
    unanswered: ['aborting'],
    'retry-due': ['aborting'],
    decided: ['aborting'],
    'deadline-passed': ['aborting'],
    'rollback-requested': ['aborting'],
    'prepare-requested': ['aborting'],
    voted: ['aborting'],
    unreached: ['aborting'],
  },
  ended: {
    enlisted: ['ended'],
    'prepare-requested': ['ended'],
    voted: ['ended'],
    unreached: ['ended'],
    'deadline-passed': ['ended'],
    'rollback-requested': ['ended'],
    decided: ['ended'],
    acknowledged: ['ended'],
    unanswered: ['ended'],
    forgotten: ['ended'],
    'retry-due': ['ended'],
    'notification-over': ['ended'],
  },
};

export const BRANCH_TRANSITIONS: Transitions<BranchPhase, BranchEvent['type']> = {
  absent: {
    begun: ['working'],
    'commit-received': ['committing'],
    'abort-received': ['aborting'],
    refused: ['absent'],
    'prepare-answered': ['absent'],
  },
  working: {
    'work-continued': ['working'],
    'prepare-due': ['preparing'],
    refused: ['ended'],
    'abort-received': ['aborting'],
    'prepare-answered': ['working'],
  },
  preparing: {
    'prepare-answered': ['prepared', 'ended'],
    'abort-received': ['aborting'],
    refused: ['preparing'],
  },
  prepared: {
    'commit-received': ['committing'],
    'abort-received': ['aborting'],
    refused: ['prepared'],
    'prepare-answered': ['prepared'],
  },
  committing: {
    'commit-answered': ['ended', 'prepared'],
    'commit-received': ['committing'],
    refused: ['committing'],
    'prepare-answered': ['committing'],
  },
  aborting: {
    'abort-answered': ['ended', 'prepared'],
    'abort-received': ['aborting'],
    refused: ['aborting'],
    'prepare-answered': ['aborting'],
  },
  ended: {
    'commit-received': ['committing'],
    'abort-received': ['aborting'],
    refused: ['ended'],
    'prepare-answered': ['ended'],
  },
};

export function assertTransactionTransition(
  from: TransactionPhase,
  event: TransactionEvent['type'],
  to: TransactionPhase,
): void {
  assertTransition(TRANSACTION_TRANSITIONS, 'transaction', from, event, to);
}

export function assertBranchTransition(
  from: BranchPhase,
  event: BranchEvent['type'],
  to: BranchPhase,
): void {
  assertTransition(BRANCH_TRANSITIONS, 'branch', from, event, to);
}

function assertTransition<Phase extends string, Event extends string>(
  table: Transitions<Phase, Event>,
  what: string,
  from: Phase,
  event: Event,
  to: Phase,
): void {
  const may = table[from][event]?.includes(to) ?? false;
  invariant(may, `a ${what} may not go from ${from} to ${to} by ${event}`);
}
