/**
 * The transaction machine's step function: one event in, the next state and what must happen out.
 * Every phase has its function; every event that a phase tolerates is a case with its reason.
 */
import type { AbortCause } from './decision.js';
import type { BranchId, ParticipantName } from './identity.js';
import { transactionOutcome } from './outcome.js';
import { stepSettling } from './settling-step.js';
import {
  askAgain,
  end,
  heuristicOf,
  impossible,
  known,
  retryLater,
  stay,
  tell,
  without,
  type In,
} from './transaction-steps.js';
import type {
  Branches,
  Heard,
  PrepareOrder,
  TransactionEvent,
  TransactionRecord,
  TransactionState,
  TransactionStep,
  TransactionTimer,
} from './transaction.js';
import { assertTransactionTransition } from './transitions.js';
import { PeerViolation, invariant } from './violation.js';

/**
 * Performs one event on a transaction. Throws {@link PeerViolation} when a participant broke the
 * protocol, {@link InvariantViolation} when the host did.
 */
export function stepTransaction(state: TransactionState, event: TransactionEvent): TransactionStep {
  const step = dispatch(state, event);
  assertTransactionTransition(state.phase, event.type, step.state.phase);
  return step;
}

function dispatch(state: TransactionState, event: TransactionEvent): TransactionStep {
  switch (state.phase) {
    case 'active':
      return stepActive(state, event);
    case 'preparing':
      return stepPreparing(state, event);
    case 'settling':
      return stepSettling(state, event);
    case 'deciding':
      return stepDeciding(state, event);
    case 'committing':
      return stepCommitting(state, event);
    case 'aborting':
      return stepAborting(state, event);
    case 'ended':
      return stepEnded(state, event);
  }
}

function stepActive(state: In<'active'>, event: TransactionEvent): TransactionStep {
  switch (event.type) {
    case 'enlisted': {
      invariant(!state.branches.has(event.branch.branch), 'a branch enlists once');
      const branches = new Map(state.branches).set(event.branch.branch, event.branch);
      return stay({ phase: 'active', branches });
    }
    case 'prepare-requested': {
      if (state.branches.size === 0) return end(state.branches, 'commit', undefined, [], []);
      const heard = new Map<BranchId, Heard>();
      for (const branch of state.branches.keys()) heard.set(branch, null);
      const turns = turnsOf(state.branches, event.order ?? 'parallel');
      const { inOnePhase = false } = event;
      invariant(!inOnePhase || isOneBundled(state.branches), 'one phase is for one bundled branch');
      const { branches } = state;
      return ask({ phase: 'preparing', branches, heard, unasked: [], inOnePhase }, turns);
    }
    case 'deadline-passed':
      return abort(
        state.branches,
        { kind: 'deadline', missing: [] },
        opened(state.branches),
        false,
      );
    case 'rollback-requested':
      return abort(state.branches, event.cause, opened(state.branches), false);
    case 'decided':
      // Only an abort can be on record here: the owner has not proposed, and only the owner proposes commit.
      invariant(
        event.decision === 'abort',
        'commit is on record though the owner never proposed it',
      );
      return abort(state.branches, event.cause ?? UNDETERMINED, opened(state.branches), true);
    case 'voted':
      throw new PeerViolation(`branch ${event.branch} voted before it was asked to prepare`);
    case 'unreached':
    case 'acknowledged':
    case 'unanswered':
    case 'forgotten':
    case 'retry-due':
    case 'notification-over':
      return impossible(state, event);
  }
}

function stepPreparing(state: In<'preparing'>, event: TransactionEvent): TransactionStep {
  switch (event.type) {
    case 'voted':
      return hear(state, event.branch, event.vote);
    case 'unreached':
      return hear(state, event.branch, { kind: 'unreached' });
    case 'deadline-passed':
      return giveUp(state, deadline(state));
    case 'rollback-requested':
      return giveUp(state, event.cause);
    case 'decided':
      invariant(
        event.decision === 'abort',
        'commit is on record though the owner never proposed it',
      );
      return abort(state.branches, event.cause ?? UNDETERMINED, contacted(state), true);
    case 'prepare-requested':
      return stay(state); // The client repeats its commit; round one is already out.
    case 'enlisted':
    case 'acknowledged':
    case 'unanswered':
    case 'forgotten':
    case 'retry-due':
    case 'notification-over':
      return impossible(state, event);
  }
}

