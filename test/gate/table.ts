/**
 * What the gate found, as a table for the terminal and for bugs.md, where it is between two
 * markers and is written by the gate alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Bug } from './bug.js';
import type { Judged, NarrowRun } from './narrow-run.js';

export interface Ran extends Judged {
  readonly run: NarrowRun;
}

export interface Finding {
  readonly bug: Bug;
  /** In the order in which they were run. */
  readonly ran: readonly Ran[];
  /** Why this bug shows nothing: it does not apply, or the compiler refuses it. */
  readonly invalid?: string;
}

const BEGIN = '<!-- gate: begin; written by npm run gate -- --write -->';
const END = '<!-- gate: end -->';

/** The runs that turned red. */
export function caughtBy(finding: Finding): readonly Ran[] {
  return finding.ran.filter(({ verdict }) => verdict.kind === 'red');
}

/** What is wrong with a finding; nothing when every layer that was asked turned red. */
export function complaints(finding: Finding): string[] {
  const { bug, ran, invalid } = finding;
  if (invalid !== undefined) return [`${bug.name}: ${invalid}`];
  const said = ran.flatMap(({ run, verdict }) => {
    if (verdict.kind === 'red') return [];
    const why = verdict.kind === 'green' ? 'stays green' : verdict.why;
    return [`${bug.name}: "${run.command}" must turn red, and ${why}`];
  });
  const survives = caughtBy(finding).length === 0 && ran.length === bug.red.length;
  if (survives) {
    return [`${bug.name}: SURVIVES. Add the test that is missing to the right layer`, ...said];
  }
  return said;
}

/** One line a bug, for the terminal. */
export function lines(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ bug }) => bug.name.length));
  return findings.map((finding) => {
    const { bug, invalid } = finding;
    const name = bug.name.padEnd(width);
    if (invalid !== undefined) return `${name}  INVALID   ${invalid}`;
    const caught = caughtBy(finding);
    if (caught.length === 0) return `${name}  NOT SEEN  ${bug.rule}`;
    return `${name}  ${caught.map((one) => `${one.run.layer} ${one.seconds.toFixed(1)} s`).join(' · ')}`;
  });
}

/**
 * Writes the rows of these findings into a page, between the markers. Rows of bugs that were not tried
 * now stay as they are, with what was true of them; those of bugs that are no more go.
 */
export function writeInto(
  page: string,
  findings: readonly Finding[],
  existing: readonly string[],
  tried: string,
): void {
  const before = readFileSync(page, 'utf8');
  const from = before.indexOf(BEGIN);
  const to = before.indexOf(END);
  if (from < 0 || to < from) {
    throw new Error(`${page} has no place for the table: add the lines\n${BEGIN}\n${END}`);
  }
  const start = from + BEGIN.length;
  const table = tableOf(rowsOf(before.slice(start, to)), findings, existing, tried);
  writeFileSync(page, `${before.slice(0, start)}\n\n${table}\n\n${before.slice(to)}`);
}

/** The rows of a table by the name of their bug. */
export function rowsOf(text: string): Map<string, string> {
  const rows = [...text.matchAll(/^\| `([a-z0-9-]+)` \|.*$/gm)];
  return new Map(rows.map(([row, name]) => [String(name), row]));
}

/** The table for people. `tried`: when, and at which revision. */
export function tableOf(
  earlier: ReadonlyMap<string, string>,
  findings: readonly Finding[],
  existing: readonly string[],
  tried: string,
): string {
  const now = new Map(findings.map((finding) => [finding.bug.name, rowOf(finding, tried)]));
  const rows = [...existing].sort().flatMap((name) => now.get(name) ?? earlier.get(name) ?? []);
  return [
    '| Bug | What is broken | Rule of the protocol | Caught by: first failing test or seed (after) | Tried |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function rowOf(finding: Finding, tried: string): string {
  const { bug } = finding;
  const caught = caughtBy(finding).map(({ run, verdict, seconds }) => {
    const what = verdict.kind === 'red' ? verdict.first : '';
    return `${run.layer}: ${cell(what)} (${seconds.toFixed(1)} s)`;
  });
  const cells = [`\`${bug.name}\``, cell(bug.what), cell(bug.rule), caught.join('<br>'), tried];
  return `| ${cells.join(' | ')} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
}
