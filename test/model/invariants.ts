/**
 * The invariants: what must hold in every reachable state, each a statement of its own with its name.
 * AC1 to AC5 are the atomic commitment properties of Bernstein, Hadzilacos and Goodman; AC4 and AC5
 * speak of whole runs and live in termination.ts. The rest is ours (protocol §3 to §6).
 */
import type { Invariant } from './search.js';
import type { Model } from './model.js';
import { isSettled } from './coordinator-host.js';
import {
  branchOf,
  indexOf,
  nameOf,
  type AckKind,
  type Coordinator,
  type Participant,
  type World,
} from './world.js';

export interface Statement {
  readonly name: string;
  readonly says: string;
  /** A complaint, or undefined when it holds. */
  readonly holds: (world: World) => string | undefined;
}

/** A branch that a person finished shows nothing about the protocol; what is reported about it does. */
const untouched = (one: Participant): boolean => one.byHand === 'nothing';
/** Branches that take part in the decision: all but those that wrote nothing when they were counted. */
function takesPart(
  { truth, participants }: Pick<World, 'truth' | 'participants'>,
  i: number,
): boolean {
  if (truth.decision === 'commit') return truth.branches.includes(branchOf(i));
  return !participants[i]?.readOnly;
}
/** The decision, where it is made: at the only participant, or in the register. */
function decisionAt({ truth, participants }: Pick<World, 'truth' | 'participants'>) {
  if (!truth.inOnePhase) return truth.decision;
  const [only] = participants;
  if ((only?.applied ?? 0) > 0) return 'commit';
  return only?.tombstoned ? 'abort' : 'none';
}
const everywhere = (world: World): string => world.participants.map((one) => one.row).join(', ');
const HEURISTIC: readonly AckKind[] = ['missing', 'tombstone', 'found-committed'];

function decisionOf({ transaction }: Coordinator): 'commit' | 'abort' | undefined {
  switch (transaction?.phase) {
    case 'committing':
      return 'commit';
    case 'aborting':
      return 'abort';
    case 'ended':
      return transaction.decision;
    case 'active':
    case 'preparing':
    case 'settling':
    case 'deciding':
    case undefined:
      return undefined;
  }
}

export const unbroken: Statement = {
  name: 'unbroken',
  says: 'the shipped code never breaks an invariant of its own',
  holds: ({ coordinators, participants }) =>
    [...coordinators, ...participants].find((one) => one.broken !== null)?.broken ?? undefined,
};

export const agreement: Statement = {
  name: 'AC1 agreement',
  says: 'all processes that decide decide alike',
  holds: (world) => {
    const { truth, coordinators, participants } = world;
    let commit = truth.decision === 'commit';
    let abort = truth.decision === 'abort';
    for (const one of coordinators) {
      const decision = decisionOf(one);
      commit ||= decision === 'commit';
      abort ||= decision === 'abort';
    }
    participants.forEach((one, i) => {
      if (!untouched(one) || !takesPart(world, i)) return;
      // Past retention a tombstone shows nothing: the answer is that nothing is known any more.
      if (truth.inOnePhase && one.pruned) return;
      commit ||= one.row === 'committed';
      abort ||= one.row === 'tombstone';
    });
    // All read-only: nothing was decided, and a later inquiry records an abort of nothing.
    if (!commit || !abort || participants.every((one) => one.readOnly)) return undefined;
    return `${truth.decision} is on record; the branches are ${everywhere(world)}`;
  },
};

export const irrevocability: Statement = {
  name: 'AC2 irrevocability',
  says: 'no process reverses its decision',
  holds: ({ truth, participants }) => {
    if (truth.said.length > 1 && !participants.every((one) => one.readOnly)) {
      return 'both commit and abort have been said';
    }
    const reversed = participants.find(
      (one) => untouched(one) && !one.pruned && one.applied > 0 && one.row !== 'committed',
    );
    return reversed && `a committed branch became ${reversed.row}`;
  },
};

export const validity: Statement = {
  name: 'AC3 validity',
  says: 'commit is decided only if every branch has durably voted yes',
  holds: ({ truth, participants }) => {
    if (truth.decision !== 'commit' || truth.ended || truth.pruned) return undefined;
    const missing = participants.findIndex((one, i) => {
      if (!untouched(one) || one.pruned) return false;
      return takesPart({ truth, participants }, i)
        ? one.row !== 'prepared' && one.row !== 'committed'
        : !one.readOnly;
    });
    return missing < 0 ? undefined : `commit is on record, and p${missing + 1} has not voted yes`;
  },
};

