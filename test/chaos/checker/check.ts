/**
 * The offline checker: a pure function from a history to complaints. Each invariant is stated as in
 * the table it comes from, and all eighteen of the table are here.
 */
import { auditIsWhole } from './audit.js';
import { calmCommits, oneCommitPerKey, toldAborted, toldCommitted } from './clients.js';
import {
  decidedOnce,
  heuristicsAreExplained,
  openIsInFlight,
  participantsAgree,
  supersededIsSilent,
  tombstonesHold,
  unknownIsWhole,
} from './decisions.js';
import { Facts } from './facts.js';
import type { Event } from './history.js';
import { stuckDelaysNobody } from './load.js';
import { deltasApplyOnce, totalsHold } from './money.js';
import { oneOrder } from './order.js';
import {
  endsInTime,
  foreignersStay,
  historyIsWhole,
  nobodyGivesUp,
  nothingStaysPrepared,
} from './rest.js';
import type { Checker, Complaint } from './verdict.js';
import { votesBeforeCommit } from './votes.js';

export type { Complaint } from './verdict.js';

export const CHECKERS: Readonly<Record<string, { holds: string; check: Checker }>> = {
  I1: { holds: 'participants that decide, decide alike', check: participantsAgree },
  I2: { holds: 'one decision per transaction, never changed', check: decidedOnce },
  I3: {
    holds:
      'commit needs a durable vote of every branch, and is on record before any COMMIT PREPARED',
    check: votesBeforeCommit,
  },
  I4: { holds: 'no fault and no "no": then commit', check: calmCommits },
  I5: { holds: 'after healing everything ends within the bound', check: endsInTime },
  I6: { holds: 'totals: as begun, and as the deltas say', check: totalsHold },
  I7: { holds: 'an acknowledged commit is in all, a completed one already', check: toldCommitted },
  I8: { holds: 'an acknowledged abort is in none, ever', check: toldAborted },
  I9: { holds: 'unknown to the client: all or none', check: unknownIsWhole },
  I10: { holds: 'nothing of ours stays prepared', check: nothingStaysPrepared },
  I11: { holds: 'foreign prepared transactions are untouched', check: foreignersStay },
  I12: { holds: 'each delta is applied once', check: deltasApplyOnce },
  I13: { holds: 'what has a tombstone never prepares or commits', check: tombstonesHold },
  I14: {
    holds: 'the first durable decision is final; a superseded incarnation adds none',
    check: supersededIsSilent,
  },
  I15: { holds: 'what operators did is audited once, in one chain', check: auditIsWhole },
  I16: { holds: 'one idempotency key: at most one commit, one answer', check: oneCommitPerKey },
  I17: { holds: 'open rows are in flight, and nothing is forgotten early', check: openIsInFlight },
  I18: { holds: 'one stuck branch leaves the others as fast as before', check: stuckDelaysNobody },
  heuristic: { holds: 'heuristic is what a person did', check: heuristicsAreExplained },
  order: { holds: 'conflicting transactions have one order everywhere', check: oneOrder },
  alive: { holds: 'no process ends by itself', check: nobodyGivesUp },
  history: { holds: 'the history is whole', check: historyIsWhole },
};

/** Complaints in a fixed order, for any order of the lines. */
export function check(history: readonly Event[]): Complaint[] {
  const facts = new Facts(history);
  return Object.entries(CHECKERS).flatMap(([invariant, { check: complaintsOf }]) =>
    [...new Set(complaintsOf(facts))].sort().map((sentence) => ({ invariant, sentence })),
  );
}
