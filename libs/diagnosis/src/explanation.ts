/**
 * Why a transaction is where it is, in one sentence, and what happens next, in another. Guards "say why":
 * every sentence is made of what is known now; what is not known is not made up.
 */
import { counted, durationText, instantText, listed, quoted, shortly } from '@concordat/words';
import { explainAlone, explainForgotten, placeOf } from './alone.js';
import { causeSentence } from './cause.js';
import { blocksWords, waitWords } from './waits/wait-words.js';
import {
  blockedSessions,
  blocksOf,
  inStatusSinceMs,
  isBlocking,
  nothingLies,
  stateOf,
  STUCK_AFTER_MS,
  votelessBranches,
  waitingBranches,
  waitsFor,
  type Explained,
  type Situation,
} from './situation.js';

export function explain(situation: Situation): Explained {
  const { known } = situation;
  if (situation.isTraceless) return explainTraceless(situation);
  if (known.status.startsWith('heuristic')) return explainHeuristic(situation);
  if (known.status === 'committed') {
    const place = placeOf(situation);
    const by = place
      ? `${quoted(place)} has committed it in one phase`
      : 'every branch has acknowledged';
    return fine(`Committed ${at(situation, known.endedAtMs)}: ${by}.`);
  }
  if (known.status === 'aborted') return explainAborted(situation);
  return known.decision === undefined ? explainUndecided(situation) : explainDelivery(situation);
}

const NOTHING_MORE = 'Nothing: it has ended.';

function fine(why: string): Explained {
  return { why, next: NOTHING_MORE, severity: 'fine' };
}

function at({ nowMs }: Situation, ms: number | undefined): string {
  return ms === undefined ? '' : `at ${instantText(ms, nowMs)}`;
}

function explainAborted(situation: Situation): Explained {
  const { known } = situation;
  const cause = known.cause ?? { kind: 'undetermined' as const };
  return fine(`Aborted ${at(situation, known.endedAtMs)}: ${shortly(causeSentence(cause), 300)}`);
}

function explainHeuristic(situation: Situation): Explained {
  const { known } = situation;
  const place = placeOf(situation);
  if (place !== undefined && known.decision === undefined) {
    return resolvedOr(situation, explainForgotten(situation, place));
  }
  const told = known.branches.flatMap(({ participant, outcome }) =>
    outcome?.kind === 'heuristic'
      ? [`${quoted(participant)} ${FOUND[outcome.evidence.found]}`]
      : [],
  );
  const decided = known.decision === undefined ? 'A decision' : known.decision.toUpperCase();
  const why = `${decided} is on record, but ${listed(told) || 'a branch disagrees'}.`;
  const next =
    'A person must: compare the data of its participants, put right what disagrees, then acknowledge with the reason.';
  return resolvedOr(situation, { why, next, severity: 'heuristic' });
}

function resolvedOr(situation: Situation, open: Explained): Explained {
  const { resolved } = situation.known;
  if (!resolved) return open;
  const { by, reason, atMs } = resolved;
  const next = `Acknowledged by ${by} ${at(situation, atMs)}: ${shortly(reason)}.`.replace(
    '..',
    '.',
  );
  return { why: open.why, next, severity: 'fine' };
}

const FOUND = {
  'rolled-back': 'has rolled its branch back',
  missing: 'has neither the prepared branch nor its outcome',
  committed: 'has committed its branch',
  unknown: 'does not know the outcome of its branch',
} as const;

/** `COMMIT durable since 12:03; …; holds 3 locks on \`stock\`, 5 sessions wait.` */
function explainDelivery(situation: Situation): Explained {
  const { known, nowMs } = situation;
  const since = known.decidedAtMs ?? known.begunAtMs;
  const waiting = waitingBranches(situation);
  const decided = known.decision === 'commit' ? 'COMMIT durable' : 'ABORT certain';
  const parts = [`${decided} since ${instantText(since, nowMs)}`];
  if (known.decision === 'abort' && !isDelivered(situation) && nothingLies(situation, waiting)) {
    parts.push('none of its branches is prepared any more', 'its end is not on record');
    const next = 'Nothing is left to deliver: only the record of its end is missing.';
    return { why: `${parts.join('; ')}.`, next, severity: 'fine' };
  }
  const nextAtMs = earliest(waiting.map((one) => one.nextAttemptAtMs));
  for (const { participant, attempts, lastError, nextAttemptAtMs } of waiting.slice(0, 3)) {
    const state = stateOf(situation, participant);
    const isHeard = state !== 'silent' && state !== 'unknown';
    const heard = isDelivered(situation)
      ? 'has not acknowledged'
      : 'has no acknowledgement on record';
    const how = isHeard ? heard : 'unreachable';
    const error = isHeard && lastError ? ` (${shortly(lastError, 80)})` : '';
    const isAhead = nextAttemptAtMs !== undefined && nextAttemptAtMs >= nowMs;
    const again =
      isAhead && isDelivered(situation) ? `, next in ${durationText(nextAttemptAtMs - nowMs)}` : '';
    parts.push(`${quoted(participant)} ${how}${error}, ${counted(attempts, 'attempt')}${again}`);
  }
  if (waiting.length > 3) parts.push(`${waiting.length - 3} more wait`);
  if (waiting.length === 0) parts.push(...answeredWords(situation));
  const holds = held(situation);
  if (holds) parts.push(holds);
  const isStuck = nowMs - since > STUCK_AFTER_MS || isBlocking(situation);
  const severity = isStuck ? 'stuck' : 'waiting';
  return { why: `${parts.join('; ')}.`, ...afterDelivery(situation, nextAtMs), severity };
}

