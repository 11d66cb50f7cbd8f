/**
 * `npm run gate [-- <bug>…] [--layer NAME] [--every-layer] [--write] [--list]`: tries deliberate bugs
 * in a copy of the current tree, prints what caught them, and fails when one survives. `--write` puts
 * the table into bugs.md. The copy is removed at the end and on Ctrl-C.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readBugs, type Bug } from './bug.js';
import { Gate } from './gate.js';
import type { Layer } from './narrow-run.js';
import { ScratchCopy } from './scratch.js';
import { complaints, lines, writeInto, type Finding } from './table.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = join(ROOT, 'test', 'gate', 'bugs.md');

function say(line: string): void {
  console.log(`gate: ${line}`);
}

interface Wanted {
  readonly bugs: readonly Bug[];
  readonly layer?: Layer;
  readonly everyLayer: boolean;
  readonly write: boolean;
  readonly list: boolean;
}

/** Reads the command line. Throws, with the remedy, for what names nothing. */
function readWanted(): Wanted {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      layer: { type: 'string' },
      'every-layer': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  });
  const all = readBugs(ROOT);
  const unknown = positionals.find((name) => !all.some((bug) => bug.name === name));
  if (unknown !== undefined) throw new Error(`there is no bug "${unknown}"; --list names them all`);
  const layers = new Set(all.flatMap((bug) => bug.red.map((run) => run.layer)));
  const layer = [...layers].find((one) => one === values.layer);
  if (values.layer !== undefined && layer === undefined) {
    throw new Error(
      `no bug names the layer "${values.layer}"; there are ${[...layers].join(', ')}`,
    );
  }
  const bugs = all
    .filter((bug) => positionals.length === 0 || positionals.includes(bug.name))
    .filter((bug) => layer === undefined || bug.red.some((run) => run.layer === layer));
  if (values.write && layer !== undefined) {
    throw new Error(
      '--write records what catches a bug, not what one layer sees: leave out --layer',
    );
  }
  const { write, list } = values;
  return { bugs, layer, everyLayer: values['every-layer'], write, list };
}

/** Today, and what the tree is; `+` when it has changes that are not committed. */
function tried(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', 'libs', 'apps', 'test') === '' ? '' : '+';
  return `${new Date().toISOString().slice(0, 10)}, ${git('rev-parse', '--short', 'HEAD')}${changed}`;
}

async function tryBugs(wanted: Wanted, stop: AbortSignal): Promise<number> {
  const began = performance.now();
  say('copying the tree …');
  const scratch = ScratchCopy.of(ROOT);
  let findings: Finding[];
  let wrong: string[];
  try {
    const { layer, everyLayer } = wanted;
    const gate = new Gate(scratch, { everyLayer, stop, say, ...(layer ? { layer } : {}) });
    findings = await gate.tryAll(wanted.bugs);
    wrong = await gate.confirmGreen(findings);
  } finally {
    scratch.dispose();
  }
  if (stop.aborted) {
    say('stopped; the copy is removed');
    return 130;
  }
  const minutes = (performance.now() - began) / 60_000;
  console.log(`\n${lines(findings).join('\n')}\n`);
  const said = [...findings.flatMap(complaints), ...wrong];
  for (const one of said) say(one);
  say(
    `${findings.length} bugs, ${said.length === 0 ? 'every one caught' : `${said.length} complaints`}, ${minutes.toFixed(1)} min`,
  );
  if (said.length === 0 && wanted.write) {
    const existing = readBugs(ROOT).map(({ name }) => name);
    writeInto(PAGE, findings, existing, tried());
    say('the table is in test/gate/bugs.md');
  }
  return said.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const wanted = readWanted();
  if (wanted.list) {
    for (const { name, red } of wanted.bugs) {
      console.log(`${name}\n${red.map((run) => `    ${run.layer}: ${run.command}`).join('\n')}`);
    }
    return 0;
  }
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stopping.abort());
  }
  return tryBugs(wanted, stopping.signal);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`gate: ${(error as Error).message}`);
  process.exitCode = 1;
}
