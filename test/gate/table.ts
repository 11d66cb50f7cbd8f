/**
 * What the gate found, as a table for the terminal and for docs/correctness.md, where it stands
 * between two markers and is written by the gate alone.
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

/** The table for people, with when and on what it was made. */
export function markdown(findings: readonly Finding[], made: string): string {
  const rows = findings.map((finding) => {
    const { bug } = finding;
    const caught = caughtBy(finding);
    const first = caught.map(({ run, verdict, seconds }) => {
      const what = verdict.kind === 'red' ? verdict.first : '';
      return `${run.layer}: ${cell(what)} (${seconds.toFixed(1)} s)`;
    });
    return `| \`${bug.name}\` | ${cell(bug.what)} | ${cell(bug.rule)} | ${first.join('<br>') || '**survives**'} |`;
  });
  return [
    made,
    '',
    '| Bug | What is broken | Rule of the protocol | Caught by: first failing test or seed (after) |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** Replaces what stands between the markers of a page. */
export function writeInto(page: string, text: string): void {
  const before = readFileSync(page, 'utf8');
  const from = before.indexOf(BEGIN);
  const to = before.indexOf(END);
  if (from < 0 || to < from) {
    throw new Error(`${page} has no place for the table: add the lines\n${BEGIN}\n${END}`);
  }
  writeFileSync(page, `${before.slice(0, from + BEGIN.length)}\n\n${text}\n\n${before.slice(to)}`);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
}
