/**
 * Text for a terminal. Guards "what others wrote stays text": labels, errors and queries come from
 * outside, so control characters, which a terminal would obey, are shown as what they are.
 */
import { durationText } from '@concordat/words';
import { Help } from 'commander';
import { stripVTControlCharacters, styleText } from 'node:util';
import { wantsColour } from '../cli.config.js';

/** One line of somebody else's text. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, '\u{FFFD}');
}

/** How long until `at`, by the coordinator's own clock: `in 12 s`, or `now`. */
export function until(at: string, serverTime: string): string {
  const ms = Date.parse(at) - Date.parse(serverTime);
  return ms <= 0 ? 'now' : `in ${durationText(ms)}`;
}

type Tone = 'good' | 'bad' | 'warning' | 'quiet' | 'strong';

const STYLES = {
  good: 'green',
  bad: 'red',
  warning: 'yellow',
  quiet: 'gray',
  strong: 'bold',
} as const;

/** Colour where the terminal has some; the words alone must say it too. */
export function toned(tone: Tone, text: string): string {
  return wantsColour() ? styleText(STYLES[tone], text) : text;
}

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string;
  readonly right?: boolean;
  /** Takes what the others leave, in several lines; at most one column of a table. */
  readonly rest?: boolean;
}

const GAP = '  ';
const INDENT = '    ';
const REST_MIN = 30;
const WRAP_MIN = 20;

const widthOfTerminal = (): number => process.stdout.columns ?? Number.POSITIVE_INFINITY;

/**
 * Rows under their titles, within the terminal's width, where there is one; nothing is cut off. The `rest`
 * column is broken into lines of its own. Where the others leave it no space, each row is a paragraph.
 */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width = widthOfTerminal(),
): string[] {
  const cells = rows.map((row) => columns.map((column) => plain(column.of(row))));
  const natural = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const others = natural.reduce((sum, one, at) => sum + (columns[at]?.rest ? 0 : one), 0);
  const left = width - others - GAP.length * (columns.length - 1);
  const longest = Math.max(0, ...natural.filter((_, at) => columns[at]?.rest));
  if (left < Math.min(REST_MIN, longest)) return paragraphs(columns, cells, width);
  const widths = natural.map((one, at) => (columns[at]?.rest ? Math.min(one, left) : one));
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => padded(text, widths[at] ?? 0, columns[at]?.right === true))
      .join(GAP)
      .trimEnd();
  return [
    toned('quiet', line(columns.map((column) => column.title))),
    ...cells.flatMap((row) => {
      const parts = row.map((text, at) => (columns[at]?.rest ? wrapped(text, left) : [text]));
      const height = Math.max(...parts.map((one) => one.length));
      return Array.from({ length: height }, (_, at) => line(parts.map((one) => one[at] ?? '')));
    }),
  ];
}

/** Each row as its first cells on a line, and everything under its title below, indented. */
function paragraphs<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number,
): string[] {
  return cells.flatMap((row) => {
    const [first = '', second = '', ...others] = row;
    const facts = others
      .map((text, at) => ({ text, column: columns[at + 2] }))
      .filter(({ text }) => text !== '');
    const short = facts.filter(({ column }) => !column?.rest);
    const long = facts.filter(({ column }) => column?.rest);
    return [
      ...wrapped([first, second].filter((one) => one !== '').join(GAP), width),
      ...indented(short.map(({ text, column }) => `${column?.title} ${text}`).join(' · '), width),
      ...long.flatMap(({ text }) => indented(text, width)),
    ];
  });
}

/** A text in lines of the width, each behind the indent; no line for an empty text. */
export function indented(text: string, width = widthOfTerminal(), indent = INDENT): string[] {
  if (text === '') return [];
  return wrapped(text, width - indent.length).map((line) => `${indent}${line}`);
}

/** A sentence of its own, its further lines a little further in; with a tone, each line in it. */
export function noted(text: string, tone?: Tone, width = widthOfTerminal()): string[] {
  const lines = hung(text, width);
  return tone === undefined ? lines : lines.map((line) => toned(tone, line));
}

function hung(text: string, width: number): string[] {
  const depth = text.length - text.trimStart().length;
  const further = ' '.repeat(depth + GAP.length);
  const [first = '', ...rest] = wrapped(text.trimStart(), width - further.length);
  return [`${text.slice(0, depth)}${first}`, ...rest.map((line) => `${further}${line}`)];
}

/** A sentence behind its title, its further lines under its first one. */
export function titled(title: string, text: string, width = widthOfTerminal()): string[] {
  const [first = '', ...more] = wrapped(text, width - title.length);
  return [`${title}${first}`, ...more.map((line) => `${' '.repeat(title.length)}${line}`)];
}

const breaker = new (class extends Help {
  override minWidthToWrap = WRAP_MIN;
})();

function wrapped(text: string, width: number): string[] {
  return Number.isFinite(width) ? breaker.boxWrap(text, width).split('\n') : [text];
}

function padded(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}
