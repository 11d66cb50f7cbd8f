/**
 * Services of another cluster in the same databases: their branches are prepared there, and finished by
 * their owner only, seconds later. Each service that lists a database can see them. Drawn separately from the
 * run that they share the databases with, which is therefore the same with and without them.
 */
import {
  formatGid,
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { Random } from './random.js';
import { DatabaseStore } from './database-store.js';
import { EPOCH_MS, type Timeline } from './timeline.js';

/** Longer than any grace. */
const HELD_MS_MAX = 12_000;

export class Strangers {
  readonly cluster: ClusterId;
  readonly transactions = new Set<TransactionId>();
  private readonly owner: Incarnation;
  private readonly stores = new Map<ParticipantName, DatabaseStore>();

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    names: readonly ParticipantName[],
    { branches, spanMs }: { readonly branches: number; readonly spanMs: number },
  ) {
    this.cluster = tokenFrom(random.bytes(8));
    this.owner = tokenFrom(random.bytes(8));
    for (let i = 0; i < branches; i++) {
      timeline.at(random.between(0, spanMs), () => this.prepareAt(random.pick(names)));
    }
  }

  /** What they have in the database of a participant. */
  at(participant: ParticipantName): readonly DatabaseStore[] {
    const store = this.stores.get(participant);
    return store ? [store] : [];
  }

  private prepareAt(participant: ParticipantName): void {
    const { timeline, random, cluster, owner } = this;
    const store = this.stores.get(participant) ?? new DatabaseStore();
    this.stores.set(participant, store);
    const transaction = makeTransactionId(EPOCH_MS + timeline.now, random.bytes(10), owner);
    this.transactions.add(transaction);
    const gid = formatGid({ cluster, transaction, branch: makeBranchId(random.between(1, 3)) });
    store.prepare(gid, { deltas: new Map() }, timeline.now);
    timeline.tell(() => `a stranger at ${participant} db: prepared ${gid}`);
    const isCommitted = random.chance(0.5);
    timeline.at(random.between(0, HELD_MS_MAX), () => {
      if (isCommitted) store.commitPrepared(gid);
      else store.rollbackPrepared(gid);
    });
  }
}