export const decidedFirst: Statement = {
  name: 'decided first',
  says: 'nothing is committed in a database before commit is on record in the register',
  holds: ({ truth, participants }) =>
    !truth.inOnePhase &&
    truth.decision !== 'commit' &&
    participants.some((one) => untouched(one) && one.applied > 0)
      ? `committed while ${truth.decision} is on record`
      : undefined,
};

export const onlyWhatWasVoted: Statement = {
  name: 'only what was voted',
  says: 'only branches that the commit on record names are committed',
  holds: ({ truth, participants }) => {
    if (truth.decision !== 'commit') return undefined;
    const other = participants.findIndex(
      (one, i) => one.row === 'committed' && !takesPart({ truth, participants }, i),
    );
    return other < 0 ? undefined : `p${other + 1} is committed, but its vote was read-only`;
  },
};

export const inTurn: Statement = {
  name: 'in turn',
  says: 'a branch asked in order is asked after all of an earlier name, and not before its turn',
  holds: ({ coordinators: [{ transaction, unsent }], participants }) => {
    if (transaction?.phase !== 'preparing') return undefined;
    const { branches, unasked } = transaction;
    const early = unasked.find((branch) => {
      const isBeingAsked = unsent.some((one) => one.type === 'prepare' && one.branch === branch);
      return isBeingAsked || participants[indexOf(branch)]?.mail.includes('prepare');
    });
    if (early) return `p${early} is asked, and its turn has not come`;
    const asked = [...branches.keys()].filter((branch) => !unasked.includes(branch));
    const passed = unasked.find((branch) => asked.some((one) => nameOf(one) > nameOf(branch)));
    return passed && `p${passed} waits for its turn, and one of a later name has been asked`;
  },
};

export const exactlyOnce: Statement = {
  name: 'exactly once',
  says: 'no branch is committed twice',
  holds: ({ participants }) =>
    participants.some((one) => one.applied > 1) ? 'committed twice' : undefined,
};

export const tombstoneIsFinal: Statement = {
  name: 'the tombstone is final',
  says: 'a tombstoned branch never prepares or commits afterwards',
  holds: ({ truth, participants }) => {
    const risen = participants.find(
      (one) =>
        one.tombstoned &&
        ((!one.pruned && one.row !== 'tombstone') || (truth.inOnePhase && one.applied > 0)),
    );
    return risen && `a tombstoned branch is ${risen.row}`;
  },
};

export const acknowledgement: Statement = {
  name: 'an acknowledgement means what it says',
  says: 'a branch that acknowledged a commit has its outcome row; one that acknowledged an abort never holds anything again',
  holds: ({ participants }) => {
    for (const [i, { acknowledged, row, pruned }] of participants.entries()) {
      if (pruned) continue;
      if (acknowledged.includes('commit') && row !== 'committed') {
        return `p${i + 1} acknowledged a commit, and its branch is ${row}`;
      }
      if (acknowledged.includes('abort') && (row === 'prepared' || row === 'committed')) {
        return `p${i + 1} acknowledged an abort, and its branch is ${row}`;
      }
    }
    return undefined;
  },
};

export const endedLast: Statement = {
  name: 'ended last',
  says: 'a decision ends only when none of its branches is prepared any more',
  holds: (world) => {
    const { truth, coordinators, participants } = world;
    const ended = (what: string): string | undefined => {
      const left = participants.findIndex(
        (one, i) => one.row === 'prepared' && untouched(one) && takesPart(world, i),
      );
      return left < 0 ? undefined : `${what}, and p${left + 1} is still prepared`;
    };
    if (truth.decision === 'commit' && truth.ended) {
      const complaint = ended('the commit is noted as ended');
      if (complaint) return complaint;
    }
    for (const { transaction } of coordinators) {
      if (transaction?.phase !== 'ended' || transaction.silent.length > 0) continue;
      const complaint = ended(`the coordinator ended it as ${transaction.outcome}`);
      if (complaint) return complaint;
    }
    return undefined;
  },
};

export const forgottenIsHarmless: Statement = {
  name: 'late is harmless',
  says: 'once a decision has ended and is forgotten, no late message or statement revives a branch',
  holds: (world) => {
    const { truth, coordinators, participants } = world;
    const forgotten = coordinators.every((one) => one.transaction === null);
    if (!forgotten || truth.decision !== 'commit' || !truth.ended) return undefined;
    const revived = participants.findIndex(
      (one, i) =>
        untouched(one) && !one.pruned && takesPart(world, i) !== (one.row === 'committed'),
    );
    return revived < 0 ? undefined : `after the end the branches are ${everywhere(world)}`;
  },
};

