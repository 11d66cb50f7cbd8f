/**
 * Seeded bugs: each a mistake that some product has made, as a small change to the shipped machines or
 * to the host around them. A search that does not catch every one of them proves nothing; the
 * statement that catches it first is part of its description (bugs.spec.ts).
 */
import {
  stepBranch,
  stepTransaction,
  type BranchEvent,
  type BranchState,
  type BranchStep,
  type TransactionEvent,
  type TransactionState,
  type TransactionStep,
} from '@concordat/protocol';
import { examine, examineCalm, type Broken } from './examine.js';
import { SHIPPED, type Host } from './host.js';
import { STATEMENTS, type Statement } from './invariants.js';
import { CALM, type Scenario } from './scenario.js';

export interface Bug {
  readonly name: string;
  /** The mistake, as its author would have defended it. */
  readonly mistake: string;
  readonly host: Partial<Host>;
  readonly scenario: Partial<Scenario>;
  /** The statement that the shortest counterexample breaks. */
  readonly caughtBy: Pick<Statement, 'name' | 'says'>;
  /** Set when only that statement is asked for: another one is broken earlier, and says less. */
  readonly alone?: true;
}

/** The shipped transaction machine with its answers changed. */
export const transaction = (
  mutate: (
    step: TransactionStep,
    state: TransactionState,
    event: TransactionEvent,
  ) => TransactionStep,
): Partial<Host> => ({
  stepTransaction: (state, event) => mutate(stepTransaction(state, event), state, event),
});

/** The shipped branch machine with its answers changed. */
export const branch = (
  mutate: (step: BranchStep, state: BranchState, event: BranchEvent) => BranchStep,
): Partial<Host> => ({
  stepBranch: (state, event) => mutate(stepBranch(state, event), state, event),
});

/** What the machine would do next if the register had answered so. */
export const decided = (step: TransactionStep, decision: 'commit' | 'abort'): TransactionStep =>
  stepTransaction(step.state, { type: 'decided', decision });

/** An end of a commit, whichever branches have acknowledged it. */
export const ended = (step: TransactionStep): TransactionStep => {
  const { state } = step;
  if (state.phase !== 'committing') return step;
  const { branches, heuristics } = state;
  return {
    state: {
      phase: 'ended',
      branches,
      decision: 'commit',
      outcome: 'committed',
      heuristics,
      silent: [],
    },
    records: [...step.records, { type: 'ended', durability: 'lazy', outcome: 'committed' }],
    messages: [],
    timers: [],
  };
};

/** A bug's product and scenario, complete. */
export function seeded(bug: Bug): { readonly host: Host; readonly scenario: Scenario } {
  return { host: { ...SHIPPED, ...bug.host }, scenario: { ...CALM, ...bug.scenario } };
}

/** The shortest story of how a bug does harm, or undefined when it does none. */
export function harm(bug: Bug): Broken | undefined {
  const statements = bug.alone ? STATEMENTS.filter((one) => one === bug.caughtBy) : STATEMENTS;
  const { broken } = examine({ ...seeded(bug), statements });
  return broken ?? examineCalm(seeded(bug)).broken;
}
