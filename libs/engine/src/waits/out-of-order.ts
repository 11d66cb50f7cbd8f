/**
 * Which transactions that sent all prepares at once are to be begun again in order. Guards "waits across
 * databases do not close": a transaction that waits at one participant while it holds something at a later
 * one, by name, is part of every cycle over several databases, whether others wait there for its locks, its
 * slots or the sessions that its waiters keep. It does not prove a cycle, so this is a separate rule with a
 * separate count: it takes each request once at most, only where places are known to be crowded or others are
 * seen to wait for it, and only one whose client sees nothing but the next attempt. Pure: no clock, no
 * channel.
 */
import type { ParticipantName, TransactionId } from '@concordat/protocol';
import type { Wait } from '../ports/index.js';

/** A participant that was asked to prepare. */
export interface AskedParticipant {
  readonly participant: ParticipantName;
  /** It has voted prepared or read-only. */
  readonly voted: boolean;
  /** Transactions have lately waited for each other there. */
  readonly isHot: boolean;
  /** Others are seen to wait for it there. */
  readonly isWaitedFor: boolean;
}

export interface AskedAtOnce {
  readonly transaction: TransactionId;
  /** Since it was begun, ms. */
  readonly ageMs: number;
  /** All of them were asked at once. */
  readonly asked: readonly AskedParticipant[];
  /** What its branches were seen to wait for. */
  readonly waits: readonly Wait[];
}

/** One look and a round: what ends by itself, and cycles that are seen twice, have ended. */
export const WAITS_MS = 100;
/** What waits for a session at several places is not seen waiting: so long it may also be at work. */
export const QUEUES_MS = 200;
/** The same for what others are seen to wait for. */
export const HOLDS_MS = 300;
/** Who waits for it may have no session to be seen in. */
export const HOLDS_UNSEEN_MS = 1_000;

/** The participant whose vote is missing, if it is to be begun again in order; else undefined. */
export function outOfOrderAt(one: AskedAtOnce): ParticipantName | undefined {
  return waitsOutOfOrder(one) ?? queuesOutOfOrder(one) ?? holdsOutOfOrder(one);
}

/**
 * It waits for an older one, and holds, or also waits for, something at another crowded place. Only what
 * waits for an older one gives way, so those that came first go on.
 */
function waitsOutOfOrder(one: AskedAtOnce): ParticipantName | undefined {
  if (one.ageMs < WAITS_MS) return undefined;
  const isBehindOlder = ({ holders }: Wait): boolean =>
    holders.some((by) => by.kind === 'branch' && by.transaction < one.transaction);
  for (const wait of one.waits.filter(isBehindOlder)) {
    const at = wait.participant;
    const inItsOrder = ({ participant, voted }: AskedParticipant): boolean =>
      participant === at || (participant < at && voted);
    if (one.asked.some((other) => other.isHot && !inItsOrder(other))) return at;
  }
  return undefined;
}

/** Two crowded places have sent nothing about it: it is in the queues of both. */
function queuesOutOfOrder({ ageMs, asked }: AskedAtOnce): ParticipantName | undefined {
  if (ageMs < QUEUES_MS) return undefined;
  const [first, second] = byName(asked).filter(({ voted, isHot }) => isHot && !voted);
  return second && first?.participant;
}

/** It is prepared at one place, where others may wait for it, and its vote is missed at one before it. */
function holdsOutOfOrder({ ageMs, asked }: AskedAtOnce): ParticipantName | undefined {
  if (ageMs < HOLDS_MS) return undefined;
  const inOrder = byName(asked);
  const missed = inOrder.find(({ voted }) => !voted);
  if (!missed) return undefined;
  const held = inOrder.slice(inOrder.indexOf(missed) + 1).filter(({ voted }) => voted);
  const mayBeWaitedFor = ({ isHot }: AskedParticipant): boolean =>
    isHot && missed.isHot && ageMs >= HOLDS_UNSEEN_MS;
  const inTheWay = held.some((one) => one.isWaitedFor || mayBeWaitedFor(one));
  return inTheWay ? missed.participant : undefined;
}

function byName(asked: readonly AskedParticipant[]): AskedParticipant[] {
  return [...asked].sort((a, b) => (a.participant < b.participant ? -1 : 1));
}
