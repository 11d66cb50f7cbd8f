/** What a live transaction has to say of waits: whether one is its branch's, and whether it may give way. */
import type { LiveTransaction } from '../live-transaction.js';
import type { WaitingBranch } from '../ports/index.js';

/**
 * Whether a participant's branch of an undecided transaction waits there, as it says. From then on it is
 * known on which instance, so that an abort ends the wait at once.
 */
export function believesWait(
  live: LiveTransaction | undefined,
  { branch, participant, instance }: WaitingBranch,
): boolean {
  const memory = live?.memory.get(branch);
  if (!live || live.isDecided() || memory?.participant !== participant) return false;
  memory.instance ??= instance;
  return true;
}

/** Once it asks for its decision all its branches have voted, and it waits for nothing. */
export function mayGiveWay({ state }: LiveTransaction): boolean {
  return state.phase === 'active' || state.phase === 'preparing';
}