/** A coordinator that takes a commit over asks each branch again, also what had acknowledged before. */
function answeredWords({ known: { finisher, owner } }: Situation): string[] {
  return finisher === undefined || finisher === owner
    ? ['every branch has answered, and the end is being noted']
    : ['every branch has acknowledged', 'it was taken over, so each is asked once more'];
}

function afterDelivery(
  situation: Situation,
  nextAtMs: number | undefined,
): Pick<Explained, 'next' | 'nextAtMs'> {
  const { known, nowMs, delivery } = situation;
  if (waitingBranches(situation).length === 0) {
    return { next: 'Nothing is left to finish: its end is noted as soon as each has answered.' };
  }
  const names = waitingBranches(situation).map((one) => quoted(one.participant));
  const verb = known.decision === 'commit' ? 'commit' : 'roll back';
  const end =
    names.length > 1
      ? `${listed(names)} ${verb} as soon as they can be reached`
      : `${String(names[0])} ${verb.replace(/^\w+/, '$&s')} as soon as it can be reached`;
  if (nextAtMs !== undefined && isDelivered(situation)) {
    const inText = durationText(Math.max(0, nextAtMs - nowMs));
    // An abort is delivered for a limited time: a branch that missed it asks, and gets the same answer.
    const long = known.decision === 'commit' ? ', without limit' : '';
    return { next: `Delivered again in ${inText} by itself${long}: ${end}.`, nextAtMs };
  }
  if (isDelivered(situation)) return { next: `It is being delivered: ${end}.` };
  if (delivery === 'not-known') {
    return {
      next: `Whether it is being delivered is not known: its coordinator is silent. ${again(known, end)}`,
    };
  }
  if (delivery === 'gone' && known.decision === 'commit') {
    return { next: `Its coordinator is gone; another takes it over within seconds, then ${end}.` };
  }
  return { next: `No coordinator delivers it now. ${again(known, end)}` };
}

/** A commit is always taken up by some coordinator; an abort is sent only to a branch that asks. */
function again({ decision }: Situation['known'], end: string): string {
  return decision === 'commit'
    ? `A coordinator takes it up again by itself: ${end}.`
    : 'A branch that is still prepared asks every few seconds, and rolls back on the answer.';
}

/** A list asks no coordinator and shows what is on record; a closer look knows more. */
function isDelivered({ isAsked, delivery }: Situation): boolean {
  return isAsked === undefined || delivery === 'under-way';
}

function held(situation: Situation): string | undefined {
  const parts: string[] = [];
  const locks = [...(situation.prepared?.values() ?? [])].flatMap((one) => one.locks);
  const relations = [...new Set(locks.map((one) => quoted(one.relation)))];
  if (relations.length > 0) {
    const more = relations.length > 3 ? ` and ${relations.length - 3} more` : '';
    parts.push(
      `holds ${counted(locks.length, 'lock')} on ${relations.slice(0, 3).join(', ')}${more}`,
    );
  }
  const blocked = blockedSessions(situation) ?? 0;
  const blocks = blocksOf(situation);
  if (blocks && blocks.waits.length >= blocked) parts.push(blocksWords(blocks, situation.nowMs));
  else if (blocked > 0)
    parts.push(`${counted(blocked, 'session')} ${blocked === 1 ? 'waits' : 'wait'}`);
  return parts.length > 0 ? parts.join(', ') : undefined;
}

