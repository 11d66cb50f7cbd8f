/**
 * A new transaction's id, marked as its principal's where the host has marks. Guards "never reused": a mark
 * leaves 44 random bits, so ids of one millisecond are held against those that are still in memory.
 */
import {
  makeTransactionId,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { TransactionManagerPorts } from './transaction-options.js';

export function freshId(
  { clock, entropy, marks }: Pick<TransactionManagerPorts, 'clock' | 'entropy' | 'marks'>,
  incarnation: Incarnation,
  principal: string,
  taken: ReadonlyMap<TransactionId, unknown>,
  decidedAt?: ParticipantName,
): TransactionId {
  for (;;) {
    const id = makeTransactionId(clock.wallNow(), entropy.bytes(10), incarnation, decidedAt);
    const marked = marks ? marks.mark(id, principal) : id;
    if (!taken.has(marked)) return marked;
  }
}