export const honesty: Statement = {
  name: 'the client’s answer is true',
  says: 'answered commit, it is on record; answered abort, it is nowhere; answered completed, it is everywhere at that moment',
  holds: ({ truth, participants }) => {
    const wrote = participants.some((one) => !one.readOnly);
    const { toldDecided, toldCompleted } = truth;
    const decision = decisionAt({ truth, participants });
    if (toldDecided === 'commit' && decision !== 'commit' && wrote) {
      return `answered commit, and ${decision} is on record`;
    }
    const hit = participants.filter(untouched);
    if (toldDecided === 'abort' && (decision === 'commit' || hit.some((one) => one.applied > 0))) {
      return `answered abort, and ${decision} is on record`;
    }
    const unfinished = truth.branches.find(
      (branch) => participants[indexOf(branch)]?.row !== 'committed',
    );
    if (toldCompleted === 'committed' && unfinished && !truth.pruned) {
      const { pruned = false } = participants[indexOf(unfinished)] ?? {};
      if (!pruned) return `answered completed, and p${unfinished} is not committed`;
    }
    return undefined;
  },
};

export const noFalseAlarm: Statement = {
  name: 'no false alarm',
  says: 'nothing is called heuristic unless a branch was finished manually, or its participant has forgotten it',
  holds: ({ truth, participants }) => {
    if (!participants.every(untouched)) return undefined;
    if (truth.inOnePhase && participants.every((one) => one.pruned)) return undefined;
    if (truth.evidence.length > 0) return `p${String(truth.evidence[0])} is recorded as heuristic`;
    const alarmed = participants.findIndex((one) =>
      one.mail.some((mail) => HEURISTIC.includes(mail.split('>')[0] as AckKind)),
    );
    return alarmed < 0 ? undefined : `p${alarmed + 1} reports a heuristic outcome`;
  },
};

/** Branches that a person finished against the decision on record, or against the owner's end. */
function against({ participants }: World, decision: 'commit' | 'abort'): number {
  return participants.findIndex((one) =>
    decision === 'commit'
      ? one.byHand === 'rolled-back' && one.row !== 'committed' && one.row !== 'prepared'
      : one.byHand === 'committed',
  );
}

export const heuristicsAreTold: Statement = {
  name: 'a manual change is heuristic',
  says: 'a branch finished manually against the decision makes the outcome heuristic, never plain',
  holds: (world) => {
    const { truth, coordinators, participants } = world;
    const plain = (outcome: string | null | undefined, decision: 'commit' | 'abort') => {
      if (outcome !== (decision === 'commit' ? 'committed' : 'aborted')) return undefined;
      const one = against(world, decision);
      return one < 0 || participants[one]?.pruned
        ? undefined
        : `${outcome}, in spite of p${one + 1}`;
    };
    for (const coordinator of coordinators) {
      const { transaction } = coordinator;
      // Branches that never answered an abort are named beside the outcome.
      if (transaction?.phase !== 'ended' || transaction.silent.length > 0) continue;
      const { outcome, decision } = transaction;
      const complaint = decision && plain(outcome, decision);
      if (complaint) return complaint;
    }
    return truth.decision === 'commit' ? plain(truth.ended, 'commit') : undefined;
  },
};

export const evidenceIsKept: Statement = {
  name: 'evidence is kept',
  says: 'an outcome is reported or noted as heuristic only when its evidence is durable',
  holds: ({ truth, coordinators }) => {
    const told = [truth.ended, truth.toldCompleted].find((one) => one?.startsWith('heuristic'));
    const isGone = truth.pruned && !truth.inOnePhase;
    if (told && truth.evidence.length === 0 && !isGone) return `${told}, and nothing is recorded`;
    const owner = coordinators.find((one) => isSettled(one));
    if (owner?.transaction?.phase !== 'ended') return undefined;
    const lost = owner.transaction.heuristics.find((one) => !truth.evidence.includes(one.branch));
    return lost && !isGone
      ? `p${lost.branch} is heuristic, and nothing is recorded of it`
      : undefined;
  },
};

export const STATEMENTS: readonly Statement[] = [
  unbroken,
  agreement,
  irrevocability,
  validity,
  decidedFirst,
  onlyWhatWasVoted,
  inTurn,
  exactlyOnce,
  tombstoneIsFinal,
  acknowledgement,
  endedLast,
  forgottenIsHarmless,
  honesty,
  noFalseAlarm,
  heuristicsAreTold,
  evidenceIsKept,
];

/** The statements as the searcher wants them. */
export function invariantsOf(model: Model, statements = STATEMENTS): Invariant[] {
  return statements.map(({ name, says, holds }) => ({
    name,
    says,
    violatedBy: (state) => holds(model.world(state)),
  }));
}
