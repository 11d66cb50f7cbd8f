/**
 * A checker: one statement about a finished run, checked against what happened and never against how
 * the product works. A complaint is a sentence; no complaint means that the statement held.
 */
import { parseGid, type Gid, type ParticipantName, type TransactionId } from '@concordat/protocol';
import type { History } from '../history.js';
import type { WorldOptions } from '../options.js';
import type { HouseStore } from '../simulated-house.js';
import type { RegisterStore } from '../simulated-register.js';
import type { DatabaseStore } from '../database-store.js';
import type { WaitTruth } from '../wait-truth.js';
import type { Strangers } from '../strangers.js';

/** What is left of a world when a run is over. */
export interface Remains {
  readonly options: WorldOptions;
  readonly history: History;
  readonly registerStore: RegisterStore;
  readonly databases: ReadonlyMap<ParticipantName, DatabaseStore>;
  readonly house: HouseStore;
  readonly waits: WaitTruth;
  /** Services of another cluster in the same databases, where there are any. */
  readonly strangers?: Strangers;
  readonly atRest: () => boolean;
}

export interface Checker {
  readonly name: string;
  /** What must hold, as a person would say it, with the invariant's number where it has one. */
  readonly holds: string;
  complaints(remains: Remains): string[];
}

/** What one database made of one branch. */
export interface Finished {
  readonly gid: string;
  readonly transaction: TransactionId;
  readonly participant: ParticipantName;
  readonly committed: boolean;
  /** A person finished it manually, or its database lost it. */
  readonly touched: boolean;
}

export function transactionOf(gid: string): TransactionId {
  return (parseGid(gid as Gid) as { transaction: TransactionId }).transaction;
}

/** Every branch with an outcome row or a tombstone. */
export function finished({ databases, history }: Remains): Finished[] {
  const found: Finished[] = [];
  const touched = new Set(history.handActs.map((one) => one.gid));
  for (const [participant, store] of databases) {
    // What was pruned was true: a tombstone that comes afterwards tells nothing, and is told as nothing.
    for (const [gid, kind] of new Map([...store.outcome, ...store.pruned])) {
      found.push({
        gid,
        transaction: transactionOf(gid),
        participant,
        committed: kind === 'branch',
        touched: touched.has(gid),
      });
    }
  }
  return found;
}