/**
 * Which branches are asked together: all at once, or each alone by its participant's name. Every transaction
 * that orders does so by the same names, so one that waits at one participant holds locks at earlier ones
 * only, and no cycle over several of them can close.
 */
function turnsOf(branches: Branches, order: PrepareOrder): BranchId[][] {
  if (order === 'parallel') return [[...branches.keys()]];
  const byName = [...branches.values()].sort((a, b) => (a.participant < b.participant ? -1 : 1));
  return byName.map((one) => [one.branch]);
}

/** Asks those whose turn it is; the others wait until these have said yes. */
function ask(
  state: In<'preparing'>,
  [turn = [], ...later]: readonly (readonly BranchId[])[],
): TransactionStep {
  return {
    state: { ...state, unasked: later.flat() },
    records: [],
    messages: tell('prepare', state.branches, turn),
    timers: [],
  };
}

function hear(state: In<'preparing'>, branch: BranchId, said: NonNullable<Heard>): TransactionStep {
  const enlisted = state.branches.get(branch);
  if (!enlisted) throw new PeerViolation(`a vote for branch ${branch}, which never enlisted`);
  if (state.unasked.includes(branch)) {
    throw new PeerViolation(`branch ${branch} voted before it was asked to prepare`);
  }
  if (state.heard.get(branch)) return stay(state); // The first vote counts; a second is ignored.
  const heard = new Map(state.heard).set(branch, said);
  const next: In<'preparing'> = { ...state, heard };
  const { participant } = enlisted;
  if (said.kind === 'no') {
    const cause: AbortCause = { kind: 'vote', branch, participant, vote: said };
    return giveUp(next, cause);
  }
  if (said.kind === 'unreached') {
    const cause: AbortCause = { kind: 'unreachable', branch, participant };
    return abort(next.branches, cause, contacted(next), false);
  }
  if (said.kind === 'committed') {
    if (!state.inOnePhase) throw new PeerViolation(`branch ${branch} committed before a decision`);
    return end(next.branches, 'commit', undefined, [], []);
  }
  if (said.kind === 'prepared' && state.inOnePhase) {
    // Others may take it for aborted by its tombstone, so no commit may be proposed of it.
    const reason = 'it was prepared, and not committed in one phase';
    return giveUp(next, { kind: 'given-up', branch, participant, reason });
  }
  const missing = [...heard].filter(([, one]) => one === null).map(([id]) => id);
  const [first, ...later] = state.unasked;
  // Its turn comes with the last yes of those before it.
  if (first !== undefined && missing.length === state.unasked.length) {
    return ask(next, [[first], later]);
  }
  if (missing.length > 0) return stay(next);
  const prepared = [...heard].filter(([, one]) => one?.kind === 'prepared').map(([id]) => id);
  // All read-only: nothing was written anywhere, so there is nothing to decide and nothing to force.
  if (prepared.length === 0) return end(next.branches, 'commit', undefined, [], []);
  return {
    state: { phase: 'deciding', branches: next.branches, prepared },
    // Crash before this record is durable: the branches are in doubt, inquire, and get "abort".
    records: [
      {
        type: 'propose-commit',
        durability: 'forced',
        branches: prepared.map((id) => known(next.branches, id)),
      },
    ],
    messages: [],
    timers: [{ type: 'cancel-deadline' }],
  };
}

/**
 * The end of what is not going to commit. In one phase it is not known yet whether it has: a no may be the second
 * copy's, and silence proves nothing. Proof of non-delivery does.
 */
function giveUp(state: In<'preparing'>, cause: AbortCause): TransactionStep {
  const { branches, inOnePhase } = state;
  const [branch] = contacted(state);
  if (!inOnePhase || branch === undefined) return abort(branches, cause, contacted(state), false);
  return {
    state: { phase: 'settling', branches, branch, cause },
    records: [],
    // Crash before it is answered: the next question about the transaction settles it in the same way.
    messages: tell('settle', branches, [branch]),
    timers: [{ type: 'cancel-deadline' }],
  };
}

