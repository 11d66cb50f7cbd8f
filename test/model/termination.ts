/**
 * AC4 and AC5: what must become of runs. AC5 asks of every reachable state, however many faults led
 * there, whether the protocol and its timers alone can still bring everything to rest: found
 * backwards, from all states at rest over the remembered transitions.
 */
import type { Found } from './search.js';
import type { Participant, World } from './world.js';

/** The first state, in order of depth, from which no state of `goal` can be reached any more. */
export function firstStranded(found: Found, goal: (state: Int32Array) => boolean): number {
  const { store, edges } = found;
  const reaches = new Uint8Array(store.size);
  const queue = new Int32Array(store.size);
  let length = 0;
  for (let i = 0; i < store.size; i++) {
    if (!goal(store.at(i))) continue;
    reaches[i] = 1;
    queue[length++] = i;
  }
  const { starts, sources } = reversed(found);
  for (let at = 0; at < length; at++) {
    const to = queue[at] as number;
    for (let e = starts[to] as number; e < (starts[to + 1] as number); e++) {
      const from = sources[e] as number;
      if (reaches[from]) continue;
      reaches[from] = 1;
      queue[length++] = from;
    }
  }
  return edges.from.length === 0 && length === 0 ? 0 : reaches.indexOf(0);
}

/** Edges by their target: those into `i` are `sources[starts[i]]` to `sources[starts[i + 1]]`. */
function reversed({ store, edges }: Found): { starts: Int32Array; sources: Int32Array } {
  const starts = new Int32Array(store.size + 1);
  for (let e = 0; e < edges.to.length; e++) {
    const to = edges.to.at(e) + 1;
    starts[to] = (starts[to] as number) + 1;
  }
  for (let i = 0; i < store.size; i++) {
    starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
  }
  const sources = new Int32Array(edges.to.length);
  const next = starts.slice();
  for (let e = 0; e < edges.to.length; e++) {
    const to = edges.to.at(e);
    const slot = next[to] as number;
    next[to] = slot + 1;
    sources[slot] = edges.from.at(e);
  }
  return { starts, sources };
}

/** AC5's goal: every process has decided, nothing is prepared, nothing is left to send. */
export function atRest({ truth, coordinators, participants }: World): boolean {
  if (truth.decision === 'commit' && !truth.ended && !truth.pruned) return false;
  for (const { transaction, unsent, forcing } of coordinators) {
    if (transaction && transaction.phase !== 'ended') return false;
    if (unsent.length > 0 || forcing.length > 0) return false;
  }
  return !truth.lateProposal && participants.every(isAtRest);
}

function isAtRest({ row, orphan, inquiry, instances }: Participant): boolean {
  if (row === 'prepared' || orphan !== 'none' || inquiry !== 'none') return false;
  return instances.every(({ branch: { phase } }) => phase === 'absent' || phase === 'prepared');
}

/** AC4: how a run with no fault, no refusal and no time-out must end. */
export function isCommitted({ truth, participants }: World): string | undefined {
  if (truth.toldDecided !== 'commit')
    return `the client's answer is ${truth.toldDecided ?? 'nothing'}`;
  if (truth.toldCompleted !== 'committed')
    return `completed as ${truth.toldCompleted ?? 'nothing'}`;
  const wrong = participants.findIndex((one) => one.row !== (one.readOnly ? 'none' : 'committed'));
  return wrong < 0 ? undefined : `p${wrong + 1} is ${participants[wrong]?.row ?? 'missing'}`;
}
