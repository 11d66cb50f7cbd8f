/**
 * The inquirer: answers "what became of this transaction?" for participants in doubt and for other
 * coordinators. Guards protocol §3 and §5: the register first, then the owner, then an abort made to
 * stand by compare-and-set. Silence alone is never turned into an answer.
 */
import {
  judgeInquiry,
  ownerOf,
  unreachable,
  type Incarnation,
  type TransactionId,
} from '@concordat/protocol';
import type { LiveTransaction } from './live-transaction.js';
import {
  RegisterUnknown,
  type CoordinatorChannel,
  type DecisionRegister,
  type InquiryAnswer,
} from './ports/index.js';

export interface InquirerPorts {
  readonly register: DecisionRegister;
  readonly coordinators: CoordinatorChannel;
}

/** Answers an inquiry. `undecided` also when the register cannot be asked: ask again. */
export async function answerInquiry(
  id: TransactionId,
  live: LiveTransaction | undefined,
  ports: InquirerPorts,
  self: Incarnation,
): Promise<InquiryAnswer> {
  const fromMemory = live && answerFromMemory(live);
  if (fromMemory) return fromMemory;
  try {
    return await answerFromRegister(id, ports, self);
  } catch (error) {
    if (error instanceof RegisterUnknown) return { kind: 'undecided' };
    throw error;
  }
}

/** What the owner itself knows for certain without asking the register again. */
function answerFromMemory(live: LiveTransaction): InquiryAnswer | undefined {
  const { state } = live;
  switch (state.phase) {
    case 'active':
    case 'preparing':
    case 'deciding':
      return { kind: 'undecided' };
    case 'committing':
      return { kind: 'decided', decision: 'commit' };
    case 'aborting':
      return { kind: 'decided', decision: 'abort' };
    case 'ended':
      if (state.decision === 'abort') return { kind: 'decided', decision: 'abort' };
      // A commit whose branches were all read-only stands nowhere. Nobody can be in doubt about it
      // but a duplicate that ran again; the register gives all such the same answer.
      return undefined;
  }
}

async function answerFromRegister(
  id: TransactionId,
  { register, coordinators }: InquirerPorts,
  self: Incarnation,
): Promise<InquiryAnswer> {
  const standing = await register.standing(id);
  const owner = ownerOf(id);
  let live = false;
  if (!standing && owner !== self) {
    const asked = await coordinators.isLive(owner, id);
    live = asked.kind === 'answered' && asked.answer.live;
  }
  const verdict = judgeInquiry({
    standing: standing?.decision,
    owner: live ? 'live' : 'gone',
  });
  switch (verdict.kind) {
    case 'tell':
      return { kind: 'decided', decision: verdict.decision };
    case 'undecided':
      return { kind: 'undecided' };
    case 'propose-abort': {
      // The owner may have proposed commit after we looked: what stands is the answer, not our wish.
      const decided = await register.decide({
        transaction: id,
        proposed: 'abort',
        finisher: self,
        branches: [],
      });
      if (decided.kind === 'forgotten') return { kind: 'forgotten' };
      if (decided.kind === 'stands') {
        return { kind: 'decided', decision: decided.standing.decision };
      }
      return { kind: 'decided', decision: 'abort' };
    }
    default:
      return unreachable(verdict);
  }
}
