/**
 * The 46 named faults against the tests: each has one that brings it about, every number that a test bears is one
 * of them, and what is called a spec does run in `npm test`. docs/faults.md is made of the same table.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SCENARIOS, TABLES, testsOfScenarios } from './scenarios.js';

const ROOT = resolve(import.meta.dirname, '../..');
const tests = testsOfScenarios();
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');

describe('The table of named faults', () => {
  it('has every scenario once, in order', () => {
    const numbers = Array.from({ length: 46 }, (_, n) => `S${n + 1}`);
    expect(Object.keys(SCENARIOS)).toEqual(numbers);
  });

  it('has for each a test that injects it', () => {
    const injected = new Set(tests.map(({ scenario }) => scenario));
    expect(Object.keys(SCENARIOS).filter((one) => !injected.has(one))).toEqual([]);
  });

  it('has no test with a number that is no scenario, and none twice', () => {
    const numbered = tests.filter(({ scenario }) => scenario !== '');
    expect(numbered.filter(({ scenario }) => !(scenario in SCENARIOS))).toEqual([]);
    const names = tests.map(({ suite, scenario, title }) => `${suite} ${scenario} ${title}`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it('has no case that its suite does not run', () => {
    for (const [suite, cases] of TABLES) {
      const imports = read(suite);
      const file = /'\.\/([a-z]+\.cases)\.js'/.exec(imports)?.[1];
      expect({ suite, file, holds: imports.includes('itHolds(') }).toEqual({
        suite,
        file: expect.stringMatching(/\.cases$/),
        holds: true,
      });
      expect(cases.length).toBeGreaterThan(0);
    }
  });

  it('calls a spec only what `npm test` runs', () => {
    const { jest } = JSON.parse(read('package.json')) as {
      jest: { testPathIgnorePatterns: string[] };
    };
    const left = jest.testPathIgnorePatterns.map((pattern) => new RegExp(pattern));
    const specs = [...new Set(tests.map(({ suite }) => suite))].filter((suite) =>
      /spec\.ts$/.test(suite),
    );
    expect(specs.filter((suite) => left.some((one) => one.test(resolve(ROOT, suite))))).toEqual([]);
  });
});
