/**
 * One question to the model: does this product, in this scenario, keep every statement? The answer is
 * a count of states, or the shortest story of how it does not.
 */
import type { Host } from './host.js';
import { SHIPPED } from './host.js';
import { STATEMENTS, invariantsOf, type Statement } from './invariants.js';
import { Model } from './model.js';
import { ANY, UNBOUNDED, type Scenario } from './scenario.js';
import { search, type Found, type Invariant, type Progress } from './search.js';
import { atRest, firstStranded, isCommitted } from './termination.js';
import { retrace, tell } from './trace.js';

export interface Question {
  readonly scenario: Scenario;
  readonly host?: Host;
  readonly statements?: readonly Statement[];
  /** Whether AC5 is asked: it needs memory for every transition. */
  readonly termination?: boolean;
  readonly statesMax?: number;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Answer {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly complete: boolean;
  readonly broken?: Broken;
}

export interface Broken {
  readonly statement: string;
  readonly says: string;
  readonly steps: number;
  /** The shortest way to it, one sentence per step. */
  readonly story: string;
}

export const TERMINATION = {
  name: 'AC5 termination',
  says: 'from every reachable state everything can still come to rest without another fault',
} as const;

const STRANDED: Invariant = {
  ...TERMINATION,
  violatedBy: () => 'from here on nothing can bring everything to rest',
};

export const NON_TRIVIALITY = {
  name: 'AC4 non-triviality',
  says: 'without a failure, and with every vote a yes, the outcome is commit',
} as const;

/** Asks for every statement in every reachable state, and for AC5. */
export function examine(question: Question): Answer {
  const { scenario, host = SHIPPED, statements = STATEMENTS, termination = true } = question;
  const model = new Model(scenario, host);
  const found = search(model, {
    invariants: invariantsOf(model, statements),
    remember: (kind) => termination && (kind === 'progress' || kind === 'timeout'),
    ...(question.statesMax ? { statesMax: question.statesMax } : {}),
    ...(question.onProgress ? { onProgress: question.onProgress } : {}),
  });
  const { violation } = found;
  if (violation) {
    return answer(found, story(model, found, violation));
  }
  if (!found.complete || !termination) return answer(found);
  const state = firstStranded(found, (one) => atRest(model.world(one)));
  if (state < 0) return answer(found);
  return answer(found, story(model, found, { state, invariant: STRANDED }));
}

/** Asks for AC4: only the protocol moves, timers may be hasty, no branch refuses and nothing fails. */
export function examineCalm({ scenario, host = SHIPPED }: Question): Answer {
  const votes = scenario.votes.filter((vote) => vote !== 'no');
  const faults = { haste: ANY };
  const calm: Scenario = { ...scenario, votes, faults, faultsInAll: UNBOUNDED };
  const model = new Model(calm, host);
  const found = search(model, {
    invariants: invariantsOf(model),
    follow: (kind) => kind === 'progress' || kind === 'haste',
  });
  const { violation } = found;
  if (violation) {
    return answer(found, story(model, found, violation));
  }
  for (const state of found.terminal) {
    const violatedBy = (one: Int32Array) => isCommitted(model.world(one));
    if (violatedBy(found.store.at(state)) === undefined) continue;
    const invariant = { ...NON_TRIVIALITY, violatedBy };
    return answer(found, story(model, found, { state, invariant }));
  }
  return answer(found);
}

function answer({ distinct, generated, depth, complete }: Found, broken?: Broken): Answer {
  return {
    states: distinct,
    transitions: generated,
    depth,
    complete,
    ...(broken ? { broken } : {}),
  };
}

/** The violation is described in the trace's own last state, in which participants have their first names. */
function story(
  model: Model,
  found: Found,
  { state, invariant }: { readonly state: number; readonly invariant: Invariant },
): Broken {
  const steps = retrace(model, found, state);
  const complaint = invariant.violatedBy(steps.at(-1)?.state ?? model.initial());
  const { name, says } = invariant;
  return { statement: name, says, steps: steps.length, story: tell(steps, complaint ?? says) };
}
