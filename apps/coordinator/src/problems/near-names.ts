/**
 * Names as people mistype them. Guards "a typing error is answered with what is known": a request with an
 * unknown participant, operation or field gets the nearest known one, or all.
 */
import { listed, nearest, quoted } from '@concordat/words';

/** The participants that have ever answered: what a name in a request is compared with. */
export abstract class KnownParticipants {
  /** Whether all names that have ever answered are read; before that a name is not called unknown. */
  abstract readonly hasReadNames: boolean;
  abstract one(participant: string): { readonly participant: string } | undefined;
  abstract known(): readonly { readonly participant: string }[];
}

const NAMES_MAX = 20;
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
