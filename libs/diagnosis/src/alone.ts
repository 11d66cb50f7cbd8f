/**
 * One phase (protocol §4.6), while its participant has not said what it decided: what is known then, and how it
 * becomes known. Guards "unknown is never no": it may be committed, it is never prepared, and the register has
 * nothing to say of it.
 */
import { decidedAt, type ParticipantName } from '@concordat/protocol';
import { durationText, instantText, quoted, shortly } from '@concordat/words';
import { isBlocking, STUCK_AFTER_MS, type Explained, type Situation } from './situation.js';

/** The participant that decides it, of a transaction in one phase. */
export function placeOf({ known }: Situation): ParticipantName | undefined {
  return decidedAt(known.transaction);
}

/** Why it is undecided, and what ends that. `prepares`: what is said of one that has just been sent. */
export function explainAlone(
  situation: Situation,
  place: ParticipantName,
  prepares: string,
): Explained {
  const { known, nowMs, ownerAlive, isAsked } = situation;
  const there = quoted(place);
  const isBeingAsked = known.status === 'deciding';
  const why = isBeingAsked ? askedText(situation, there) : prepares;
  const deadlineMs = known.timeoutMs === undefined ? undefined : known.begunAtMs + known.timeoutMs;
  const leftMs = deadlineMs === undefined ? undefined : deadlineMs - nowMs;
  const isOverdue = leftMs !== undefined && leftMs < -STUCK_AFTER_MS;
  const severity = isOverdue || isBlocking(situation) ? 'stuck' : 'waiting';
  const answer = `it answers COMMIT if it has committed, and can no longer commit otherwise`;
  if (ownerAlive === false) {
    return {
      why: `${why}; its coordinator ${known.owner} is gone.`,
      next: `${there} is asked as soon as anybody asks for it, or a coordinator cleans up behind the one that is gone: ${answer}.`,
      severity,
    };
  }
  if (isAsked && ownerAlive === undefined) {
    return {
      why: `${why}.`,
      next: `Whether it goes on is not known: its coordinator ${known.owner} is silent. Once that is known to be gone, ${there} is asked: ${answer}.`,
      severity,
    };
  }
  if (isBeingAsked) {
    const nextAtMs = known.branches.find((one) => one.participant === place)?.nextAttemptAtMs;
    const isAhead = nextAtMs !== undefined && nextAtMs >= nowMs;
    const when = isAhead ? `asked again in ${durationText(nextAtMs - nowMs)}` : 'being asked';
    const next = `${there} is ${when}, without limit: ${answer}.`;
    return { why: `${why}.`, next, ...(isAhead ? { nextAtMs } : {}), severity };
  }
  if (leftMs === undefined || leftMs <= 0 || deadlineMs === undefined) {
    return { why: `${why}.`, next: `${there} is asked what it decided: ${answer}.`, severity };
  }
  return {
    why: `${why}.`,
    next: `${there} decides it by committing. Without an answer in ${durationText(leftMs)} it is asked: ${answer}.`,
    nextAtMs: deadlineMs,
    severity,
  };
}

/** It has ended, and no process will ever know whether as a commit: what is known is since when. */
export function explainForgotten(situation: Situation, place: ParticipantName): Explained {
  const { known, nowMs } = situation;
  const there = quoted(place);
  const since =
    known.endedAtMs === undefined ? '' : `, since ${instantText(known.endedAtMs, nowMs)}`;
  const begun = instantText(known.begunAtMs, nowMs);
  return {
    why: `Whether it has committed is not known${since}: begun ${begun}, it was decided at ${there} alone, which keeps no record of it any more.`,
    next: `A person must: look in the data of ${there} for what it would have changed, put right what is missing or too much, then acknowledge with the reason.`,
    severity: 'heuristic',
  };
}

/** `Begun 12:00: ledger-west decides it alone, and, asked since 12:01, has not answered yet … (no answer in time)`. */
function askedText(situation: Situation, there: string): string {
  const { known, nowMs } = situation;
  const { begunAtMs, decidingSinceMs: since } = known;
  const [only] = known.branches;
  const error = only?.lastError === undefined ? '' : ` (${shortly(only.lastError, 80)})`;
  const asked = since === undefined ? '' : `, asked since ${instantText(since, nowMs)},`;
  return `Begun ${instantText(begunAtMs, nowMs)}: ${there} decides it alone, and${asked} has not answered yet whether it has committed${error}`;
}
