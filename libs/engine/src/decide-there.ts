/**
 * One phase, as settled by any process but the owner: the participant that the id names is asked for a tombstone,
 * and answers which of the two rows is in its database. Guards protocol §4.6: for such an id an empty register
 * means nothing, and no abort is recorded there before the tombstone is durable; what is recorded is a copy.
 *
 * Crash windows: before the participant answers nothing is known, and the next question asks again; between its
 * answer and the copy the next question gets the same answer, since a row that is there stays.
 */
import {
  ONLY_BRANCH,
  type Decision,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { DecisionRegister, InquiryAnswer, ParticipantChannel } from './ports/index.js';

interface DecideTherePorts {
  readonly channel: ParticipantChannel;
  readonly register: DecisionRegister;
}

/** How long the participant is waited for: the asking process waits too. */
const ANSWER_MS = 2_000;

/**
 * The decision, which exists after this at the latest. `undecided` while the participant does not answer; `forgotten` when it may
 * have pruned its outcome row. Rejects with `RegisterUnknown` when the copy may not have been written.
 */
export async function decideThere(
  { channel, register }: DecideTherePorts,
  { transaction, participant }: { transaction: TransactionId; participant: ParticipantName },
  self: Incarnation,
): Promise<InquiryAnswer> {
  const to = { transaction, branch: ONLY_BRANCH, participant };
  const answer = await channel.finish({
    to,
    epoch: self,
    decision: 'abort',
    timeLeftMs: ANSWER_MS,
  });
  if (answer.kind !== 'answered') return { kind: 'undecided' };
  const said = answer.answer;
  if (said.kind !== 'acknowledged') {
    const isForgotten = said.kind === 'not-yet' && said.forgotten === true;
    return { kind: isForgotten ? 'forgotten' : 'undecided' };
  }
  const { kind } = said.outcome;
  if (kind === 'heuristic') return { kind: 'undecided' };
  const proposed: Decision = kind === 'committed' ? 'commit' : 'abort';
  const decided = await register.decide({
    transaction,
    proposed,
    isCopy: true,
    finisher: self,
    branches: proposed === 'commit' ? [{ branch: ONLY_BRANCH, participant, work: 'bundled' }] : [],
    note: { asked: { branch: ONLY_BRANCH, participant } },
  });
  if (decided.kind === 'on-record') {
    return { kind: 'decided', decision: decided.standing.decision };
  }
  // A row that is still there is true at any age. Of an abort, the participant closes what it forgets, so that its
  // tombstone proves one; below the register's own mark it is not relied on that its database was never restored.
  return proposed === 'commit' ? { kind: 'decided', decision: 'commit' } : { kind: 'forgotten' };
}
