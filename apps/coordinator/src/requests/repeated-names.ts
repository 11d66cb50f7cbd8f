/**
 * Names that an object of a JSON text has twice: parsers disagree on which value counts, so what a proxy has
 * checked and what a participant is sent may differ. Guards "what a client sent is what a participant gets":
 * such a name is found in the raw text and refused with its path.
 */
import { endOfString } from './exact-numbers.js';

type Path = readonly (string | number)[];

/** Behind each name of the text; in a string a colon behind a quote counts as well. */
const AFTER_NAME = /"\s*:/g;

interface Open {
  /** Of an object: the names so far. */
  readonly names: Set<string> | undefined;
  index: number;
  name: string;
  isNameNext: boolean;
}

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
  const open: Open[] = [];
  for (let at = 0; at < text.length && found.length < max;) {
    const char = text[at] as string;
    const inside = open.at(-1);
    if (char === '"') {
      const end = endOfString(text, at);
      if (inside?.isNameNext) {
        inside.name = JSON.parse(text.slice(at, end)) as string;
        inside.isNameNext = false;
        if (inside.names?.has(inside.name)) found.push(pathOf(open));
        inside.names?.add(inside.name);
      }
      at = end;
      continue;
    }
    if (char === '{') open.push({ names: new Set(), index: 0, name: '', isNameNext: true });
    else if (char === '[') open.push({ names: undefined, index: 0, name: '', isNameNext: false });
    else if (char === '}' || char === ']') open.pop();
    else if (char === ',' && inside?.names) inside.isNameNext = true;
    else if (char === ',' && inside) inside.index += 1;
    at += 1;
  }
  return found;
}

const pathOf = (open: readonly Open[]): Path =>
  open.map(({ names, name, index }) => (names ? name : index));
