/**
 * The table of README.md against the tests: all 46 scenarios are there, each with the tests that
 * inject it or the reason why none can; every test it names exists, and every test with a scenario's
 * number is named; what is called a spec does run in `npm test`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const SCENARIOS = Array.from({ length: 46 }, (_, n) => `S${n + 1}`);
const EXCUSE = /^Not injected: .{20,}/;

interface Test {
  readonly file: string;
  readonly title: string;
}

/** The rows of the table: number and last cell. */
const rows = readFileSync(resolve(import.meta.dirname, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| S\d+ /.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))
  .map(([number = '', , tests = '']) => ({ number, tests }));

const named: Test[] = rows.flatMap(({ number, tests }) =>
  EXCUSE.test(tests)
    ? []
    : tests.split('<br>').map((one) => {
        const [, file = '', title = ''] = /^\[[^\]]+\]\(([^)]+)\) (.+)$/.exec(one) ?? [];
        return { file: resolve(import.meta.dirname, file), title: `${number}: ${title}` };
      }),
);

const written: Test[] = ['libs', 'apps', 'test']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(ROOT, folder, file),
    ),
  )
  .filter((file) => /\.(spec|e2e-spec|nightly)\.ts$/.test(file))
  .filter((file) => !/node_modules/.test(file) && basename(file) !== 'table.spec.ts')
  .flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/(['"`])(S\d+: (?:(?!\1).)*)\1/g)].map(
      ([, , title = '']) => ({ file, title }),
    ),
  );

const told = ({ file, title }: Test): string => `${relative(ROOT, file)}: ${title}`;

describe('The table of named faults', () => {
  it('has every scenario once, in order', () => {
    expect(rows.map(({ number }) => number)).toEqual(SCENARIOS);
  });

  it('says of each which tests inject it, or why none can', () => {
    const silent = rows.filter(({ tests }) => tests === '' && !EXCUSE.test(tests));
    expect(silent.map(({ number }) => number)).toEqual([]);
    expect(named.filter(({ title }) => /: $/.test(title)).map(told)).toEqual([]);
  });

  it('names tests that exist, and all that bear a number', () => {
    expect(named.map(told).sort()).toEqual(written.map(told).sort());
  });

  it('calls a spec only what `npm test` runs', () => {
    const { jest } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
      jest: { testPathIgnorePatterns: string[] };
    };
    const left = jest.testPathIgnorePatterns.map((pattern) => new RegExp(pattern));
    const specs = [...new Set(named.map(({ file }) => file))].filter((file) =>
      /spec\.ts$/.test(file),
    );
    expect(specs.filter((file) => left.some((one) => one.test(file)))).toEqual([]);
  });
});
