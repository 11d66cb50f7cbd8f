/** Counts ends: each transaction once, by its outcome. */
import type { LiveTransaction } from './live-transaction.js';
import type { TransactionCounters } from './transaction-options.js';

type EndCounters = Pick<
  TransactionCounters,
  'committed' | 'aborted' | 'heuristic' | 'readOnly' | 'onePhase'
>;

/** Takes note of an end; does nothing before there is one. */
export function tally(count: EndCounters, live: LiveTransaction): void {
  const { state } = live;
  if (state.phase !== 'ended') return;
  if (state.outcome === 'committed') {
    count.committed += 1;
    if (live.hasCommittedInOnePhase()) count.onePhase += 1;
    else if (live.standsNowhere()) count.readOnly += 1;
  } else if (state.outcome === 'aborted') count.aborted += 1;
  else count.heuristic += 1;
}
