/**
 * What is checked of branches before anything of them is begun or sent: their number, that each
 * participant is named once, and that every message fits (protocol §8: a transaction that does not fit
 * is refused at begin). Every check throws a {@link Refusal}, and leaves everything as it was.
 */
import type { BranchId, ParticipantName, TransactionId } from '@concordat/protocol';
import type { ParticipantChannel } from './ports/index.js';
import { Refusal, tooLarge } from './refusal.js';
import type { LiveTransaction } from './live-transaction.js';
import type {
  BeginRequest,
  BranchRequest,
  TransactionManagerOptions,
} from './transaction-options.js';

/** Nothing is begun by a process that ends. */
export function assertAdmits(isAdmitting: boolean): void {
  if (isAdmitting) return;
  throw new Refusal('shutting-down', 'This coordinator is shutting down: ask another one.', {
    retryAfterMs: 1_000,
  });
}

/** Work joins a transaction only while nothing of it was asked to prepare, and none of it is decided. */
export function assertActive(live: LiveTransaction): void {
  if (live.state.phase === 'active') return;
  const view = live.view();
  if (live.decision() === 'abort') {
    const message = 'It has aborted: begin a new transaction.';
    throw new Refusal('transaction-aborted', message, { view });
  }
  throw new Refusal('not-active', `It is ${live.status()}: no work can join it.`, { view });
}

export function assertBranches(
  branches: readonly BranchRequest[],
  options: Pick<TransactionManagerOptions, 'branchesMax'>,
): void {
  assertRoom(branches.length, options);
  const seen = new Set<ParticipantName>();
  for (const { participant } of branches) {
    if (seen.has(participant)) {
      const message = `${participant} is named twice: put all its operations into one branch.`;
      throw new Refusal('duplicate-participant', message, { details: { participant } });
    }
    seen.add(participant);
  }
}

export function assertRoom(
  branches: number,
  { branchesMax }: Pick<TransactionManagerOptions, 'branchesMax'>,
): void {
  if (branches <= branchesMax) return;
  const message = `${branches} branches are too many: a transaction has at most ${branchesMax}.`;
  throw new Refusal('too-many-branches', message, { details: { branchesMax } });
}

/** How long a transaction may take, in milliseconds. */
export function timeoutOf(
  { timeoutMs }: Pick<BeginRequest, 'timeoutMs'>,
  options: Pick<TransactionManagerOptions, 'timeoutMsDefault' | 'timeoutMsMax'>,
): number {
  const { timeoutMsDefault, timeoutMsMax } = options;
  const ms = timeoutMs ?? timeoutMsDefault;
  if (Number.isInteger(ms) && ms >= 1 && ms <= timeoutMsMax) return ms;
  const message = `timeoutMs must be a whole number from 1 to ${timeoutMsMax}.`;
  throw new Refusal('timeout-out-of-range', message, { details: { field: 'timeoutMs' } });
}

/**
 * The participant that decides a transaction of these branches in one phase, if one does: its only one, which knows
 * how. Not under a key, which the register gives to one commit at most.
 */
export function onlyPlaceOf(
  { idempotency }: BeginRequest,
  branches: readonly BranchRequest[],
  { inOnePhaseAt }: Pick<TransactionManagerOptions, 'inOnePhaseAt'>,
): ParticipantName | undefined {
  const [only, ...others] = branches;
  if (!only || others.length > 0 || idempotency) return undefined;
  return inOnePhaseAt?.(only.participant) ? only.participant : undefined;
}

/**
 * Whether each branch's prepare fits into one message, with any number and time that it will carry. `weight`:
 * of all branches together.
 */
export function assertFits(
  channel: ParticipantChannel,
  transaction: TransactionId,
  branches: readonly BranchRequest[],
  weight: number,
  { incarnation, timeoutMsMax }: Pick<TransactionManagerOptions, 'incarnation' | 'timeoutMsMax'>,
): void {
  if (channel.fitsSurely(weight)) return;
  const participants = branches.map((one) => one.participant);
  branches.forEach(({ participant, operations }) => {
    try {
      channel.assertFits({
        to: { transaction, branch: '9999' as BranchId, participant },
        epoch: incarnation,
        operations,
        participants,
        timeLeftMs: timeoutMsMax,
      });
    } catch (error) {
      throw tooLarge(error);
    }
  });
}
