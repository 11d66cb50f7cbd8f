/**
 * A child process of the gate, in a group of its own: its output is kept, and anything that ends it early
 * (a limit, Ctrl-C) ends all that it started, so that no server outlives the gate.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

export interface ChildOptions {
  readonly folder: string;
  readonly stop: AbortSignal;
  readonly limitMs: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Files of an earlier run that must not be taken for those of this one. */
  readonly clear?: readonly string[];
}

export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly timedOut: boolean;
  readonly stopped: boolean;
}

/** Enough for the story of one seed; more of a chatty suite is not needed. */
const OUTPUT_MAX = 4 * 1_048_576;
const GOODBYE_MS = 10_000;

/** Runs Node with these arguments to its end. Never rejects for how it ended. */
export function runChild(args: readonly string[], options: ChildOptions): Promise<Ended> {
  const { folder, stop, limitMs, env = {}, clear = [] } = options;
  for (const file of clear) rmSync(file, { force: true });
  if (stop.aborted) return Promise.resolve({ code: 1, output: '', timedOut: false, stopped: true });
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], {
      cwd: folder,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: string[] = [];
    let size = 0;
    let timedOut = false;
    const keep = (chunk: Buffer): void => {
      size += chunk.length;
      if (size < OUTPUT_MAX) chunks.push(chunk.toString());
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const end = (): void => {
      signalGroup(child.pid, 'SIGINT');
      setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GOODBYE_MS).unref();
    };
    const limit = setTimeout(() => {
      timedOut = true;
      end();
    }, limitMs);
    stop.addEventListener('abort', end);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(limit);
      stop.removeEventListener('abort', end);
      resolve({ code: code ?? 1, output: chunks.join(''), timedOut, stopped: stop.aborted });
    });
  });
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already.
  }
}
