/** What a coordinator's state says to others: the decision that it acts upon, and what its client was told. */
import type { TransactionState } from '@concordat/protocol';
import { isSettled } from './coordinator-host.js';
import { including, type Coordinator, type Participant, type Truth } from './world.js';

function isUndecided(phase: TransactionState['phase']): phase is UndecidedPhase {
  return ['active', 'preparing', 'settling', 'deciding'].includes(phase);
}
type UndecidedPhase = 'active' | 'preparing' | 'settling' | 'deciding';

/** Notes what a coordinator's state reports: its decision, and to its client. */
export function witnessOf(coordinator: Coordinator, truth: Truth): Truth {
  const { transaction, role } = coordinator;
  if (!transaction) return truth;
  const { phase } = transaction;
  if (isUndecided(phase)) return truth;
  const decision =
    phase === 'ended' ? transaction.decision : phase === 'committing' ? 'commit' : 'abort';
  const said = decision === undefined ? truth.said : including(truth.said, decision);
  if (role !== 'owner') return { ...truth, said };
  const completed = phase === 'ended' && isSettled(coordinator) ? transaction.outcome : null;
  return {
    ...truth,
    said,
    toldDecided: truth.toldDecided ?? decision ?? null,
    toldCompleted: truth.toldCompleted ?? completed,
  };
}

/** A participant whose votes are not counted any more. */
export function unheard(participant: Participant): Participant {
  return {
    ...participant,
    unheard: true,
    mail: participant.mail.filter((one) => one !== 'unreached' && !one.startsWith('vote ')),
    instances: participant.instances.map((one) => ({
      ...one,
      vote: one.vote === 'none' ? 'none' : 'pending',
    })),
  };
}
