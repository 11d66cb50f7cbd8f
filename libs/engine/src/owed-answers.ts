/**
 * Who owes an answer: participants that were asked what they decided in one phase, and have not said it yet. Guards
 * "one hung participant never keeps others out". What it owes stays undecided, without limit; so it counts among what
 * waits for a participant, not among what may still be begun, and until the answer is there that participant prepares as in two
 * phases: there a missing vote is an abort when the time is over, and what is not answered ends.
 *
 * Memory only, and only a choice between two ways that are both safe: after a crash the next question finds the
 * same row.
 */
import type { ParticipantName, TransactionId } from '@concordat/protocol';
import type { LiveTransaction } from './live-transaction.js';

export class OwedAnswers {
  private readonly owed = new Map<ParticipantName, Set<TransactionId>>();

  /** Takes note of a step of a transaction. True where its participant is asked what it decided. */
  note(live: LiveTransaction): boolean {
    if (!live.inOnePhase) return false;
    const isAsked = live.state.phase === 'settling';
    for (const { participant, nextAttemptAtMs } of live.memory.values()) {
      // A no is settled by the first question. Only what is to be asked again is owed.
      if (isAsked && nextAttemptAtMs !== undefined) this.add(participant, live.id);
      else if (!isAsked) this.delete(participant, live.id);
    }
    return isAsked;
  }

  /** Where a transaction is decided in one phase: nowhere, while an answer is owed there. */
  unlessOwed(place: ParticipantName | undefined): ParticipantName | undefined {
    return place !== undefined && this.owed.has(place) ? undefined : place;
  }

  private add(participant: ParticipantName, id: TransactionId): void {
    const owed = this.owed.get(participant) ?? new Set();
    this.owed.set(participant, owed.add(id));
  }

  private delete(participant: ParticipantName, id: TransactionId): void {
    const owed = this.owed.get(participant);
    if (owed?.delete(id) && owed.size === 0) this.owed.delete(participant);
  }
}
