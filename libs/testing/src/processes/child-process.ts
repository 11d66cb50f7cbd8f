// One started process: its output kept, its end awaited, its life bound to ours. Postgres, nats-server
// and our own services are all started here and nowhere else, so that none can be started unguarded.

import { spawn } from 'node:child_process';
import type { Account } from './account.js';
import { CapturedOutput } from './captured-output.js';
import { guardAgainstOrphan, type Orphan } from './orphan-guard.js';
import { delay } from '../waiting/wait-for.js';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** As it reads in messages: "nats-server", "ledger-east". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Exactly the environment of the child: nothing leaks in from ours. Absent: ours. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly account?: Account | undefined;
  /** How it ends if we die first. */
  readonly orphan: Omit<Orphan, 'pid'>;
}

const OUTPUT_GRACE_MS = 500;

export class StartedProcess {
  readonly output = new CapturedOutput();
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>;
  private ended: Exit | undefined;

  private constructor(
    readonly name: string,
    private readonly child: ReturnType<typeof spawn>,
    readonly pid: number,
    orphan: Omit<Orphan, 'pid'>,
  ) {
    const release = guardAgainstOrphan({ pid, ...orphan });
    this.output.follow(child.stdout);
    this.output.follow(child.stderr);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.ended = { code, signal };
        release();
        resolve(this.ended);
      });
    });
  }

  /** Starts it in a process group of its own: Ctrl-C in a terminal reaches us, not it. */
  static start(options: ChildOptions): Promise<StartedProcess> {
    const { name, command, args, env, cwd, account, orphan } = options;
    return new Promise((resolve, reject) => {
      const child = spawn(command, [...args], {
        env,
        cwd,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(account ? { uid: account.uid, gid: account.gid } : {}),
      });
      child.once('error', (error: NodeJS.ErrnoException) => {
        reject(new Error(`${name} could not be started from ${command}: ${error.message}`));
      });
      child.once('spawn', () => {
        // A child that was spawned has a pid.
        resolve(new StartedProcess(name, child, child.pid as number, orphan));
      });
    });
  }

  get exit(): Exit | undefined {
    return this.ended;
  }

  /** Sends a signal; false when the process has ended already. */
  signal(signal: NodeJS.Signals): boolean {
    return this.ended === undefined && this.child.kill(signal);
  }

  /** Sends a signal and waits for the end; SIGKILL follows when it takes longer than `graceMs`. */
  async end(signal: NodeJS.Signals, graceMs: number): Promise<Exit> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The last words, once the pipes had a moment to deliver them. */
  async lastWords(lines = 40): Promise<string> {
    if (!this.ended) return this.output.tail(lines);
    const closed = new Promise<void>((resolve) => {
      const { stdout, stderr } = this.child;
      if (stdout?.readableEnded !== false && stderr?.readableEnded !== false) resolve();
      else this.child.once('close', () => resolve());
    });
    await Promise.race([closed, delay(OUTPUT_GRACE_MS)]);
    return this.output.tail(lines);
  }
}
