/** The waits known at one moment, by the waiting and by the blocking transaction. */
import type { ParticipantName, TransactionId } from '@concordat/protocol';
import type { Wait } from '../ports/index.js';

export interface SeenWaits {
  readonly waits: readonly Wait[];
  /** Transactions about which other coordinators have asked: something waits for them there. */
  readonly asked: ReadonlySet<TransactionId>;
}

export class SeenFrom {
  private readonly byWaiter = new Map<TransactionId, Wait[]>();
  private readonly waitedFor = new Set<string>();

  constructor(waits: readonly Wait[]) {
    for (const wait of waits) {
      const known = this.byWaiter.get(wait.transaction);
      if (known) known.push(wait);
      else this.byWaiter.set(wait.transaction, [wait]);
      for (const by of wait.holders) {
        if (by.kind === 'branch') this.waitedFor.add(`${by.transaction}@${wait.participant}`);
      }
    }
  }

  waitsOf(transaction: TransactionId): readonly Wait[] {
    return this.byWaiter.get(transaction) ?? [];
  }

  /** Whether others wait for it at this participant. */
  isWaitedFor(transaction: TransactionId, participant: ParticipantName): boolean {
    return this.waitedFor.has(`${transaction}@${participant}`);
  }
}
