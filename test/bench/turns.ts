/**
 * A load in a process of its own: what it costs is shown apart and charged to no product. It is asked for
 * one turn at a time over the IPC channel, and answers with what the turn came to.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { load, type Load } from './load.js';
import type { Shape, Through } from './compare/shapes.js';

/** Where the transactions of a turn go. */
export type Target =
  | {
      readonly kind: 'hand';
      readonly decisions: string;
      /** Addresses of the databases by participant. */
      readonly databases: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'apart';
      readonly urls: readonly string[];
      readonly key: string;
      readonly commitBy: 'transaction' | 'statement';
    }
  | {
      readonly kind: 'concordat';
      /** One per coordinator; clients are spread over them. */
      readonly urls: readonly string[];
      readonly key: string;
      readonly until: 'decided' | 'completed';
    };

export interface Turn {
  readonly target: Target;
  readonly shape: Shape;
  readonly through: Through;
  readonly participants: number;
  readonly clients: number;
  readonly durationMs: number;
  /** Ends the turn after so many transactions, if that is sooner. */
  readonly transactions?: number;
}

/** One transaction of a client; throws where it did not end as its shape has to. */
export type Transaction = (client: number) => Promise<void>;

/** In the process of the load: answers each turn that is asked for. */
export function serveTurns(prepare: (turn: Turn) => Promise<Transaction>): void {
  const serve = async (turn: Turn): Promise<void> => {
    try {
      const one = await prepare(turn);
      process.send?.({ result: await load(turn.clients, turn.durationMs, one, turn.transactions) });
    } catch (error) {
      process.send?.({ error: (error as Error).stack ?? String(error) });
    }
  };
  process.on('message', (turn: Turn) => void serve(turn));
  process.on('disconnect', () => process.exit(0));
}

/** In the bench: a process that serves turns. */
export class LoadProcess {
  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {}

  /** `file`: a compiled module that calls {@link serveTurns}. */
  static start(name: string, file: string): LoadProcess {
    return new LoadProcess(name, fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves with what the turn came to; rejects where it could not be played. */
  turn(turn: Turn): Promise<Load> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`${this.name} ended: ${code}`));
      this.child.once('exit', ended);
      this.child.once('message', (answer: { result?: Load; error?: string }) => {
        this.child.removeListener('exit', ended);
        if (answer.result) resolve(answer.result);
        else reject(new Error(`${this.name}: ${answer.error ?? 'no result'}`));
      });
      this.child.send(turn);
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await ended;
  }
}
