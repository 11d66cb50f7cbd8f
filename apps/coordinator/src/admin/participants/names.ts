/**
 * Names of participants as people mistype them. Guards "a typing error is answered, not kept": who asks
 * for a name that has never answered is told those that have.
 */
import { Problem } from '../../problems/problem.js';
import { listed, quoted } from '../transactions/words.js';

const NAMES_MAX = 20;

/** The problem of a name that nobody has ever answered to, with the names that are known. */
export function unknownParticipant(
  name: string,
  known: readonly { readonly participant: string }[],
): Problem {
  const names = known.map((one) => one.participant);
  return new Problem(
    'unknown-participant',
    `No participant called ${quoted(name)} has ever answered. ${hintOf(name, names)}`,
    { members: { known: names.slice(0, NAMES_MAX) } },
  );
}

/** `Did you mean …?`, or the names that are known. */
export function hintOf(name: string, known: readonly string[]): string {
  const [near] = known
    .map((one) => ({ one, distance: distance(name, one) }))
    .filter(({ one, distance: far }) => far <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  if (near) return `Did you mean ${quoted(near.one)}?`;
  if (known.length === 0) return 'None has answered yet.';
  const more = known.length > NAMES_MAX ? ` and ${known.length - NAMES_MAX} more` : '';
  return `Known are ${listed(known.slice(0, NAMES_MAX).map(quoted))}${more}.`;
}

/** Letters to insert, delete, change or swap with their neighbour. Names have at most 32. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const change = (row[j - 1] ?? 0) + (isSame ? 0 : 1);
      const swap = isSwapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
