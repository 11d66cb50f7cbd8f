// A service of ours as a real process of its own, which a test can kill, stop and continue at any
// moment. Its output is kept: when it does not get ready, or dies, the error quotes its last words.

import { waitFor } from '../waiting/wait-for.js';
import { StartedProcess, type Exit } from './child-process.js';
import { isStopped } from './process-tree.js';

export interface ServiceOptions {
  /** As it reads in messages. */
  readonly name: string;
  readonly args: readonly string[];
  /** Absent: the Node that runs us. */
  readonly command?: string;
  /** Exactly the service's environment; nothing of ours is added. Absent: ours as it is. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A text or pattern in its output, or a condition asked again until it is true. */
  readonly readyWhen: string | RegExp | ((service: Service) => boolean | Promise<boolean>);
  readonly readyTimeoutMs?: number;
  /** Called with each line of its output. */
  readonly log?: (line: string) => void;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 10_000;

export class Service {
  /** Use `spawnService`. */
  constructor(private readonly running: StartedProcess) {}

  get name(): string {
    return this.running.name;
  }

  get pid(): number {
    return this.running.pid;
  }

  get alive(): boolean {
    return this.running.exit === undefined;
  }

  /** Resolves when the service has ended; never rejects. */
  get exited(): Promise<Exit> {
    return this.running.exited;
  }

  /** Everything it wrote, both streams in the order they arrived. */
  output(): string {
    return this.running.output.text();
  }

  /** Sends a signal. Await `exited` to know that a deadly one has worked. */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGSTOP' | 'SIGCONT'): void {
    this.running.signal(signal);
  }

  /** Asks it to end, and ends it when it has not after `graceMs`; a stopped one is continued first. */
  async stop({ graceMs = STOP_GRACE_MS }: { graceMs?: number } = {}): Promise<Exit> {
    const exit = this.running.end('SIGTERM', graceMs);
    this.running.signal('SIGCONT');
    return exit;
  }

  /** Waits until its output contains the text or matches the pattern. */
  async waitForOutput(pattern: string | RegExp, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    await this.until(() => saidIn(this.output(), pattern), `to say ${String(pattern)}`, timeoutMs);
  }

  /** Waits until it has obeyed a SIGSTOP that it was sent, or sent itself: one sent later would undo it. */
  async untilStopped(): Promise<void> {
    await this.until(() => isStopped(this.pid), 'to stop');
  }

  /** Waits for a condition, and fails at once, with the last words, when the service ends first. */
  async until(
    condition: () => boolean | Promise<boolean>,
    what: string,
    timeoutMs = READY_TIMEOUT_MS,
  ): Promise<void> {
    let met = false;
    const either = async (): Promise<boolean> => {
      met = await condition();
      return met || !this.alive;
    };
    try {
      await waitFor(either, { what: `${this.name} ${what}`, timeoutMs });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await this.quote()}`, { cause: error });
    }
    if (met) return;
    // The output may have arrived after the end.
    const words = await this.quote();
    if (await condition()) return;
    const { code, signal } = await this.exited;
    throw new Error(
      `${this.name} ended (${signal ?? `exit code ${code}`}) while we waited for it ${what}\n${words}`,
    );
  }

  private async quote(): Promise<string> {
    return `--- last words of ${this.name} ---\n${await this.running.lastWords()}\n---`;
  }
}

/** Starts a service and resolves once it is ready; one that fails to get ready is ended first. */
export async function spawnService(options: ServiceOptions): Promise<Service> {
  const { name, command = process.execPath, args, env, cwd, readyWhen, log } = options;
  const running = await StartedProcess.start({
    name,
    command,
    args,
    env,
    cwd,
    orphan: { signal: 'SIGKILL' },
  });
  if (log) running.output.onLine((line) => log(`${name}: ${line}`));
  const service = new Service(running);
  const ready = async (): Promise<boolean> =>
    typeof readyWhen === 'function' ? readyWhen(service) : saidIn(service.output(), readyWhen);
  try {
    await service.until(ready, 'to get ready', options.readyTimeoutMs ?? READY_TIMEOUT_MS);
  } catch (error) {
    await running.end('SIGKILL', 0);
    throw error;
  }
  return service;
}

function saidIn(output: string, pattern: string | RegExp): boolean {
  return typeof pattern === 'string' ? output.includes(pattern) : pattern.test(output);
}
