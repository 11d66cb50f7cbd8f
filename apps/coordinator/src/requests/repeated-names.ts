/**
 * Names that an object of a JSON text has twice: parsers disagree on which value counts, so what a proxy has
 * checked and what a participant is sent may differ. Guards "what a client sent is what a participant gets":
 * such a name is found in the raw text and refused with its path.
 */
import { walk, type Path } from './json-text.js';

/** Behind each name of the text; in a string a colon behind a quote counts as well. */
const AFTER_NAME = /"\s*:/g;

/**
 * The members whose names their object has had before, at most `max` of them. `text` must be JSON, and `value`
 * what JSON.parse made of it. Reads the text a second time only when it seems to have more names than the value.
 */
export function repeatedNames(text: string, value: unknown, max = 50): Path[] {
  const written = text.match(AFTER_NAME)?.length ?? 0;
  return written > namesOf(value) ? scan(text, max) : [];
}

function namesOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  const members = Array.isArray(value) ? (value as unknown[]) : Object.values(value);
  let names = Array.isArray(value) ? 0 : members.length;
  for (const member of members) names += namesOf(member);
  return names;
}

function scan(text: string, max: number): Path[] {
  const found: Path[] = [];
  const names = new Map<object, Set<string>>();
  walk(text, {
    name: (written, object, path) => {
      const name = JSON.parse(written) as string;
      const before = names.get(object);
      if (before?.has(name)) found.push(path());
      if (before) before.add(name);
      else names.set(object, new Set([name]));
      return found.length >= max;
    },
  });
  return found;
}
