/**
 * The branch machine's step function: one event in, the next state, what the database must do, and
 * what may then be said. Guards protocol §4: never a yes without the PREPARE tag, never an
 * acknowledgement of a commit that left no outcome row.
 */
import type {
  AbortResult,
  BranchEvent,
  BranchMessage,
  BranchRecord,
  BranchState,
  BranchStep,
  BranchTimer,
  CommitResult,
  PrepareResult,
} from './branch.js';
import { assertBranchTransition } from './transitions.js';
import { PeerViolation, invariant } from './violation.js';
import { NoCode, protocolNo } from './vote.js';

/** Performs one event on a branch. */
export function stepBranch(state: BranchState, event: BranchEvent): BranchStep {
  const step = dispatch(state, event);
  assertBranchTransition(state.phase, event.type, step.state.phase);
  return step;
}

function dispatch(state: BranchState, event: BranchEvent): BranchStep {
  switch (event.type) {
    case 'begun':
      // A second prepare for a branch that is already here is refused, never run twice.
      if (state.phase !== 'absent') throw new PeerViolation('this branch has already begun here');
      return to({ phase: 'working', work: event.work }, [], [], lease(event.work));
    case 'work-continued':
      if (state.phase !== 'working') throw new PeerViolation(`no open work, it is ${state.phase}`);
      return to(state, [], [], [{ type: 'lease' }]);
    case 'prepare-due':
      return onPrepareDue(state);
    case 'refused':
      return onRefused(state, event.vote);
    case 'prepare-answered':
      return onPrepareAnswered(state, event.result);
    case 'commit-received':
      return onCommitReceived(state);
    case 'abort-received':
      return onAbortReceived(state);
    case 'commit-answered':
      return onCommitAnswered(state, event.result);
    case 'abort-answered':
      return onAbortAnswered(state, event.result);
  }
}

function onPrepareDue(state: BranchState): BranchStep {
  if (state.phase !== 'working') throw new PeerViolation(`cannot prepare, it is ${state.phase}`);
  return to({ phase: 'preparing' }, [{ type: 'prepare' }], [], [{ type: 'cancel-lease' }]);
}

function onRefused(
  state: BranchState,
  vote: Extract<BranchMessage, { type: 'vote' }>['vote'],
): BranchStep {
  // Work that ended after an abort overtook it has nothing left to say.
  if (state.phase !== 'working') return to(state);
  return to(
    { phase: 'ended', how: { kind: 'aborted' } },
    [{ type: 'rollback' }],
    [{ type: 'vote', vote }],
    [{ type: 'cancel-lease' }],
  );
}

function onPrepareAnswered(state: BranchState, result: PrepareResult): BranchStep {
  if (state.phase !== 'preparing') {
    // An abort overtook the PREPARE. The abort's own statements settle what the PREPARE left, and a
    // yes now would be a promise that is already broken.
    return to(state);
  }
  switch (result.kind) {
    case 'prepared':
      // Crash before this vote leaves: the branch is in doubt, the resolver inquires.
      return to({ phase: 'prepared' }, [], [{ type: 'vote', vote: { kind: 'prepared' } }]);
    case 'committed':
      // Crash before this vote leaves: the outcome row answers the next abort.
      return to(
        { phase: 'ended', how: { kind: 'committed' } },
        [],
        [{ type: 'vote', vote: { kind: 'committed' } }],
      );
    case 'read-only':
      return to(
        { phase: 'ended', how: { kind: 'read-only' } },
        [],
        [{ type: 'vote', vote: { kind: 'read-only' } }],
      );
    case 'rolled-back':
      return to(
        { phase: 'ended', how: { kind: 'aborted' } },
        [],
        [{ type: 'vote', vote: result.vote }],
      );
    case 'unknown': {
      // Maybe prepared, in one phase maybe committed: stay in doubt. Saying no is always allowed and makes
      // the abort come soon, which finds out what is true.
      const vote = result.vote ?? protocolNo(NoCode.resourceUnavailable, result.reason);
      return to({ phase: 'prepared' }, [], [{ type: 'vote', vote }]);
    }
  }
}

function onCommitReceived(state: BranchState): BranchStep {
  switch (state.phase) {
    case 'absent': // Another instance prepared it, or this one restarted. The database knows.
    case 'prepared':
    case 'ended':
      return to({ phase: 'committing' }, [{ type: 'commit' }]);
    case 'committing':
      return to(state); // Already at it; the answer goes to all that asked.
    case 'working':
    case 'preparing':
    case 'aborting':
      throw new PeerViolation(`asked to commit a branch that is ${state.phase} and never voted`);
  }
}

function onAbortReceived(state: BranchState): BranchStep {
  switch (state.phase) {
    case 'absent':
    case 'prepared':
    case 'ended':
    case 'preparing': // The tombstone waits for the PREPARE, or beats it.
      return to({ phase: 'aborting' }, [{ type: 'abort' }]);
    case 'working':
      return to(
        { phase: 'aborting' },
        [{ type: 'rollback' }, { type: 'abort' }],
        [],
        [{ type: 'cancel-lease' }],
      );
    case 'aborting':
      return to(state);
    case 'committing':
      throw new PeerViolation('asked to abort a branch that is being committed');
  }
}

function onCommitAnswered(state: BranchState, result: CommitResult): BranchStep {
  invariant(state.phase === 'committing', `a commit answered while ${state.phase}`);
  switch (result.kind) {
    case 'committed':
      return acknowledge('commit', { kind: 'committed' });
    case 'heuristic':
      return acknowledge('commit', { kind: 'heuristic', evidence: result.evidence });
    case 'busy':
    case 'unknown':
      return to(
        { phase: 'prepared' },
        [],
        [{ type: 'not-yet', decision: 'commit', reason: result.reason }],
      );
  }
}

function onAbortAnswered(state: BranchState, result: AbortResult): BranchStep {
  invariant(state.phase === 'aborting', `an abort answered while ${state.phase}`);
  switch (result.kind) {
    case 'aborted':
    case 'committed':
      return acknowledge('abort', { kind: result.kind });
    case 'heuristic':
      return acknowledge('abort', { kind: 'heuristic', evidence: result.evidence });
    case 'busy':
    case 'unknown':
      return to(
        { phase: 'prepared' },
        [],
        [{ type: 'not-yet', decision: 'abort', reason: result.reason }],
      );
    case 'forgotten':
      return to(
        { phase: 'prepared' },
        [],
        [{ type: 'not-yet', decision: 'abort', reason: result.reason, forgotten: true }],
      );
  }
}

function acknowledge(
  decision: 'commit' | 'abort',
  outcome: Extract<BranchMessage, { type: 'acknowledge' }>['outcome'],
): BranchStep {
  return to({ phase: 'ended', how: outcome }, [], [{ type: 'acknowledge', decision, outcome }]);
}

function lease(work: 'bundled' | 'open'): BranchTimer[] {
  return work === 'open' ? [{ type: 'lease' }] : [];
}

function to(
  state: BranchState,
  records: readonly BranchRecord[] = [],
  messages: readonly BranchMessage[] = [],
  timers: readonly BranchTimer[] = [],
): BranchStep {
  return { state, records, messages, timers };
}
