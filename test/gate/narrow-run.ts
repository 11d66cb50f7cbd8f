/**
 * A narrow command of one layer, as a person would type it, and how it is run and judged. Guards "red
 * means that a test spoke": a suite that cannot be loaded, a command that ends without a verdict and
 * one that takes too long are no evidence, and are distinguished from a failing test.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild, type Ended } from './child.js';

export type Layer =
  | 'unit'
  | 'stories'
  | 'simulation'
  | 'model'
  | 'conformance'
  | 'crash'
  | 'faults'
  | 'chaos'
  | 'end to end';

export interface NarrowRun {
  readonly layer: Layer;
  /** e.g. `npm run simulate -- --seeds 3000`. */
  readonly command: string;
  readonly script: 'simulate' | 'scripts' | 'jest';
  readonly args: readonly string[];
}

export type Verdict =
  | { readonly kind: 'green'; readonly tests: number }
  /** `first`: the first failing test or seed. `said`: everything that was reported about it. */
  | { readonly kind: 'red'; readonly first: string; readonly said: string }
  | { readonly kind: 'no-evidence'; readonly why: string };

export interface Judged {
  readonly verdict: Verdict;
  readonly seconds: number;
}

/** By the folder in which its tests are. */
const LAYERS: Readonly<Record<string, Layer>> = {
  libs: 'unit',
  apps: 'unit',
  scripts: 'stories',
  simulation: 'simulation',
  model: 'model',
  replay: 'model',
  conformance: 'conformance',
  crash: 'crash',
  faults: 'faults',
  chaos: 'chaos',
  e2e: 'end to end',
  polyglot: 'end to end',
};

/** Longer than any narrow command takes on a busy machine. */
const LIMIT_MS = 300_000;
const JEST = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];

/** Reads a command. Throws for one that the gate cannot judge. */
export function narrowRun(command: string): NarrowRun {
  const [npm, run, script, dashes, ...args] = words(command);
  const known = script === 'simulate' || script === 'scripts' || script === 'jest';
  if (npm !== 'npm' || run !== 'run' || dashes !== '--' || args.length === 0 || !known) {
    throw new Error(
      `"${command}" is no narrow command: write npm run simulate|scripts|jest -- and what to run`,
    );
  }
  return { layer: layerOf(script, args), command, script, args };
}

function layerOf(script: NarrowRun['script'], args: readonly string[]): Layer {
  if (script === 'simulate') return 'simulation';
  if (script === 'scripts') return 'stories';
  const [, floor = '', folder] = /^(libs|apps|test\/([a-z0-9]+))(?:\/|$)/.exec(args[0] ?? '') ?? [];
  const layer = LAYERS[folder ?? floor];
  if (layer !== undefined) return layer;
  const path = args[0] ?? '';
  throw new Error(`"${path}" belongs to no layer: name a test file below libs, apps or test`);
}

/** Splits as a shell would, as far as quotes go. */
function words(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}

/** Runs the command in a tree that is built, and judges it. */
export async function judge(run: NarrowRun, folder: string, stop: AbortSignal): Promise<Judged> {
  const began = performance.now();
  const verdict =
    run.script === 'simulate' ? await simulate(run, folder, stop) : await jest(run, folder, stop);
  return { verdict, seconds: (performance.now() - began) / 1_000 };
}

async function simulate(run: NarrowRun, folder: string, stop: AbortSignal): Promise<Verdict> {
  const program = [join('test', 'simulation', 'dist', 'main.js'), ...run.args];
  const ended = await runChild(program, { folder, stop, limitMs: LIMIT_MS });
  const silent = silence(ended);
  if (silent) return silent;
  const [, seed] = /^replay: .*--seed (\d+)$/m.exec(ended.output) ?? [];
  if (ended.code !== 0 && seed !== undefined) {
    const complaint = /\n\n([^\n]+)(?:\n[^\n]+)*\n\nreplay: /.exec(ended.output)?.[1] ?? '';
    return { kind: 'red', first: `seed ${seed}: ${complaint.trim()}`, said: ended.output };
  }
  const [, seeds] = /(\d+) seeds from [^]*every checker content/.exec(ended.output) ?? [];
  if (ended.code === 0 && seeds !== undefined) return { kind: 'green', tests: Number(seeds) };
  return { kind: 'no-evidence', why: `the simulator gave no verdict: ${lastLine(ended.output)}` };
}

interface JestReport {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

async function jest(run: NarrowRun, folder: string, stop: AbortSignal): Promise<Verdict> {
  const report = join(folder, 'gate-report.json');
  const env: Record<string, string> =
    run.script === 'scripts' ? { SCRIPTS_ONLY: run.args[0] ?? '' } : {};
  const paths = run.script === 'scripts' ? ['test/scripts/scripts.spec.ts'] : [...run.args];
  const options = ['--json', `--outputFile=${report}`, '--silent', '--runInBand', '--bail=1'];
  const ended = await runChild([...JEST, ...paths, ...options], {
    folder,
    stop,
    limitMs: LIMIT_MS,
    env,
    clear: [report],
  });
  const silent = silence(ended);
  if (silent) return silent;
  let told: JestReport;
  try {
    told = JSON.parse(readFileSync(report, 'utf8')) as JestReport;
  } catch {
    return { kind: 'no-evidence', why: `jest left no report: ${lastLine(ended.output)}` };
  }
  return verdictOf(told);
}

function verdictOf(told: JestReport): Verdict {
  const all = told.testResults.flatMap((one) => one.assertionResults);
  const failed = all.find((one) => one.status === 'failed');
  if (failed) {
    return { kind: 'red', first: failed.fullName, said: failed.failureMessages.join('\n') };
  }
  const unloaded = told.testResults.find(
    (one) => one.message !== '' && one.assertionResults.length === 0,
  );
  if (unloaded) {
    return {
      kind: 'no-evidence',
      why: `a suite could not be loaded: ${firstWords(unloaded.message)}`,
    };
  }
  if (told.numPassedTests > 0) return { kind: 'green', tests: told.numPassedTests };
  return { kind: 'no-evidence', why: 'no test of that name was run: correct the pattern' };
}

function silence({ timedOut, stopped }: Ended): Verdict | undefined {
  if (stopped) return { kind: 'no-evidence', why: 'it was stopped' };
  if (timedOut) return { kind: 'no-evidence', why: `it did not end within ${LIMIT_MS / 1_000} s` };
  return undefined;
}

function firstWords(message: string): string {
  return message
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(0, 2)
    .join(' ');
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}
