/**
 * Processor time that a process and its children have used so far, from Linux' /proc. Unlike time on the
 * clock it hardly changes with what else a machine does, so two builds can be distinguished on a busy one.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** USER_HZ, which Linux reports to programs on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** What can be asked for the time it used. */
export interface Processes {
  readonly services: readonly { readonly name: string; readonly pid: number }[];
  readonly stack: {
    readonly postgres: { readonly pid: number | undefined };
    readonly nats?: { readonly pid: number | undefined } | undefined;
  };
}

/** Milliseconds by process; Postgres with all its sessions, also those that have ended. */
export function processorTimes({ stack, services }: Processes): Map<string, number> {
  const times = new Map(services.map((one) => [one.name, used(one.pid)]));
  times.set('postgres', usedByTree(stack.postgres.pid));
  if (stack.nats) times.set('nats-server', used(stack.nats.pid));
  return times;
}

interface Ticks {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended and were waited for. */
  readonly children: number;
}

function ticksOf(pid: number | string): Ticks | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold anything, also parentheses: fields are counted from behind it (proc(5)).
    const [, parent, ...rest] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = rest.slice(9, 13);
    return { parent: parent ?? 0, own: user + system, children: childUser + childSystem };
  } catch {
    return undefined; // It has ended since it was listed.
  }
}

/** Milliseconds that one process has used; NaN where it is not there. */
export function used(pid: number | undefined): number {
  const ticks = pid === undefined ? undefined : ticksOf(pid);
  return ticks === undefined ? Number.NaN : inMs(ticks.own);
}

function usedByTree(root: number | undefined): number {
  const top = root === undefined ? undefined : ticksOf(root);
  if (top === undefined) return Number.NaN;
  let sum = top.own + top.children;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const ticks = ticksOf(name);
    if (ticks !== undefined && ticks.parent === root) sum += ticks.own + ticks.children;
  }
  return inMs(sum);
}

function inMs(ticks: number): number {
  return (ticks * 1_000) / TICKS_PER_SECOND;
}