function explainUndecided(situation: Situation): Explained {
  const { known, nowMs, ownerAlive } = situation;
  const deadlineMs = known.timeoutMs === undefined ? undefined : known.begunAtMs + known.timeoutMs;
  const leftMs = deadlineMs === undefined ? undefined : deadlineMs - nowMs;
  const holds = held(situation);
  const why = `${phaseText(situation)}${holds ? `; ${holds}` : ''}.`;
  const place = placeOf(situation);
  if (place !== undefined) return explainAlone(situation, place, why.slice(0, -1));
  const isOverdue = leftMs !== undefined && leftMs < -STUCK_AFTER_MS;
  const severity = isOverdue || isBlocking(situation) ? 'stuck' : 'waiting';
  if (ownerAlive === false) {
    return {
      why: `${why.slice(0, -1)}; its coordinator ${known.owner} is gone.`,
      next: 'An abort is recorded as soon as a branch or a client asks, unless a commit that it sent before is on record by then.',
      severity,
    };
  }
  if (situation.isAsked && ownerAlive === undefined) {
    return {
      why,
      next: `Whether it goes on is not known: its coordinator ${known.owner} is silent. Once that is known to be gone, an abort is recorded.`,
      severity,
    };
  }
  if (leftMs === undefined || deadlineMs === undefined) {
    return { why, next: `Coordinator ${known.owner}, which owns it, decides it.`, severity };
  }
  if (leftMs <= 0) {
    const late = durationText(-leftMs);
    return {
      why,
      next: `Its time-out passed ${late} ago: the decision waits for the register. It aborts, or returns the decision on record, as soon as that answers.`,
      severity,
    };
  }
  const next = `Aborts by itself in ${durationText(leftMs)} unless it is decided before.`;
  return { why, next, nextAtMs: deadlineMs, severity };
}

const ABOUT_VOTELESS: Readonly<Record<string, string>> = {
  silent: ' (unreachable)',
  unknown: ' (no participant of that name is known)',
};

function phaseText(situation: Situation): string {
  const { known, nowMs } = situation;
  const since = `since ${instantText(inStatusSinceMs(situation), nowMs)}`;
  const voteless = votelessBranches(situation);
  const waiting = voteless.filter((one) => waitsFor(situation, one)?.waits.length);
  const waits = waitsText(situation);
  if (known.status === 'active') {
    if (waits) return `Open ${since}: it ${waits}`;
    return known.branches.length === 0
      ? `Open ${since}, without a branch: its client has not committed it`
      : `Open ${since}: its client has neither committed nor rolled it back`;
  }
  if (known.status === 'preparing') {
    // The vote of a branch that waits for a lock is missing for that reason.
    const missing = voteless
      .filter((one) => !waiting.includes(one))
      .map((one) => {
        const about = ABOUT_VOTELESS[stateOf(situation, one.participant)] ?? '';
        return `${quoted(one.participant)}${about}`;
      });
    const votes = missing.length > 0 ? `the vote of ${listed(missing)} is missing` : undefined;
    const parts = [waits && `it ${waits}`, votes].filter((one) => one !== undefined);
    return `Undecided ${since}: ${parts.join('; ') || 'all have voted'}`;
  }
  if (known.status === 'deciding') {
    const told = known.decidingSinceMs === undefined ? '' : ` ${since}`;
    return `All votes are in${told}, and the register has not answered yet`;
  }
  return `Undecided ${since}, at coordinator ${known.owner}`;
}

/** What its branches wait for, the longest wait first. */
function waitsText({ known, waits, nowMs }: Situation): string | undefined {
  const [first, ...others] = waits.of(known.transaction).sort((a, b) => a.sinceMs - b.sinceMs);
  if (!first || known.decision !== undefined) return undefined;
  const more = others.length > 0 ? `, and for ${counted(others.length, 'other lock')}` : '';
  return `${waitWords(first, nowMs)}${more}`;
}

function explainTraceless(situation: Situation): Explained {
  const { known, isForgotten, prepared, nowMs } = situation;
  const where = listed(known.branches.map((one) => quoted(one.participant)));
  const heldMs = Math.max(0, ...[...(prepared?.values() ?? [])].map((one) => one.heldMs));
  const since = heldMs > 0 ? ` since ${instantText(nowMs - heldMs, nowMs)}` : '';
  const holds = held(situation);
  const prefix = `A branch is prepared at ${where}${since}`;
  if (isForgotten) {
    return {
      why: `${prefix}, and its transaction is past retention: what was decided is no longer known${holds ? `; it ${holds}` : ''}.`,
      next: 'A person must: compare the data of its participants, then force the branch the way the others went.',
      severity: 'stuck',
    };
  }
  return {
    why: `${prefix}, and nothing is known of its transaction here${holds ? `; it ${holds}` : ''}.`,
    next: 'Its participant asks every few seconds; if no decision is on record and its coordinator is gone, an abort is recorded and it rolls back.',
    severity: 'stuck',
  };
}

function earliest(instants: readonly (number | undefined)[]): number | undefined {
  const known = instants.filter((one) => one !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
