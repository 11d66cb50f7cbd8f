// `npm test`: everything a change must pass, from a fresh clone: dependencies, build, types, lint, every
// suite. All are run even when one fails, so that one run names every fault; only without a build is
// the rest left out. Arguments go to jest: `npm test -- libs/engine -t takeover`. With `--nightly` first,
// as in `npm run test:nightly`, the long suites and tests run as well.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { prologue } from './prologue.mjs';
import { complain, root, runNode, runNpm, say, step } from './commands.mjs';
import { temporaryInMemory } from './memory.mjs';

const REMEDIES = {
  typecheck: '`npm run typecheck` shows the errors alone',
  lint: '`npm run lint:code` shows the errors alone',
  layout: '`npm run format` cures it',
  house: '`npm run lint:house` shows what is wrong',
  tests: '`npm run jest -- <path>` runs one suite alone',
};

const NIGHTLY = [
  ...['--testRegex', '\\.(e2e-)?spec\\.ts$|\\.nightly\\.ts$'],
  '--passWithNoTests=false',
];
/** For memory: a worker with a browser and a stage of servers takes a gigabyte. */
const WORKERS_MAX = 8;
const [first, ...rest] = process.argv.slice(2);
const jestArgs = first === '--nightly' ? [...NIGHTLY, ...rest] : process.argv.slice(2);
if (first === '--nightly') process.env['CONCORDAT_NIGHTLY'] = '1';
const steps = await prologue();
const isBuilt = steps.every(({ ok }) => ok);
if (isBuilt) {
  // Side by side: `house` keeps one core busy, and each prints only at its end what it found.
  const lanes = [
    inTurn(['typecheck', 'typecheck'], ['lint', 'lint:code'], ['layout', 'lint:layout']),
    inTurn(['house', 'lint:house']),
  ];
  steps.push(...(await Promise.all(lanes)).flat());
}
if (isBuilt) {
  const removeTemporary = first === '--nightly' ? undefined : temporaryInMemory();
  steps.push(await step('tests', () => runNode([...jest(), ...withWorkers()])));
  removeTemporary?.();
}
summarise();

/** Runs each script, also after one has failed; resolves with the steps. */
async function inTurn(...scripts) {
  const done = [];
  for (const [title, script] of scripts) {
    done.push(await step(title, () => runNpm(['run', '--silent', script])));
  }
  return done;
}

// The script `jest` of package.json, without npm and its shell: a signal reaches jest itself.
function jest() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return scripts.jest.split(' ').slice(1);
}

// A worker waits for servers, processes and intervals some of its time: five on two cores keep both busy. With more,
// what waits for a period waits for its turn as well.
function withWorkers() {
  const chosen = jestArgs.some((arg) => /^(-w|-i|--maxWorkers|--runInBand)(=|$|\d)/.test(arg));
  const workers = Math.min(Math.ceil(2.5 * availableParallelism()), WORKERS_MAX);
  return chosen ? jestArgs : [`--maxWorkers=${workers}`, ...jestArgs];
}

function summarise() {
  console.log('');
  for (const { title, ok, seconds } of steps) {
    say(`  ${title.padEnd(14)}${(ok ? 'ok' : 'FAILED').padEnd(8)}${seconds} s`);
  }
  const failed = steps.filter(({ ok }) => !ok);
  if (failed.length === 0) return say('everything passed');
  for (const { title } of failed) {
    complain(`${title} failed; ${REMEDIES[title] ?? 'its message above says why'}`);
  }
  process.exitCode = 1;
}
