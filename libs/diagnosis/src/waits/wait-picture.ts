/**
 * Which sessions wait for which in all participants' databases, from their last reports and from the reports
 * to the owner of a transaction. Guards "only a session that is seen to hold it is named": nothing is
 * concluded here, and an old report of a participant is dropped where this coordinator, which owns the
 * transaction, gets no report of such a wait.
 */
import { nameOf, type LockedThing, type Wait, type WaitHolder } from '@concordat/engine';
import type { BranchId, ParticipantName, TransactionId } from '@concordat/protocol';
import type { ParticipantSeen } from '../participant-seen.js';

export interface PictureWait {
  /** Unique at its participant. */
  readonly id: string;
  readonly participant: ParticipantName;
  readonly waiter: WaitHolder;
  readonly on: LockedThing;
  readonly holders: readonly WaitHolder[];
  readonly sinceMs: number;
  readonly heardAtMs: number;
  /** Absent where it is not known. */
  readonly ahead?: number;
  readonly withoutSession?: true;
}

/** What one transaction, or one session that is none of ours, holds up. */
export interface Blocks {
  /** Sessions, and branches without one, that wait for it. */
  readonly waits: readonly PictureWait[];
  /** Since when the first of them waits. */
  readonly sinceMs: number;
}

export interface Blocker extends Blocks {
  readonly participant: ParticipantName;
  readonly holder: WaitHolder;
}

export interface CycleStep {
  readonly wait: PictureWait;
  readonly heldBy: TransactionId;
}

/** Older than this, a participant's word of a wait needs the owner's. */
const OWNER_KNOWS_MS = 3_000;

export class WaitPicture {
  constructor(private readonly waits: readonly PictureWait[] = []) {}

  /** `own`: what was reported to this coordinator, or to another that was asked, of their transactions. */
  static of(
    seen: Iterable<ParticipantSeen>,
    own: readonly Wait[],
    isOwn: (transaction: TransactionId) => boolean,
    nowMs: number,
  ): WaitPicture {
    const reported = new Map(own.map((one) => [keyOf(one), one]));
    const waits: PictureWait[] = [];
    const told = new Set<string>();
    for (const one of [...seen].flatMap(({ lockWaits }) => lockWaits?.waits ?? [])) {
      const sure = reported.get(keyOf(one));
      const isOld = nowMs - one.heardAtMs > OWNER_KNOWS_MS;
      if (!sure && isOld && one.waiter.kind === 'branch' && isOwn(one.waiter.transaction)) continue;
      told.add(keyOf(one));
      waits.push(
        sure
          ? { ...one, sinceMs: sure.sinceMs, heardAtMs: Math.max(one.heardAtMs, sure.heardAtMs) }
          : one,
      );
    }
    const others = [...reported.values()].filter((one) => !told.has(keyOf(one)));
    return new WaitPicture([...waits, ...others.map((one) => ofReport(one, others))]);
  }

  /** What the branches of a transaction wait for. */
  of(transaction: TransactionId): PictureWait[] {
    return this.waits.filter(({ waiter }) => isOf(waiter, transaction));
  }

  ofBranch(transaction: TransactionId, branch: BranchId): PictureWait[] {
    return this.of(transaction).filter(
      ({ waiter }) => waiter.kind === 'branch' && waiter.branch === branch,
    );
  }

  at(participant: ParticipantName): PictureWait[] {
    return this.waits.filter((one) => one.participant === participant);
  }

  /** What waits for something that this transaction holds. */
  blockedBy(transaction: TransactionId): Blocks | undefined {
    return blocksOf(
      this.waits.filter(({ holders }) => holders.some((one) => isOf(one, transaction))),
    );
  }

  /** Sessions that wait for something that this branch holds. */
  countBlockedBy(transaction: TransactionId, branch: BranchId): number {
    return this.waits.filter(({ holders }) =>
      holders.some(
        (one) => isOf(one, transaction) && one.kind === 'branch' && one.branch === branch,
      ),
    ).length;
  }

  /** All that block something, the longest first. */
  blockers(): Blocker[] {
    const found = new Map<string, { holder: WaitHolder; waits: PictureWait[] }>();
    for (const wait of this.waits) {
      for (const holder of wait.holders) {
        const key = `${wait.participant} ${nameOf(holder)}`;
        const one = found.get(key) ?? { holder, waits: [] };
        one.waits.push(wait);
        found.set(key, one);
      }
    }
    return [...found.values()]
      .flatMap(({ holder, waits }): Blocker[] => {
        const [first] = waits;
        const blocks = blocksOf(waits);
        return first && blocks ? [{ ...blocks, holder, participant: first.participant }] : [];
      })
      .sort((a, b) => a.sinceMs - b.sinceMs);
  }

  /** Transactions that hold something up, with since when. */
  blockingTransactions(): Map<TransactionId, number> {
    const since = new Map<TransactionId, number>();
    for (const { holder, sinceMs } of this.blockers()) {
      if (holder.kind !== 'branch') continue;
      const before = since.get(holder.transaction) ?? sinceMs;
      since.set(holder.transaction, Math.min(before, sinceMs));
    }
    return since;
  }

  /** The shortest cycle of waits that this transaction is in; it comes first. */
  cycleWith(transaction: TransactionId): CycleStep[] | undefined {
    const reached = new Map<TransactionId, CycleStep[]>([[transaction, []]]);
    for (const [at, path] of reached) {
      for (const wait of this.of(at)) {
        for (const holder of wait.holders) {
          if (holder.kind !== 'branch') continue;
          const steps = [...path, { wait, heldBy: holder.transaction }];
          if (holder.transaction === transaction && at !== transaction) return steps;
          if (!reached.has(holder.transaction)) reached.set(holder.transaction, steps);
        }
      }
    }
    return undefined;
  }
}

function blocksOf(waits: readonly PictureWait[]): Blocks | undefined {
  if (waits.length === 0) return undefined;
  return { waits, sinceMs: Math.min(...waits.map((one) => one.sinceMs)) };
}

/**
 * A report to the owner names the sessions ahead in a row's queue as well: a session that waits there holds
 * nothing of it.
 */
function ofReport(one: Wait, others: readonly Wait[]): PictureWait {
  const { id, participant, transaction, branch, on, sinceMs, heardAtMs, withoutSession } = one;
  const isAhead = (holder: WaitHolder): boolean =>
    holder.kind === 'branch' &&
    others.some(
      (other) =>
        other.participant === participant &&
        isOf(holder, other.transaction) &&
        holder.branch === other.branch &&
        other.on.relation === on.relation &&
        other.on.row === on.row,
    );
  const holders = one.holders.filter((holder) => !isAhead(holder));
  return {
    ...{ id, participant, on, sinceMs, heardAtMs },
    waiter: { kind: 'branch', transaction, branch, isPrepared: false },
    holders: holders.length > 0 ? holders : one.holders,
    ...(withoutSession ? { withoutSession } : {}),
  };
}

function isOf(one: WaitHolder, transaction: TransactionId): boolean {
  return one.kind === 'branch' && one.transaction === transaction;
}

const keyOf = ({ participant, id }: { participant: ParticipantName; id: string }): string =>
  `${participant} ${id}`;
