/** The sentence under the overview's heading: what needs attention, whom it hurts, and what is not known. */
import type { AdminOverview } from '@concordat/client';
import { count } from '../wording/format.js';
import { whatIsNotKnown } from '../wording/known.js';

/** The state of everything in a sentence or two. "Nothing" is said only where all could be asked. */
export function verdict(overview: AdminOverview): string {
  const { stuck, heuristic, orphans = 0, blockedSessions = 0 } = overview;
  if (stuck === undefined || heuristic === undefined) {
    return 'The register does not answer: what needs attention is not known.';
  }
  const needs = [
    ...(stuck > 0 ? [`${count(stuck)} stuck`] : []),
    ...(heuristic > 0 ? [`${count(heuristic)} of them heuristic`] : []),
    ...(orphans > 0 ? [`${count(orphans)} orphaned`] : []),
  ];
  const dark = whatIsNotKnown(overview);
  const harm = blockedSessions > 0 ? `, and ${count(blockedSessions)} database sessions wait` : '';
  const told =
    needs.length > 0
      ? `${needs.join(', ')}${harm}.`
      : `Nothing needs attention${dark === undefined ? '' : ', as far as is known'}.`;
  return dark === undefined ? told : `${told} ${dark}`;
}
