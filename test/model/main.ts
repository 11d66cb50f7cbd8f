/**
 * `npm run model`: searches every scenario, then every seeded bug, and prints what was searched and
 * what was caught. `--all` adds the large scenarios, `--scenario <text>` and `--bug <text>` choose by
 * name, and `--bug` prints each trace. Ends with 1 when the product breaks a statement or a bug is not
 * caught.
 */
import { parseArgs } from 'node:util';
import { harm, type Bug } from './bug.js';
import { BUGS } from './bugs.js';
import { examine, examineCalm, type Answer } from './examine.js';
import { SCENARIOS, isCalm, type NamedScenario } from './scenarios.js';
import type { Progress } from './search.js';

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    scenario: { type: 'string' },
    bug: { type: 'string' },
  },
});

const number = new Intl.NumberFormat('en-US');
const live = process.stderr.isTTY;

/** One line that is written over; none without a terminal. */
function progress(name: string): (progress: Progress) => void {
  return ({ distinct, explored, depth }) => {
    if (!live) return;
    const share = `${number.format(explored)} of ${number.format(distinct)} explored`;
    process.stderr.write(`\r\x1b[K${name}: level ${depth}, ${share}`);
  };
}

function clear(): void {
  if (live) process.stderr.write('\r\x1b[K');
}

function row(cells: readonly (string | number)[]): void {
  const text = cells.map((cell) => (typeof cell === 'number' ? number.format(cell) : cell));
  console.log(`| ${text.join(' | ')} |`);
}

function tellBroken({ broken }: Answer): boolean {
  if (!broken) return false;
  console.log(`\n${broken.statement}: ${broken.says}. Broken after ${broken.steps} steps:`);
  console.log(`${broken.story}\n`);
  return true;
}

function searchOne(named: NamedScenario): boolean {
  const before = process.cpuUsage();
  const answer = examine({ ...named, onProgress: progress(named.name) });
  const calm = isCalm(named) ? examineCalm(named) : undefined;
  clear();
  const { user, system } = process.cpuUsage(before);
  const seconds = ((user + system) / 1e6).toFixed(1);
  const asked = calm ? 'AC5, AC4' : 'AC5';
  row([named.name, answer.states, answer.transitions, answer.depth, asked, seconds]);
  const broken = tellBroken(answer);
  return (calm && tellBroken(calm)) || broken || !answer.complete;
}

function searchAll(): boolean {
  const chosen = SCENARIOS.filter(({ name, size }) =>
    values.scenario === undefined ? values.all || size !== 'large' : name.includes(values.scenario),
  );
  row([
    'participants, and what may happen',
    'distinct',
    'generated',
    'depth',
    'runs',
    'CPU seconds',
  ]);
  row(['---', '---:', '---:', '---:', '---', '---:']);
  const failed = chosen.filter(searchOne);
  return failed.length > 0;
}

function seedOne(bug: Bug): boolean {
  const broken = harm(bug);
  row([bug.name, broken?.statement ?? 'NOT CAUGHT', broken?.steps ?? '']);
  if (broken && values.bug !== undefined) console.log(`\n“${bug.mistake}”\n${broken.story}\n`);
  return broken?.statement !== bug.caughtBy.name;
}

function seedAll(): boolean {
  const chosen = BUGS.filter(({ name }) => values.bug === undefined || name.includes(values.bug));
  row(['bug', 'caught by', 'steps']);
  row(['---', '---', '---:']);
  return chosen.filter(seedOne).length > 0;
}

let failed = false;
if (values.bug === undefined) failed = searchAll();
if (values.bug === undefined && values.scenario === undefined) console.log('');
if (values.scenario === undefined) failed = seedAll() || failed;
process.exitCode = failed ? 1 : 0;
