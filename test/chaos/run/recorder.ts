/**
 * Writes the history as it happens: to memory for the checker, and line by line to a file, so that a
 * run that dies leaves what was seen until then.
 */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { toLine, type Event, type Stamp, type Unstamped } from '../checker/history.js';

export class Recorder {
  readonly events: Event[] = [];
  private readonly file: WriteStream;
  private readonly from = performance.now();

  constructor(readonly path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.file = createWriteStream(path);
  }

  /** Now, for what was true before its event could be written. */
  stamp(): Stamp {
    return { t: performance.now() - this.from, wall: Date.now() };
  }

  record(event: Unstamped, stamp: Stamp = this.stamp()): void {
    const whole: Event = { ...stamp, ...event };
    this.events.push(whole);
    this.file.write(`${toLine(whole)}\n`);
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.file.once('error', reject);
      this.file.end(resolve);
    });
  }
}
