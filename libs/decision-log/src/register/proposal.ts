/**
 * A proposal, checked and written out once, before it joins a batch: what cannot be stored is
 * refused here, alone, and never fails the decisions of others.
 */
import type { Proposal } from '@concordat/engine';
import { isIncarnation, isTransactionId, type TransactionId } from '@concordat/protocol';
import { ProposalRefused } from '../refusals.js';
import { storedOf } from './decision-row.js';

/** Fits the index on keys with a margin. */
export const KEY_BYTES_MAX = 1_024;

/** Whose a transaction is, as far as its id shows it. */
export type Whose = (transaction: TransactionId) => string | undefined;

export interface WrittenProposal {
  readonly proposal: Proposal;
  readonly branches: string;
  readonly key: string | null;
  readonly fingerprint: string | null;
  readonly answer: string | null;
  readonly note: string | null;
  readonly principal: string | null;
  readonly bytes: number;
}

/** `whose` returns whose a transaction is where the proposer does not know: for a dead owner's abort. */
export function writeOut(proposal: Proposal, whose: Whose): WrittenProposal {
  const { transaction, proposed, finisher, idempotency } = proposal;
  if (!isTransactionId(transaction)) {
    throw new ProposalRefused(
      `"${String(transaction)}" is no transaction id: make one per protocol §2`,
    );
  }
  if (!isIncarnation(finisher)) {
    throw new ProposalRefused(`"${String(finisher)}" is no incarnation: name the proposing one`);
  }
  const commit = proposed === 'commit';
  // An abort carries nothing: its branches get it by presumption, and its key stays free.
  const branches = JSON.stringify(commit ? storedOf(proposal.branches) : []);
  const key = commit && idempotency ? idempotency.key : null;
  if (key !== null && Buffer.byteLength(key) > KEY_BYTES_MAX) {
    throw new ProposalRefused(`an idempotency key has at most ${KEY_BYTES_MAX} bytes: shorten it`);
  }
  const answer = commit && key !== null ? write(proposal.answer) : null;
  const note = write(proposal.note);
  return {
    proposal,
    branches,
    key,
    fingerprint: key === null ? null : (idempotency?.fingerprint ?? null),
    answer,
    note,
    principal: proposal.principal ?? whose(transaction) ?? null,
    bytes: branches.length + (answer?.length ?? 0) + (note?.length ?? 0) + 200,
  };
}

function write(value: unknown): string | null {
  return value === undefined ? null : (JSON.stringify(value) ?? null);
}
