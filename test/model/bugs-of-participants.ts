/**
 * Mistakes of a participant and of its database statements (protocol §4.2 and §4.4): what it promises,
 * what it leaves behind, and what it takes an answer for.
 */
import { stepBranch } from '@concordat/protocol';
import { branch, type Bug } from './bug.js';
import {
  acknowledgement,
  endedLast,
  exactlyOnce,
  forgottenIsHarmless,
  tombstoneIsFinal,
  validity,
} from './invariants.js';

export const PARTICIPANT_BUGS: readonly Bug[] = [
  {
    name: 'yes without the tag',
    mistake: 'PREPARE TRANSACTION resolved, so the branch is prepared.',
    host: {
      stepBranch: (state, event) =>
        event.type === 'prepare-answered' && event.result.kind === 'rolled-back'
          ? stepBranch(state, { type: 'prepare-answered', result: { kind: 'prepared' } })
          : stepBranch(state, event),
    },
    scenario: {},
    caughtBy: validity,
  },
  {
    name: 'yes before PREPARE has answered',
    mistake: 'The work is done and PREPARE never fails.',
    host: branch((step, _state, event) =>
      event.type === 'prepare-due'
        ? { ...step, messages: [{ type: 'vote', vote: { kind: 'prepared' } }] }
        : step,
    ),
    scenario: {},
    caughtBy: validity,
  },
  {
    name: 'prepared reported as read-only',
    mistake: 'The statement wrote no row of ours, so the branch wrote nothing.',
    host: {
      stepBranch: (state, event) =>
        event.type === 'prepare-answered' && event.result.kind === 'prepared'
          ? stepBranch(state, { type: 'prepare-answered', result: { kind: 'read-only' } })
          : stepBranch(state, event),
    },
    scenario: {},
    caughtBy: endedLast,
  },
  {
    name: 'tombstone missing',
    mistake: 'Nothing was prepared, so there is nothing to roll back and nothing to leave behind.',
    host: { afterFence: (row) => row },
    scenario: {},
    caughtBy: acknowledgement,
  },
  {
    name: 'a tombstone that waits taken for written',
    mistake: 'The insert timed out behind the branch itself, which is on its way to roll back.',
    host: branch((step, state, event) =>
      event.type === 'abort-answered' && event.result.kind === 'unknown'
        ? stepBranch(state, { type: 'abort-answered', result: { kind: 'aborted' } })
        : step,
    ),
    scenario: {},
    caughtBy: acknowledgement,
  },
  {
    name: 'a late prepare is accepted after the abort',
    mistake: 'The tombstone is for people; a prepare that comes later is a new branch.',
    host: { keyIsFree: (row) => row === 'none' || row === 'tombstone' },
    scenario: {},
    caughtBy: tombstoneIsFinal,
  },
  {
    name: 'an outcome row without a key',
    mistake: 'The row is for the operator; two do no harm.',
    host: { keyIsFree: (row) => row !== 'prepared' },
    scenario: { participants: 1, faults: { duplicate: 1 } },
    caughtBy: forgottenIsHarmless,
    alone: true,
  },
  {
    name: 'outcome rows pruned by age alone',
    mistake: 'The transaction is over, so its row will never be asked for.',
    host: { prunesOutcomesByAge: true },
    scenario: { participants: 1, faults: { duplicate: 1, pruning: 1 } },
    caughtBy: exactlyOnce,
    alone: true,
  },
  {
    name: '42704 taken for committed',
    mistake: 'No such prepared transaction: it must have been committed already.',
    host: { judgeMissing: () => 'committed' },
    scenario: { faults: { manual: 1 } },
    caughtBy: acknowledgement,
  },
  {
    name: 'an acknowledgement before the database has answered',
    mistake: 'The command has arrived and will be carried out.',
    host: { acknowledges: 'when asked' },
    scenario: {},
    caughtBy: acknowledgement,
  },
  {
    name: 'a lost answer to COMMIT PREPARED taken for done',
    mistake: 'It was sent, and it cannot be refused.',
    host: branch((step, state, event) =>
      event.type === 'commit-answered' && event.result.kind === 'unknown'
        ? stepBranch(state, { type: 'commit-answered', result: { kind: 'committed' } })
        : step,
    ),
    scenario: { faults: { 'database unknown': 1 } },
    caughtBy: acknowledgement,
  },
  {
    name: 'a participant gives up waiting',
    mistake: 'It has held its locks for an hour; the coordinator will not come back.',
    host: { participantGivesUp: true },
    scenario: {},
    caughtBy: validity,
  },
];
