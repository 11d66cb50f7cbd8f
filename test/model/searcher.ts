/** A process that searches what it is asked for, one question after another, until its asker is gone. */
import { examine, examineCalm, type Answer } from './examine.js';
import { Model } from './model.js';
import { CALM, type Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios.js';
import { search } from './search.js';

/** A scenario by its name, in each of its states or where nothing fails; or one counted with and without symmetry. */
export type Asked =
  | { readonly every: string }
  | { readonly calm: string }
  | { readonly counted: Partial<Scenario> };

export interface Counted {
  /** States that were searched, one for all that differ in names only. */
  readonly reduced: number;
  /** How many states those represent. */
  readonly stoodFor: number;
  /** States of the full search. */
  readonly all: number;
}

function answer(asked: Asked): Answer | Counted {
  if ('counted' in asked) return countBothWays(asked.counted);
  const name = 'every' in asked ? asked.every : asked.calm;
  const named = SCENARIOS.find((one) => one.name === name);
  if (!named) throw new Error(`no scenario is called "${name}"`);
  return 'every' in asked ? examine(named) : examineCalm(named);
}

function countBothWays(choice: Partial<Scenario>): Counted {
  const reduced = new Model({ ...CALM, ...choice });
  const found = search(reduced);
  let stoodFor = 0;
  for (let i = 0; i < found.distinct; i++) stoodFor += reduced.orbit(found.store.at(i));
  const all = search(new Model({ ...CALM, ...choice, symmetric: false }));
  return { reduced: found.distinct, stoodFor, all: all.distinct };
}

process.on('message', (asked: Asked) => process.send?.(answer(asked)));
process.on('disconnect', () => process.exit(0));
