/**
 * A deliberate bug: a unified diff of the product whose head says what is broken, which rule of the
 * protocol that breaks, and which narrow commands must turn red. Guards the gate itself: a patch
 * without a complete head is refused, so that no bug is counted whose meaning cannot be checked.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { narrowRun, type NarrowRun } from './narrow-run.js';

export interface Bug {
  readonly name: string;
  /** The patch itself. */
  readonly file: string;
  /** What is broken, in one sentence. */
  readonly what: string;
  /** The rule of the protocol that this breaks. */
  readonly rule: string;
  /** Words of the assertion that must be what turns them red, where one sees it first. */
  readonly trips?: string;
  /** Each of these must turn red; the cheapest first. */
  readonly red: readonly NarrowRun[];
  /** Files of the product that it changes. */
  readonly touches: readonly string[];
}

/** Sources of the product, and no test of it. */
const PRODUCT = /^(libs|apps)\/[^/]+\/src\/(?!.*[.-]spec(-support)?\.ts$)/;

export const BUGS_FOLDER = join('test', 'gate', 'bugs');

/** All bugs of a tree, by name. */
export function readBugs(root: string): Bug[] {
  const folder = join(root, BUGS_FOLDER);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.patch'))
    .sort()
    .map((name) => parseBug(join(folder, name), readFileSync(join(folder, name), 'utf8')));
}

/** Reads one patch. Throws what is missing from its head. */
export function parseBug(file: string, text: string): Bug {
  const name = basename(file, '.patch');
  const [head = '', ...rest] = text.split(/^(?=--- a\/)/m);
  const fields = headFields(name, head);
  const touches = [...rest.join('').matchAll(/^\+\+\+ b\/(\S+)/gm)].map(([, path]) => String(path));
  if (touches.length === 0) throw incomplete(name, 'it changes no file: write it with `git diff`');
  const outside = touches.find((path) => !PRODUCT.test(path));
  if (outside) throw incomplete(name, `it changes ${outside}: a bug is put into the product only`);
  const red = fields.red.map((command) => read(name, command));
  if (red.length === 0) throw incomplete(name, 'no "Red:" line names a command that catches it');
  return {
    name,
    file,
    what: one(name, 'What', fields.what),
    rule: ruleOf(name, fields),
    ...(fields.trips.length > 0 ? { trips: one(name, 'Trips', fields.trips) } : {}),
    red,
    touches,
  };
}

function read(name: string, command: string): NarrowRun {
  try {
    return narrowRun(command);
  } catch (error) {
    throw incomplete(name, (error as Error).message);
  }
}

interface Fields {
  readonly what: string[];
  readonly rule: string[];
  readonly trips: string[];
  readonly red: string[];
}

/** `Field: text`, continued by lines that begin with a space. */
function headFields(name: string, head: string): Fields {
  const fields: Fields = { what: [], rule: [], trips: [], red: [] };
  let current: string[] | undefined;
  for (const line of head.split('\n')) {
    if (line.trim() === '' || line.startsWith('diff --git') || line.startsWith('index ')) continue;
    const [, field, text] = /^(What|Rule|Trips|Red): (.+)$/.exec(line) ?? [];
    if (field !== undefined) {
      current = fields[field.toLowerCase() as keyof Fields];
      current.push(String(text).trim());
    } else if (line.startsWith(' ') && current) {
      current.push(`${current.pop() ?? ''} ${line.trim()}`);
    } else {
      throw incomplete(
        name,
        `"${line}" is none of What:, Rule:, Trips:, Red: nor the continuation of one`,
      );
    }
  }
  return fields;
}

function ruleOf(name: string, { rule }: Fields): string {
  const text = one(name, 'Rule', rule);
  if (/^§\d/.test(text)) return text;
  throw incomplete(name, 'its rule begins with the section of the protocol, like "§3: …"');
}

function one(name: string, field: string, found: readonly string[]): string {
  const [text, ...more] = found;
  if (text !== undefined && more.length === 0) return text;
  throw incomplete(name, `its head has ${found.length} lines "${field}:", and needs one`);
}

function incomplete(name: string, why: string): Error {
  return new Error(`${BUGS_FOLDER}/${name}.patch: ${why}. test/gate/README.md shows a head.`);
}
