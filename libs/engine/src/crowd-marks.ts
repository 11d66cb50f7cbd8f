/**
 * What operations may have in common, as marks: their names, and the values of their inputs. Guards "one value
 * in common is no sign": what distinguishes it from others is everything that its members share. Pure.
 */
import type { OperationCall } from './ports/index.js';

export type Marks = ReadonlySet<string>;

const VALUES_OF_CALL_MAX = 8;
const MARKS_MAX = 64;
const DEPTH_MAX = 3;
const TEXT_MAX = 100;

/** Each operation by its name, and each short value of its input by its place there. */
export function marksOf(calls: readonly OperationCall[]): Marks {
  const marks = new Set<string>();
  for (const { name, input } of calls) {
    marks.add(name);
    const values = valuesIn(input, name, DEPTH_MAX).slice(0, VALUES_OF_CALL_MAX);
    for (const value of values) marks.add(value);
    if (marks.size >= MARKS_MAX) break;
  }
  return marks;
}

/** What all of these have. */
export function commonOf(all: readonly Marks[]): Marks {
  const [first = new Set<string>(), ...others] = all;
  return new Set([...first].filter((mark) => others.every((one) => one.has(mark))));
}

/** Whether it has something, and all of that is in the other. */
export function isPartOf(pattern: Marks, marks: Marks): boolean {
  if (pattern.size === 0 || pattern.size > marks.size) return false;
  for (const mark of pattern) if (!marks.has(mark)) return false;
  return true;
}

/** Marks that several of these have, those of most first: values before names, which say less. */
export function seedsOf(all: readonly Marks[]): string[] {
  const counts = new Map<string, number>();
  for (const mark of all.flatMap((one) => [...one])) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  const isValue = (mark: string): number => Number(mark.includes('='));
  return [...counts]
    .filter(([, count]) => count > 1)
    .sort(([a, ofA], [b, ofB]) => isValue(b) - isValue(a) || ofB - ofA)
    .map(([mark]) => mark);
}

export function nameOfPattern(pattern: Marks): string {
  return [...pattern].sort().join('\n');
}

function valuesIn(value: unknown, path: string, depth: number): string[] {
  if (typeof value === 'number' || typeof value === 'boolean') return [`${path}=${value}`];
  if (typeof value === 'string') return value.length > TEXT_MAX ? [] : [`${path}="${value}"`];
  if (typeof value !== 'object' || value === null || depth === 0) return [];
  return Object.entries(value)
    .slice(0, VALUES_OF_CALL_MAX)
    .flatMap(([key, inside]) => valuesIn(inside, `${path}.${key}`, depth - 1));
}