function stepDeciding(state: In<'deciding'>, event: TransactionEvent): TransactionStep {
  switch (event.type) {
    case 'decided': {
      if (event.decision === 'abort') {
        return abort(state.branches, event.cause ?? UNDETERMINED, [...state.branches.keys()], true);
      }
      return {
        state: {
          phase: 'committing',
          branches: state.branches,
          unacknowledged: new Set(state.prepared),
          heuristics: [],
        },
        records: [],
        // Crash before these leave: the decision is on record, recovery sends them.
        messages: tell('commit', state.branches, state.prepared),
        timers: [],
      };
    }
    case 'deadline-passed': // Commit was proposed; only the register may say what became of it.
    case 'rollback-requested': // Too late to ask for, too early to answer.
    case 'prepare-requested': // The client repeats its commit and waits for the same decision.
    case 'voted': // A second vote: the first one counted.
    case 'unreached': // A second copy of a prepare had no responders; the first one was answered.
      return stay(state);
    case 'enlisted':
    case 'acknowledged':
    case 'unanswered':
    case 'forgotten':
    case 'retry-due':
    case 'notification-over':
      return impossible(state, event);
  }
}

function stepCommitting(state: In<'committing'>, event: TransactionEvent): TransactionStep {
  switch (event.type) {
    case 'acknowledged': {
      if (!state.unacknowledged.has(event.branch)) return stay(state); // A repeated answer.
      const unacknowledged = without(state.unacknowledged, event.branch);
      const heuristic = heuristicOf(state.branches, event.branch, 'commit', event.outcome);
      const isNew = heuristic && !state.heuristics.some((one) => one.branch === heuristic.branch);
      const heuristics = isNew ? [...state.heuristics, heuristic] : state.heuristics;
      const records: TransactionRecord[] = heuristic
        ? [{ type: 'heuristic', durability: 'forced', decision: 'commit', branch: heuristic }]
        : [];
      if (unacknowledged.size > 0) {
        const next: TransactionState = { ...state, unacknowledged, heuristics };
        return { state: next, records, messages: [], timers: [] };
      }
      const ended = end(state.branches, 'commit', undefined, heuristics, []);
      const outcome = transactionOutcome('commit', heuristics);
      return { ...ended, records: [...records, { type: 'ended', durability: 'lazy', outcome }] };
    }
    case 'unanswered':
      return retryLater(state, state.unacknowledged, event.branch);
    case 'retry-due':
      return askAgain(state, 'commit', state.branches, state.unacknowledged, event.branch);
    case 'decided':
      // The answer to a repeat of the proposal: what was on record before is final.
      invariant(event.decision === 'commit', 'a decision changed from commit to abort');
      return stay(state);
    case 'deadline-passed': // It fired while the register answered; what is decided has no deadline.
    case 'rollback-requested': // The decision is on record; the opposite is not offered.
    case 'prepare-requested': // The client repeats its commit, and learns that it is on record.
    case 'voted': // Of a second copy of a prepare: every vote that counts is in.
    case 'unreached': // The same, where no process got it.
      return stay(state);
    case 'enlisted':
    case 'forgotten':
    case 'notification-over':
      return impossible(state, event);
  }
}

