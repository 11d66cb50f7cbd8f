/**
 * The inquirer: answers "what became of this transaction?" for participants in doubt and for other
 * coordinators. Guards protocol §3 and §5: first the register, then the owner, then an abort recorded by
 * compare-and-set. A missing answer alone never becomes a decision. And §8: an external asker learns about
 * its own branches only, and whether an abort may be recorded for it is checked first.
 */
import {
  ONLY_BRANCH,
  decidedAt,
  judgeInquiry,
  ownerOf,
  unreachable,
  type BranchId,
  type Decision,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { decideThere } from './decide-there.js';
import type { LiveTransaction } from './live-transaction.js';
import { isWorthTrying, mayBeThere, type Liveness } from './liveness.js';
import { NotBelieved } from './not-believed.js';
import {
  RegisterUnknown,
  type Decided,
  type DecisionRegister,
  type InquiryAnswer,
  type NamedBranch,
  type ParticipantChannel,
  type StandingDecision,
} from './ports/index.js';

export interface InquirerPorts {
  readonly register: DecisionRegister;
  /** To ask the participant that decides in one phase. */
  readonly channel: ParticipantChannel;
  readonly liveness: Liveness;
}

/** An asker that is not this coordinator. */
export interface OutsideAsker {
  readonly participant: ParticipantName;
  /** Which instance of it asks, where that is known: it finishes what it asks about. */
  readonly instance?: InstanceId;
}

/** Who asks about which transaction; with a branch, the answer is about that branch. */
export interface Question {
  readonly transaction: TransactionId;
  readonly branch?: BranchId;
  readonly participant?: ParticipantName;
  /** The branch has not voted: the silence of its owner is no reason to try anything. */
  readonly unvoted?: true;
  /** An abort is wanted, whether its owner lives or not. */
  readonly regardless?: true;
  /**
   * The external asker; absent where this coordinator, or an HTTP client with the right to ask, wants to
   * know.
   */
  readonly asker?: OutsideAsker;
}

/**
 * Lets an abort be recorded, or throws a `Refusal` that says when to ask again. The returned function is
 * called afterwards with whether that wrote a row.
 */
export type AdmitAbort = (question: Question) => (written: boolean) => void;

/**
 * Answers an inquiry. `undecided` also when the register cannot be asked: ask again. Throws
 * {@link NotBelieved} for another participant's branch, and what `admitAbort` throws.
 */
export async function answerInquiry(
  question: Question,
  live: LiveTransaction | undefined,
  ports: InquirerPorts,
  self: Incarnation,
  admitAbort: AdmitAbort,
): Promise<InquiryAnswer> {
  if (live) assertOwn(question, [...live.memory.values()]);
  const fromMemory = live && answerFromMemory(live, question);
  if (fromMemory) return fromMemory;
  try {
    return await answerFromRegister(question, ports, self, admitAbort);
  } catch (error) {
    if (error instanceof RegisterUnknown) return { kind: 'undecided' };
    throw error;
  }
}

/** What the owner itself knows for certain without asking the register again. */
function answerFromMemory(live: LiveTransaction, { branch }: Question): InquiryAnswer | undefined {
  const { state } = live;
  switch (state.phase) {
    case 'active':
    case 'preparing':
    case 'settling':
    case 'deciding':
      return { kind: 'undecided' };
    case 'committing': {
      // As below: a standing commit is the answer for the branches that voted prepared.
      const memory = branch === undefined ? undefined : live.memory.get(branch);
      const foreign = branch !== undefined && memory === undefined;
      const other = memory?.vote !== undefined && memory.vote.kind !== 'prepared';
      return { kind: 'decided', decision: foreign || other ? 'abort' : 'commit' };
    }
    case 'aborting':
      return { kind: 'decided', decision: 'abort' };
    case 'ended':
      if (state.decision === undefined) return undefined; // Not known here: its participant is asked.
      if (state.decision === 'abort') return { kind: 'decided', decision: 'abort' };
      if (!live.standsNowhere()) return undefined;
      // All its branches were read-only, or its only branch committed in one phase. No branch can be in doubt
      // but a duplicate that ran again, which is aborted; no abort is recorded for a transaction that was
      // answered as committed.
      return { kind: 'decided', decision: branch === undefined ? 'commit' : 'abort' };
  }
}

/**
 * A standing commit is the answer for its own branches only. Any other branch of the transaction
 * voted read-only or never voted: what it has prepared now is a duplicate that ran again, and its
 * effects were never part of the decision.
 */
function decisionFor(standing: StandingDecision, branch: BranchId | undefined): Decision {
  if (standing.decision === 'abort' || branch === undefined) return standing.decision;
  return standing.branches.some((one) => one.branch === branch) ? 'commit' : 'abort';
}

/**
 * The answer says nothing about another participant's branch: the asker could finish a branch that is not its
 * own. Told "abort", it could even roll back, in a database that two participants share, a branch that is to
 * commit.
 */
function assertOwn({ asker, branch, participant }: Question, known: readonly NamedBranch[]): void {
  if (!asker || branch === undefined) return;
  const named = known.find((one) => one.branch === branch);
  if (!named || named.participant === participant) return;
  const message = `branch ${branch} is not ${participant}'s: look at whose database this is`;
  throw new NotBelieved('wrong-participant', message);
}

async function answerFromRegister(
  question: Question,
  ports: InquirerPorts,
  self: Incarnation,
  admitAbort: AdmitAbort,
): Promise<InquiryAnswer> {
  const { register, liveness } = ports;
  const { transaction: id, branch } = question;
  const standing = await register.standing(id);
  if (standing) assertOwn(question, standing.branches);
  // Live it is when the owner says so, and as long as it is silent only now and then.
  const isAsked = !standing && !question.regardless;
  const owner = isAsked ? await ownerAsked(question, liveness, self) : 'not-asked';
  // The transaction has ended at its owner, and a branch that never voted is not part of it. No abort is
  // recorded for such a branch: the end may be a commit that wrote nothing and is not in the register.
  if (owner === 'over' && question.unvoted) return { kind: 'forgotten' };
  const verdict = judgeInquiry({
    standing: standing && decisionFor(standing, branch),
    owner: owner === 'live' ? 'live' : 'gone',
  });
  switch (verdict.kind) {
    case 'tell':
      return { kind: 'decided', decision: verdict.decision };
    case 'undecided':
      return { kind: 'undecided' };
    case 'propose-abort': {
      const participant = decidedAt(id);
      if (participant !== undefined)
        return makeDecided(question, participant, ports, self, admitAbort);
      const decided = await makeAbortStand(question, register, self, admitAbort);
      if (decided.kind === 'forgotten') return { kind: 'forgotten' };
      if (decided.kind === 'on-record') {
        assertOwn(question, decided.standing.branches);
        return { kind: 'decided', decision: decisionFor(decided.standing, branch) };
      }
      return { kind: 'decided', decision: 'abort' };
    }
    default:
      return unreachable(verdict);
  }
}

/**
 * Whether the owner has it live, has ended it, or is gone. A branch in doubt cannot wait forever for an owner
 * that does not answer; one that has not voted can.
 */
async function ownerAsked(
  { transaction, unvoted }: Question,
  liveness: Liveness,
  self: Incarnation,
): Promise<'live' | 'over' | 'gone'> {
  if (ownerOf(transaction) === self) return 'over';
  const sign = await (unvoted
    ? liveness.glanceAtOwner(transaction)
    : liveness.atOwner(transaction));
  if (sign.kind === 'not-live') return 'over';
  return (unvoted ? mayBeThere(sign) : !isWorthTrying(sign)) ? 'live' : 'gone';
}

/** In one phase an empty register means nothing: the participant answers. */
async function makeDecided(
  question: Question,
  participant: ParticipantName,
  ports: InquirerPorts,
  self: Incarnation,
  admitAbort: AdmitAbort,
): Promise<InquiryAnswer> {
  const { transaction, branch } = question;
  if (branch !== undefined) assertOwn(question, [{ branch: ONLY_BRANCH, participant }]);
  const settle = admitAbort(question);
  let answer: InquiryAnswer | undefined;
  try {
    answer = await decideThere(ports, { transaction, participant }, self);
    return answer;
  } finally {
    settle(answer?.kind === 'decided');
  }
}

/**
 * The owner may have proposed commit since we looked: the answer is what is on record, not what we proposed.
 */
async function makeAbortStand(
  question: Question,
  register: DecisionRegister,
  self: Incarnation,
  admitAbort: AdmitAbort,
): Promise<Decided> {
  const { transaction, branch, participant } = question;
  const settle = admitAbort(question);
  let isWritten = false;
  try {
    const decided = await register.decide({
      transaction,
      proposed: 'abort',
      finisher: self,
      branches: [],
      ...(branch && participant ? { note: { asked: { branch, participant } } } : {}),
    });
    isWritten = decided.kind === 'on-record' && decided.byUs;
    return decided;
  } finally {
    // A register that does not answer is not the asker's doing, and a repeat writes the same row.
    settle(isWritten);
  }
}
