// Ports for servers that tests start. Chosen below the range from which the kernel takes the source
// ports of outgoing connections (32768 and up on Linux, 49152 and up elsewhere): a client that keeps
// reconnecting to a killed server in that range can be given the server's own port as its source,
// connect to itself, and so keep the server from ever listening there again.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const PORT_MIN = 15_000;
const PORT_MAX = 31_999;
/** Processes choose from different parts of the range, so that hardly one is given another's port. */
const PARTS = 8;
const DRAWS_MAX = 200;
const LAUNCHES_MAX = 5;
/** Ports that were tried: what was given out may be listened on later, or again after a restart. */
const tried = new Set<number>();

/** A port on 127.0.0.1 that nothing listens on at this moment; another program may still take it. */
export async function freePort(): Promise<number> {
  const [min, max] = partOf(process.pid);
  for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
    const port = randomInt(min, max + 1);
    if (tried.has(port)) continue;
    tried.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(
    `No free port between ${min} and ${max} on 127.0.0.1: end the servers that hold them, or name a port.`,
  );
}

function partOf(pid: number): readonly [min: number, max: number] {
  const size = Math.floor((PORT_MAX - PORT_MIN + 1) / PARTS);
  const min = PORT_MIN + (pid % PARTS) * size;
  return [min, min + size - 1];
}

/** Whether nothing listens on this port of 127.0.0.1 now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}

export type Launch<T> = { readonly up: T } | { readonly portTaken: true };

/**
 * Launches on the port asked for, or on free ones until a launch succeeds: between the choice of a
 * port and the server's own bind another process may take it.
 */
export async function launchOnPort<T>(
  server: string,
  fixed: number | undefined,
  launch: (port: number) => Promise<Launch<T>>,
): Promise<T> {
  for (let attempt = 1; attempt <= LAUNCHES_MAX; attempt += 1) {
    const taken = fixed !== undefined && !(await isFree(fixed));
    const result: Launch<T> = taken
      ? { portTaken: true }
      : await launch(fixed ?? (await freePort()));
    if ('up' in result) return result.up;
    if (fixed !== undefined) {
      throw new Error(
        `${server} cannot listen on 127.0.0.1:${fixed}: the port is in use. End what holds it, or choose another port.`,
      );
    }
  }
  throw new Error(
    `${server} lost its port to another process ${LAUNCHES_MAX} times running. Run again, or name a port.`,
  );
}
