/** Walks through the model at random, with the shipped engine beside it. */
import type { Model } from '../model/model.js';
import { CALM, UNBOUNDED, type Scenario } from '../model/scenario.js';
import type { Kind } from '../model/search.js';
import { Random } from '../simulation/random.js';
import { Replay } from './replay.js';

export const ACCIDENTS: Scenario = {
  ...CALM,
  votes: ['prepared', 'read-only', 'no'],
  rollback: true,
  faults: {
    loss: 2,
    duplicate: 1,
    'register unknown': 1,
    'database unknown': 1,
    manual: 1,
  },
  faultsInAll: UNBOUNDED,
};

const STEPS_MAX = 120;
/** How often what goes on by itself is chosen before an accident: else few walks come as far as a decision. */
const CALM_WEIGHTS = [1, 8, 40];

export interface Walked {
  readonly labels: readonly string[];
  /** What was different after the last step. */
  readonly differences: readonly string[];
}

/** One walk of a seed. It ends where nothing more happens, or where model and engine differ. */
export async function walk(seed: number, model: Model): Promise<Walked> {
  const random = new Random(seed);
  const names = Array.from({ length: model.scenario.participants }, (_, i) => `p${i + 1}`);
  const replay = new Replay(names);
  const labels: string[] = [];
  let state = model.initial();
  while (labels.length < STEPS_MAX) {
    const options = optionsOf(model, state);
    const open = labels.length === 0 ? options.filter((one) => BEGINS.test(one.label)) : options;
    if (open.length === 0) break;
    const calm = CALM_WEIGHTS[seed % CALM_WEIGHTS.length] as number;
    const chosen = random.pick(
      open.flatMap((one) => Array<typeof one>(one.kind === 'progress' ? calm : 1).fill(one)),
    );
    labels.push(chosen.label);
    ({ state } = chosen);
    try {
      await replay.perform(chosen.label);
    } catch (error) {
      return { labels, differences: [String(error)] };
    }
    const differences = replay.difference(model.world(state));
    if (differences.length > 0) return { labels, differences };
  }
  return { labels, differences: [] };
}

const BEGINS = /^the client asks c1 for the commit$/;

function optionsOf(model: Model, state: Int32Array) {
  const options: { label: string; kind: Kind; state: Int32Array }[] = [];
  model.successors(state, (next, kind, text, about) => {
    const label = text.replaceAll('{p}', `p${about}`);
    if (Replay.sentence(label)) options.push({ label, kind, state: next.slice() });
  });
  return options;
}
