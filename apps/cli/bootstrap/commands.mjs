// Running the commands behind `npm start` and `npm test`: each announced before and timed after, each
// ended with us. Only Node's own modules are imported in this folder, statically or otherwise: nothing
// may be installed yet, and this is what installs it.

import './output.mjs';
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

const SIGNAL_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
// Ctrl-C reaches us twice under npm: from the terminal, and forwarded by npm a moment later.
const REPEAT_MS = 1_000;

export function say(line) {
  console.log(`concordat: ${line}`);
}

/** Prints the cause and the remedy in one line. */
export function complain(line) {
  console.error(`concordat: ${line}`);
}

/**
 * Runs a program to its end with our output, and passes signals on to it. Resolves with its exit code;
 * one that a signal ended counts as failed. With `own` it gets a process group, so that Ctrl-C reaches
 * it once, through us, and a channel whose end shows it that we are gone.
 */
export function run(command, args, { own = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      detached: own,
      stdio: own ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'inherit', 'inherit'],
    });
    const stopForwarding = forwardSignals(child);
    child.once('error', (error) => {
      stopForwarding();
      complain(`${command} could not be started: ${error.message}`);
      resolve({ code: 127, interrupted: false });
    });
    child.once('exit', (code, signal) => {
      const interruptedBy = stopForwarding();
      resolve({
        code: code ?? SIGNAL_CODES[signal] ?? 1,
        interrupted: interruptedBy !== undefined,
      });
    });
  });
}

export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** npm, by the way it was started itself when we run under it. */
export function runNpm(args, options) {
  const path = process.env.npm_execpath;
  if (path && basename(path) === 'npm-cli.js') return runNode([path, ...args], options);
  return run('npm', args, options);
}

/** Announces a step, runs it, and says how it went and how long it took. */
export async function step(title, work) {
  say(`${title} …`);
  const began = Date.now();
  const { code, interrupted } = await work();
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  if (interrupted) process.exit(code === 0 ? 130 : code);
  const ok = code === 0;
  say(`${title}: ${ok ? 'ok' : `FAILED (exit code ${code})`}, ${seconds} s`);
  return { title, ok, code, seconds };
}

function forwardSignals(child) {
  let last = { signal: undefined, at: 0 };
  const forward = (signal) => {
    if (Date.now() - last.at < REPEAT_MS) return;
    last = { signal, at: Date.now() };
    child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
  };
  const signals = Object.keys(SIGNAL_CODES);
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.removeListener(signal, forward);
    return last.signal;
  };
}
