/**
 * Where transactions have lately waited for each other's locks, and so how the next one is prepared. Guards
 * "rare in the first place": a cycle over several databases needs a transaction that holds a lock at one
 * participant and waits at another, so it needs two participants with waits. Where two of a transaction's
 * participants are such places, it is prepared in order, else all at once.
 *
 * It is a guess that costs time at most: what it forgets is broken as a cycle and learned again. A place is
 * hot for so long after the last sign; a place that proves hot again soon after is believed twice as long, so
 * trying whether it has cooled costs less and less.
 */
import {
  NoCode,
  type AbortCause,
  type ParticipantName,
  type PrepareOrder,
} from '@concordat/protocol';
import type { BranchMemory } from './live-transaction.js';
import type { Clock } from './ports/index.js';

/** What a caller may say: `auto` is in order where transactions collide, and all at once elsewhere. */
export type PrepareChoice = PrepareOrder | 'auto';

interface Heat {
  until: number;
  lastsMs: number;
}

const LASTS_MS = 5_000;
const LASTS_MS_MAX = 320_000;
/** So many times its time after it has cooled, a place counts as new. */
const FORGOTTEN_AFTER = 4;

/** Codes of a branch that waited for a lock too long, or in a cycle over several databases. */
const WAITED: ReadonlySet<string> = new Set([
  NoCode.distributedDeadlock,
  NoCode.lockTimeout,
  NoCode.restartedInOrder,
]);

/** Whether a transaction was aborted for the locks of others. */
export function lostItsLocks(
  cause: AbortCause | undefined,
): cause is Extract<AbortCause, { kind: 'vote' }> {
  return cause?.kind === 'vote' && WAITED.has(cause.vote.code);
}

export class Collisions {
  /** By name: only participants that have answered are in it. */
  private readonly hot = new Map<ParticipantName, Heat>();

  constructor(private readonly clock: Clock) {}

  /** A transaction waits, or has waited, for a lock at this participant. */
  noted(participant: ParticipantName): void {
    const now = this.clock.now();
    const known = this.hot.get(participant);
    const isNew = !known || now > known.until + FORGOTTEN_AFTER * known.lastsMs;
    const isAgain = known !== undefined && !isNew && now > known.until;
    const lastsMs = isNew ? LASTS_MS : known.lastsMs * (isAgain ? 2 : 1);
    const heat: Heat = { until: 0, lastsMs: Math.min(lastsMs, LASTS_MS_MAX) };
    heat.until = now + heat.lastsMs;
    this.hot.set(participant, heat);
  }

  /**
   * Learns from an abort: where the branch waited, and where its transaction held locks meanwhile, since in
   * a cycle a transaction waits there.
   */
  learn(cause: AbortCause | undefined, branches: Iterable<BranchMemory>): void {
    if (!lostItsLocks(cause)) return;
    this.noted(cause.participant);
    for (const { participant, vote } of branches) if (vote) this.noted(participant);
  }

  orderFor(choice: PrepareChoice, participants: readonly ParticipantName[]): PrepareOrder {
    if (choice !== 'auto') return choice;
    const hot = participants.filter((one) => this.isHot(one));
    return hot.length >= 2 ? 'ordered' : 'parallel';
  }

  isHot(participant: ParticipantName): boolean {
    return (this.hot.get(participant)?.until ?? -1) >= this.clock.now();
  }
}
