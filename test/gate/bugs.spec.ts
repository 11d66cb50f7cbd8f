/**
 * The deliberate bugs must not rot: every patch applies to this tree and has its head, and what it
 * says must turn red exists. Whether it does turn red is the gate's to find out: `npm run gate`.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseBug, readBugs } from './bug.js';
import { merge } from './merge.js';
import { narrowRun } from './narrow-run.js';
import { applyPatch } from './scratch.js';
import { rowsOf, tableOf, type Finding } from './table.js';

const ROOT = resolve(import.meta.dirname, '../..');
const bugs = readBugs(ROOT);

describe('The deliberate bugs', () => {
  it('are at least twenty, in every library and in the coordinator', () => {
    expect(bugs.length).toBeGreaterThanOrEqual(20);
    const folders = new Set(
      bugs.flatMap(({ touches }) => touches.map((path) => path.split('/').slice(0, 2).join('/'))),
    );
    expect([...folders].sort()).toEqual([
      'apps/coordinator',
      'libs/channel',
      'libs/client',
      'libs/decision-log',
      'libs/diagnosis',
      'libs/engine',
      'libs/participant',
      'libs/protocol',
    ]);
  });

  it.each(bugs)('$name still fits this tree; else refresh its patch', (bug) => {
    applyPatch(ROOT, bug, ['--check']);
  });

  it.each(['unguarded', 'unwaited'])(
    'leave the %s build, which is measured, to be made of this tree too',
    (name) => {
      applyPatch(ROOT, { name, file: join(ROOT, `test/bench/${name}.patch`) }, ['--check']);
    },
  );

  it('trip every assertion of the engine, and say which', () => {
    const tripped = bugs.flatMap(({ trips }) => trips ?? []);
    const engine = join(ROOT, 'libs/engine/src');
    const sources = readdirSync(engine, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
      .map((path) => readFileSync(join(engine, path), 'utf8'));
    const calls = sources.flatMap((text) => [...text.matchAll(/\binvariant\(/g)]).length;
    const messages = sources.flatMap((text) =>
      [...text.matchAll(/\binvariant\([^;]*?,\s*(?:'([^']+)'|`([^`]+)`),?\s*\);/g)].map(
        ([, plain, template]) => plain ?? template ?? '',
      ),
    );
    expect(messages).toHaveLength(calls);
    const untripped = messages.filter((one) => {
      const fixed = one.split(/\$\{[^}]*\}/).map((part) => part.trim());
      return !tripped.some((words) => fixed.some((part) => part !== '' && part.includes(words)));
    });
    expect(untripped).toEqual([]);
  });

  it('are one for each rule, or more for a reason that several.md gives', () => {
    const byRule = new Map<string, string[]>();
    for (const { rule, name } of bugs) byRule.set(rule, [...(byRule.get(rule) ?? []), name].sort());
    const several = [...byRule].filter(([, names]) => names.length > 1);
    const table = readFileSync(join(ROOT, 'test/gate/several.md'), 'utf8');
    const rows = [...table.matchAll(/^\| (§.+?) \| (`.+?`) \| (.+?) \|$/gm)];
    const given = rows.map(([, rule = '', names = '']) => [
      rule,
      [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name).sort(),
    ]);
    expect(given.sort()).toEqual(several.sort());
  });

  it('leave no section of the protocol out that demands something', () => {
    const protocol = readFileSync(join(ROOT, 'docs/protocol.md'), 'utf8');
    const sections = [...protocol.matchAll(/^## (\d+)\./gm)].map(([, number]) => `§${number}`);
    const held = (section: string) =>
      bugs.some(({ rule }) => new RegExp(`^${section}\\b`).test(rule));
    // §1 names the parts.
    expect(sections.filter((one) => one !== '§1' && !held(one))).toEqual([]);
  });

  it.each(bugs)('$name names tests that there are', ({ red }) => {
    for (const { script, args } of red) {
      const [what = ''] = args;
      if (script === 'jest') expect([what, existsSync(join(ROOT, what))]).toEqual([what, true]);
      if (script !== 'scripts') continue;
      const stories = readdirSync(join(ROOT, 'test/scripts')).filter((name) => name.includes(what));
      expect(stories).not.toEqual([]);
    }
  });
});

describe('A patch', () => {
  const diff = '--- a/libs/x/src/y.ts\n+++ b/libs/x/src/y.ts\n@@ -1 +1 @@\n-a\n+b\n';
  const head = 'What: It lies.\nRule: §3: it must\n  not lie\nRed: npm run scripts -- lies\n\n';

  it('is read with its head, whose fields may go on in the next line', () => {
    const bug = parseBug('bugs/lies.patch', head + diff);
    expect(bug).toMatchObject({ name: 'lies', what: 'It lies.', rule: '§3: it must not lie' });
    expect(bug.touches).toEqual(['libs/x/src/y.ts']);
    expect(bug.red).toEqual([
      { layer: 'stories', command: 'npm run scripts -- lies', script: 'scripts', args: ['lies'] },
    ]);
  });

  it.each([
    ['no head', diff],
    ['no diff', head],
    ['no rule', (head + diff).replace(/Rule: [^]*not lie\n/, '')],
    ['a rule of no section', (head + diff).replace('§3: ', '')],
    ['nothing that catches it', (head + diff).replace(/Red: .*\n/, '')],
    ['a command without a verdict', (head + diff).replace('npm run scripts', 'make')],
    ['a change of a test', (head + diff).replaceAll('y.ts', 'y.spec.ts')],
    ['a change outside the product', (head + diff).replaceAll('libs/x/src', 'test/x')],
  ])('with %s is refused, and the README named', (_, text) => {
    expect(() => parseBug('bugs/lies.patch', text)).toThrow(/lies\.patch: .*README/s);
  });
});

describe('A narrow command', () => {
  it.each([
    ['npm run simulate -- --seeds 10', 'simulation'],
    ['npm run scripts -- takeover', 'stories'],
    ['npm run jest -- libs/x/src/y.spec.ts -t "it is, or not"', 'unit'],
    ['npm run jest -- test/conformance/x.spec.ts', 'conformance'],
    ['npm run jest -- test/e2e/x.e2e-spec.ts', 'end to end'],
    ['npm run jest -- test/polyglot', 'end to end'],
  ])('%s belongs to a layer: %s', (command, layer) => {
    expect(narrowRun(command).layer).toBe(layer);
  });

  it('keeps a quoted name in one piece', () => {
    expect(narrowRun('npm run jest -- libs/x -t "a b"').args).toEqual(['libs/x', '-t', 'a b']);
  });

  it.each(['npm test', 'npm run jest -- docs/x', 'npm run simulate --'])(
    'is not: %s',
    (command) => {
      expect(() => narrowRun(command)).toThrow(/narrow command|no layer/);
    },
  );
});

describe('Commands that must all be green', () => {
  const merged = (...commands: string[]) => merge(commands.map(narrowRun));

  it('are run together where they share a file, each once', () => {
    const one = 'npm run jest -- libs/x/a.spec.ts -t "one"';
    const two = 'npm run jest -- libs/x/a.spec.ts -t "two, or three"';
    const other = 'npm run jest -- libs/x/b.spec.ts';
    expect(merged(one, two, other, one)).toMatchObject([
      {
        run: { args: ['libs/x/a.spec.ts', '-t', '(?:one)|(?:two, or three)'] },
        commands: [one, two],
      },
      { run: { command: other }, commands: [other] },
    ]);
  });

  it('are the whole file where one of them is', () => {
    const [all] = merged('npm run jest -- libs/x -t "one"', 'npm run jest -- libs/x');
    expect(all?.run.args).toEqual(['libs/x']);
  });

  it('are all stories where they are stories', () => {
    const [all] = merged('npm run scripts -- one', 'npm run scripts -- two');
    expect(all?.run).toMatchObject({ layer: 'stories', args: ['.txt'] });
  });
});

describe('The table of bugs.md', () => {
  const found = (name: string): Finding => ({
    bug: { ...(bugs[0] as (typeof bugs)[number]), name, what: 'It | lies.' },
    ran: [
      {
        run: narrowRun('npm run scripts -- lies'),
        verdict: { kind: 'red', first: 'a story', said: 'a story' },
        seconds: 1.25,
      },
    ],
  });

  it('has its place, and one row for every bug', () => {
    const page = readFileSync(join(ROOT, 'test/gate/bugs.md'), 'utf8');
    const [, table = ''] = /<!-- gate: begin;.*?-->([^]*)<!-- gate: end -->/.exec(page) ?? [];
    expect([...rowsOf(table).keys()]).toEqual(bugs.map(({ name }) => name));
    expect(table.match(/^\| `/gm)).toHaveLength(bugs.length); // A merge can keep a row twice.
  });

  it('keeps the rows of bugs that were not tried now, and drops those that are no more', () => {
    const earlier = rowsOf(
      tableOf(new Map(), [found('a'), found('b'), found('c')], ['a', 'b', 'c'], 'then'),
    );
    const rows = rowsOf(tableOf(earlier, [found('b')], ['b', 'c'], 'now'));
    expect([...rows.keys()]).toEqual(['b', 'c']);
    expect(rows.get('b')).toMatch(/It \\\| lies\..*stories: a story \(1\.3 s\) \| now \|$/);
    expect(rows.get('c')).toMatch(/\| then \|$/);
  });
});
