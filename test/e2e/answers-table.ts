/**
 * What wrong requests are answered, as a page beside its test: one row a request, as it was received from the
 * real coordinator. `ANSWERS_REWRITE=1` writes the page; without it, each answer must be as it says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('wrong-requests.md', import.meta.url));
const HEAD = `# Wrong requests and their answers

Written by \`coordinator-bad-input.e2e-spec.ts\` with \`ANSWERS_REWRITE=1\`, and held by it. Every answer is
\`application/problem+json\`, nothing is begun by any of these requests, and the field that is wrong is named.

| request | status, code | errors, or what is said |
| --- | --- | --- |
`;
const CELL_MAX = 300;

export interface HeardProblem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

export class AnswersTable {
  private readonly rows = new Map<string, string>();

  /** Remembers an answer under the name of the test that got it. */
  heard(method: string, path: string, problem: HeardProblem): void {
    const name = (expect.getState().currentTestName ?? '').replace(/^A bad request /, '');
    const { status, code, detail, errors = [] } = problem;
    const fields = errors.slice(0, 4).map(({ field, message }) => `\`${field}\` ${message}`);
    const said = fields.length > 0 ? fields.join('; ') : detail;
    const request = `${name}: \`${method} ${path}\``;
    this.rows.set(cell(request), `| ${cell(request)} | ${status} ${code} | ${cell(said)} |`);
  }

  /** The rows that the page does not have, or has otherwise; after a rewrite, none. */
  missing(): string[] {
    if (process.env['ANSWERS_REWRITE'] === '1') {
      writeFileSync(PAGE, `${HEAD}${[...this.rows.values()].sort().join('\n')}\n`);
    }
    const page = new Set(readFileSync(PAGE, 'utf8').split('\n'));
    return [...this.rows.values()].filter((row) => !page.has(row));
  }
}

/** Without what differs in each run, and without what a table or a reader cannot hold. */
function cell(text: string): string {
  const stable = text
    .replace(/\b[0-9a-hjkmnp-tv-z]{26}-[0-9a-hjkmnp-tv-z]{8}\b/gi, '<id>')
    .replace(/\p{Cc}|\p{Cs}/gu, '?')
    .replaceAll('|', '\\|');
  return stable.length > CELL_MAX ? `${stable.slice(0, CELL_MAX)}…` : stable;
}
