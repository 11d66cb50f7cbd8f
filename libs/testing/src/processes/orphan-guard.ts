// No server outlives the process that started it, however that process ends. An exit hook covers a
// plain exit only: it does not run after SIGKILL, and a test runner's sandbox hides it. So one small
// shell per process holds the reading end of a pipe whose writing end we hold. The kernel closes it
// when we die, and the shell then ends what was on its list. Signals need no handler of ours, which
// would get in the way of a program that shuts down in its own order.

import { spawn, type ChildProcess } from 'node:child_process';

export interface Orphan {
  readonly pid: number;
  /** What ends it: SIGQUIT lets Postgres take its backends along. */
  readonly signal: 'SIGQUIT' | 'SIGKILL';
  /** A temporary folder made for it alone, removed with it. */
  readonly folder?: string;
}

// Every line replaces the whole list: `pid:signal:folder`, separated by tabs. The second loop waits
// until each is gone, since a server that is still shutting down writes into the folder.
const GUARD = `
trap '' INT TERM HUP QUIT
set -f
held=''
while IFS= read -r line; do held=$line; done
IFS='	'
for entry in $held; do
  pid=\${entry%%:*}; rest=\${entry#*:}
  kill -"\${rest%%:*}" "$pid"; kill -CONT "$pid"
done 2>/dev/null
for entry in $held; do
  pid=\${entry%%:*}; rest=\${entry#*:}; folder=\${rest#*:}; tries=0
  while kill -0 "$pid" && [ "$tries" -lt 60 ]; do tries=$((tries + 1)); sleep 0.1; done
  kill -KILL "$pid"
  [ -z "$folder" ] || rm -rf -- "$folder"
done 2>/dev/null
`;

const held = new Map<number, Orphan>();
let guard: ChildProcess | undefined;
let hooked = false;

/** Ends the process when this one ends; call the result once it has ended by itself. */
export function guardAgainstOrphan(orphan: Orphan): () => void {
  held.set(orphan.pid, orphan);
  if (!hooked) process.once('exit', endAll);
  hooked = true;
  tellGuard();
  return () => {
    if (held.get(orphan.pid) !== orphan) return;
    held.delete(orphan.pid);
    tellGuard();
  };
}

function tellGuard(): void {
  guard ??= startGuard();
  const list = [...held.values()].map(({ pid, signal, folder = '' }) => {
    const removable = /[\t\n]/.test(folder) ? '' : folder;
    return `${pid}:${signal.replace('SIG', '')}:${removable}`;
  });
  guard.stdin?.write(`${list.join('\t')}\n`);
  if (held.size > 0) return;
  guard.stdin?.end();
  guard = undefined;
}

// In a group of its own, so that Ctrl-C in the terminal does not reach it before us.
function startGuard(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', GUARD], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  child.unref();
  (child.stdin as { unref?(): void } | null)?.unref?.();
  return child;
}

function endAll(): void {
  for (const { pid, signal } of held.values()) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already: that is what we want.
    }
  }
}
