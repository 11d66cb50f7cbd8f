/**
 * Narrow commands that can be run together: those of one file, and all stories. Used where all must be
 * green, so that a server is started once for a file and not once for each name in it.
 */
import { narrowRun, type NarrowRun } from './narrow-run.js';

export interface Merged {
  readonly run: NarrowRun;
  /** The commands that it replaces. */
  readonly commands: readonly string[];
}

/** Fewer commands that run everything these run. */
export function merge(runs: readonly NarrowRun[]): Merged[] {
  const groups = new Map<string, NarrowRun[]>();
  for (const run of new Map(runs.map((one) => [one.command, one])).values()) {
    const { rest } = splitName(run);
    const key = run.script === 'scripts' ? 'scripts' : [run.script, ...rest].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].map((group) => ({
    run: together(group),
    commands: group.map(({ command }) => command),
  }));
}

function together(group: readonly NarrowRun[]): NarrowRun {
  const [first] = group;
  if (!first || group.length === 1) return first as NarrowRun;
  if (first.script === 'scripts') return narrowRun('npm run scripts -- .txt');
  const parts = group.map(splitName);
  const names = parts.flatMap(({ name }) => (name === undefined ? [] : [name]));
  // One of them runs the whole file.
  const every = names.length < parts.length;
  const rest = (parts[0] as (typeof parts)[number]).rest;
  const args = every ? rest : [...rest, '-t', names.map((name) => `(?:${name})`).join('|')];
  return narrowRun(`npm run ${first.script} -- ${args.map(quoted).join(' ')}`);
}

/** A command's arguments without the name of a test, and that name. */
function splitName({ args }: NarrowRun): { rest: readonly string[]; name?: string } {
  const at = args.indexOf('-t');
  if (at < 0) return { rest: args };
  return { rest: [...args.slice(0, at), ...args.slice(at + 2)], name: args[at + 1] };
}

function quoted(word: string): string {
  return /^[\w./:=-]+$/.test(word) ? word : `"${word}"`;
}
