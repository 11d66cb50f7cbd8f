/**
 * Names as people mistype them. Guards "a typing error is answered with what is known": a request with an
 * unknown participant, operation or field gets the nearest known one, or all.
 */
import { listed, quoted } from '@concordat/words';

/** The participants that have ever answered: what a name in a request is compared with. */
export abstract class KnownParticipants {
  /** Whether all names that have ever answered are read; before that a name is not called unknown. */
  abstract readonly hasReadNames: boolean;
  abstract one(participant: string): { readonly participant: string } | undefined;
  abstract known(): readonly { readonly participant: string }[];
}

const NAMES_MAX = 20;
const COMPARED_MAX = 64;

/** The known name that is nearest to a mistyped one, or undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const written = name.slice(0, COMPARED_MAX);
  const [near] = known
    .map((one) => ({ one, distance: distance(written, one) }))
    .filter(({ one, distance: far }) => far <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near?.one;
}

/** `Did you mean …?`, or the names that are known. */
export function hintOf(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `Did you mean ${quoted(near)}?`;
  if (known.length === 0) return 'None has answered yet.';
  return `Known are ${someOf(known)}.`;
}

/** The names in quotes, the first of them when there are many. */
export function someOf(known: readonly string[]): string {
  return listed(known.map(quoted), NAMES_MAX);
}

/** Letters to insert, delete, change or swap with their neighbour. */
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
