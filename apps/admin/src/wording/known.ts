/**
 * What is known and what is not, in words. Guards "a missing answer is no zero": a number that some did not
 * report is a lower bound, and zero from the others means nothing.
 */
import type { AdminOverview, ParticipantSummary } from '@concordat/client';
import { listed } from '@concordat/words';
import { count, plural } from './format.js';

export const NOT_KNOWN = 'not known';

/** `12`; `12 or more` where some did not report it; `not known` where none did. */
export function atLeast(value: number | undefined, isPartial: boolean): string {
  if (value === undefined || (isPartial && value === 0)) return NOT_KNOWN;
  return isPartial ? `${count(value)} or more` : count(value);
}

/** At most three of them. */
export const names = (all: readonly string[]): string => listed(all, 3);

/** Participants that do not report the waits in their databases. */
export function blockingUntold({ participants }: Pick<AdminOverview, 'participants'>): string[] {
  return participants
    .filter((one) => one.blockedSessions === undefined)
    .map((one) => one.participant);
}

/** What of the databases could not be looked into, in a sentence; undefined where all could. */
export function whatIsNotKnown({
  notSeen,
  notCompared,
  orphans,
}: Pick<AdminOverview, 'notSeen' | 'notCompared' | 'orphans'>): string | undefined {
  const all = [...new Set([...notSeen, ...notCompared])].sort();
  if (all.length > 0) return `What is prepared at ${names(all)} is not known.`;
  return orphans === undefined ? 'Orphans have not been looked for yet.' : undefined;
}

/** What may still have to be delivered to a participant that cannot be looked at. */
export function undeliveredWords({ undelivered }: ParticipantSummary): string {
  return undelivered === undefined
    ? 'undelivered commits not known'
    : `${plural(undelivered, 'commit')} undelivered`;
}
