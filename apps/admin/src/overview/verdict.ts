/** The sentence under the overview's heading: what needs somebody, and whom it hurts. */
import type { AdminOverview } from '@concordat/client';
import { count } from '../wording/format.js';

/** The state of everything in one sentence. */
export function verdict({ stuck, heuristic, orphans, blockedSessions }: AdminOverview): string {
  const needs = [
    ...(stuck > 0 ? [`${count(stuck)} stuck`] : []),
    ...(heuristic > 0 ? [`${count(heuristic)} of them heuristic`] : []),
    ...(orphans > 0 ? [`${count(orphans)} orphaned`] : []),
  ];
  if (needs.length === 0) return 'Nothing needs anybody.';
  const harm = blockedSessions > 0 ? `, and ${count(blockedSessions)} database sessions wait` : '';
  return `${needs.join(', ')}${harm}.`;
}
