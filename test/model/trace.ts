/**
 * A counterexample as a story: how the first state led to the one that is wrong, one sentence per
 * step. The searcher keeps only which state was reached from which, so the trace is computed again from the
 * start, with the participants' names as they were at first.
 */
import type { Found, Specification } from './search.js';

export interface Step {
  readonly label: string;
  readonly state: Int32Array;
}

/** The steps from the initial state to a found one. Throws if they cannot be retraced. */
export function retrace(specification: Specification, found: Found, state: number): Step[] {
  const path: number[] = [];
  for (let at = state; at !== 0; at = found.parents.at(at)) path.push(at);
  const steps: Step[] = [];
  let current = specification.initial();
  for (const next of path.reverse()) {
    const step = stepTo(specification, current, found.store.at(next));
    if (!step) throw new Error(`state ${next} does not follow from the one that reached it`);
    steps.push(step);
    current = step.state;
  }
  return steps;
}

function stepTo(
  specification: Specification,
  from: Int32Array,
  wanted: Int32Array,
): Step | undefined {
  let step: Step | undefined;
  specification.successors(from, (next, _kind, label, about = 0) => {
    if (step) return;
    const kept = next.slice();
    const same = specification.canonical?.(next) ?? next;
    if (!same.every((word, i) => word === wanted[i])) return;
    step = { label: label.replace('{p}', `p${about}`), state: kept };
  });
  return step;
}

/** The story as text: numbered, with what is wrong at the end. */
export function tell(steps: readonly Step[], complaint: string): string {
  const lines = steps.map(({ label }, i) => `${String(i + 1).padStart(3)}  ${label}`);
  return [...lines, `  →  ${complaint}`].join('\n');
}
