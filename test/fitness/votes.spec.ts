/**
 * The codes of votes and the pages that list them agree: a code that is missing on a page, one that is
 * none, or another answer to "does a retry help" fails here.
 */
import { readFileSync } from 'node:fs';
import { RefusalCode } from '@concordat/channel';
import { NoCode, RETRYABLE } from '@concordat/protocol';

const page = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The rows of the first table after a line of a page: codes in the first cell, then the others. */
function tableAfter(text: string, line: string): { codes: string[]; cells: string[] }[] {
  const rest = text.slice(text.indexOf(line) + line.length);
  const rows = /(?:^\|.*\n)+/m.exec(rest)?.[0].trim().split('\n').slice(2) ?? [];
  return rows.map((row) => {
    const cells = row.split('|').slice(1, -1);
    return {
      codes: [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code as string),
      cells: cells.map((cell) => cell.trim()),
    };
  });
}

const ALL: readonly string[] = Object.values(NoCode);

describe.each([
  ['docs/adapters.md', '## Votes the library casts', 1],
  ['docs/wire-protocol.md', '**Of a vote `no`**', 2],
])('the table of votes in %s', (path, line, retryColumn) => {
  const rows = tableAfter(page(path), line);

  it('has every code once, and no other', () => {
    const codes = rows.flatMap((row) => row.codes);
    expect([...codes].sort()).toEqual([...ALL].sort());
  });

  it('says of each whether a retry helps, as the votes do', () => {
    for (const { codes, cells } of rows) {
      for (const code of codes) {
        const said = cells[retryColumn] === 'yes';
        expect([code, cells[retryColumn]]).toEqual([code, said ? 'yes' : 'no']);
        expect([code, said]).toEqual([code, RETRYABLE[code as NoCode]]);
      }
    }
  });
});

it('every code of a refusal is in its table', () => {
  const listed = tableAfter(page('docs/wire-protocol.md'), '**Of `refused`:**');
  const codes = new Set(listed.flatMap((row) => row.codes));
  expect(Object.values(RefusalCode).filter((code) => !codes.has(code))).toEqual([]);
});

it('every code of a vote is upper case and fits into a message', () => {
  for (const code of ALL) expect(code).toMatch(/^[A-Z][A-Z_]{0,63}$/);
});
