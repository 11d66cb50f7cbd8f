// What a process said, kept so that a failure can quote it. Bounded: a server that talks for an hour
// must not fill the memory of the test that started it.

import type { Readable } from 'node:stream';

const KEPT_MAX = 256 * 1024;

export class CapturedOutput {
  private kept = '';
  private partial = '';
  private readonly listeners = new Set<(line: string) => void>();

  /** Reads a stream to its end; both streams of a process may be followed by one capture. */
  follow(stream: Readable | null): void {
    stream?.setEncoding('utf8');
    stream?.on('data', (chunk: string) => this.take(chunk));
  }

  /** Everything kept, oldest first; the beginning is dropped once there is too much. */
  text(): string {
    return this.kept;
  }

  /** The last lines, for an error message. */
  tail(lines = 40): string {
    return this.kept.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Calls back with each further line; returns the way to stop. */
  onLine(listener: (line: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private take(chunk: string): void {
    this.kept = (this.kept + chunk).slice(-KEPT_MAX);
    const lines = (this.partial + chunk).split('\n');
    this.partial = lines.pop() ?? '';
    for (const line of lines) for (const listener of this.listeners) listener(line);
  }
}