function stepAborting(state: In<'aborting'>, event: TransactionEvent): TransactionStep {
  switch (event.type) {
    case 'acknowledged': {
      if (!state.unacknowledged.has(event.branch)) return stay(state); // A repeated answer.
      const unacknowledged = without(state.unacknowledged, event.branch);
      const heuristic = heuristicOf(state.branches, event.branch, 'abort', event.outcome);
      const heuristics = heuristic ? [...state.heuristics, heuristic] : state.heuristics;
      const records: TransactionRecord[] = heuristic
        ? [{ type: 'heuristic', durability: 'forced', decision: 'abort', branch: heuristic }]
        : [];
      if (unacknowledged.size > 0) {
        const next: TransactionState = { ...state, unacknowledged, heuristics };
        return { state: next, records, messages: [], timers: [] };
      }
      return { ...end(state.branches, 'abort', state.cause, heuristics, []), records };
    }
    case 'unanswered':
      return retryLater(state, state.unacknowledged, event.branch);
    case 'retry-due':
      return askAgain(state, 'abort', state.branches, state.unacknowledged, event.branch);
    case 'notification-over': {
      // Notifying branches of an abort is optional: a branch that missed it inquires, and an absent decision
      // in the register becomes an abort there. Nothing is lost by forgetting, so memory stays bounded.
      const silent = [...state.unacknowledged];
      return end(state.branches, 'abort', state.cause, state.heuristics, silent);
    }
    case 'decided':
      // Another process recorded it; so it is not only presumed any more.
      invariant(event.decision === 'abort', 'a decision changed from abort to commit');
      return stay({ ...state, durable: true });
    case 'voted': // A vote that came too late. Its branch is among those that get the abort.
    case 'unreached': // No process got its prepare. It gets the abort all the same, which leaves a tombstone.
    case 'deadline-passed': // It fired in the same moment; the first cause is the one that is reported.
    case 'rollback-requested': // It aborts already, for the cause that came first.
    case 'prepare-requested': // Too late: the client learns that it aborts.
      return stay(state);
    case 'forgotten':
    case 'enlisted':
      return impossible(state, event);
  }
}

/**
 * Late votes, repeated acknowledgements and expired timers find a transaction that needs nothing. But a
 * branch that did not answer its abort, and answers only now that it has done the opposite, is evidence that
 * no other process has. What was reported of the end is not revised; the register has the evidence from then
 * on. Crash before this record is durable: its outcome row remains, and reconciliation finds it.
 */
function stepEnded(state: In<'ended'>, event: TransactionEvent): TransactionStep {
  if (event.type !== 'acknowledged' || !state.silent.includes(event.branch)) return stay(state);
  const { branches, decision } = state;
  if (decision === undefined) return stay(state); // Of no presumed abort; nothing of it is silent.
  const heuristic = heuristicOf(branches, event.branch, decision, event.outcome);
  if (!heuristic) return stay(state);
  return {
    state: { ...state, silent: state.silent.filter((one) => one !== event.branch) },
    records: [{ type: 'heuristic', durability: 'forced', decision, branch: heuristic }],
    messages: [],
    timers: [],
  };
}

const UNDETERMINED: AbortCause = { kind: 'undetermined' };

function abort(
  branches: Branches,
  cause: AbortCause,
  toTell: readonly BranchId[],
  durable: boolean,
): TransactionStep {
  const cancel: TransactionTimer = { type: 'cancel-deadline' };
  if (toTell.length === 0) {
    return { ...end(branches, 'abort', cause, [], []), timers: [cancel] };
  }
  return {
    state: {
      phase: 'aborting',
      branches,
      cause,
      durable,
      unacknowledged: new Set(toTell),
      heuristics: [],
    },
    records: [], // Presumed abort: nothing is written before the abort is sent.
    messages: tell('abort', branches, toTell),
    timers: [cancel, { type: 'notification' }],
  };
}

function deadline(state: In<'preparing'>): AbortCause {
  const missing: ParticipantName[] = [];
  for (const [branch, said] of state.heard) {
    if (said !== null || state.unasked.includes(branch)) continue;
    missing.push(known(state.branches, branch).participant);
  }
  return { kind: 'deadline', missing };
}

/**
 * Every branch that a prepare may have reached: also those that voted no or nothing, since a failed or late
 * PREPARE can leave a prepared transaction. A bundled branch is excepted by proof of non-delivery, and while
 * its turn has not come; an open one was contacted when it began.
 */
function contacted(state: In<'preparing'>): BranchId[] {
  return [...state.heard]
    .filter(([id, said]) => {
      const wasAsked = said?.kind !== 'unreached' && !state.unasked.includes(id);
      return wasAsked || known(state.branches, id).work === 'open';
    })
    .map(([id]) => id);
}

function isOneBundled(branches: Branches): boolean {
  const [only, ...others] = branches.values();
  return only?.work === 'bundled' && others.length === 0;
}

/** Before round one, only branches with open work have been contacted. */
function opened(branches: Branches): BranchId[] {
  return [...branches.values()].filter((one) => one.work === 'open').map((one) => one.branch);
}
