// Which processes a process has, and whether one is gone: what a crash of Postgres needs, since its
// backends live in sessions of their own and outlive a killed postmaster by a moment, in which they
// still hold the data folder's shared memory.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The direct children of a process. */
export function childrenOf(pid: number): number[] {
  return existsSync('/proc/self/stat') ? childrenByProc(pid) : childrenByPs(pid);
}

/** Whether the process has ended; a zombie that is not collected yet has. */
export function isGone(pid: number): boolean {
  const stat = statOf(pid);
  if (stat) return stat.state === 'Z' || stat.state === 'X';
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/**
 * Whether every thread of the process has stopped. SIGSTOP is sent at once and obeyed a moment later,
 * in which a server can still answer. Where the kernel does not show threads, sent counts as obeyed.
 */
export function isStopped(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/task`)) return true;
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = statOf(thread);
    return stat === undefined || stat.state === 'T';
  });
}

function childrenByProc(pid: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((candidate) => statOf(candidate)?.parent === pid);
}

// The name in parentheses may itself hold spaces and parentheses: read from the last one.
function statOf(pid: number | string): { state: string; parent: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state, parent: Number(parent) };
}

function childrenByPs(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return (stdout ?? '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child as number);
}
