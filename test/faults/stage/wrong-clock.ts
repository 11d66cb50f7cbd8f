/** The wall clock of a service that a test may set while it runs; see shifted-clock.mjs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitFor, type Service } from '@concordat/testing';

const SHIM = pathToFileURL(resolve(import.meta.dirname, 'shifted-clock.mjs')).href;

export class WrongClock {
  private constructor(private readonly folder: string) {}

  /** A clock that is right until it is set. */
  static async make(): Promise<WrongClock> {
    const clock = new WrongClock(await mkdtemp(join(tmpdir(), 'concordat-clock-')));
    await clock.preset(0);
    return clock;
  }

  /** The environment of the service that goes by it. */
  get env(): Readonly<Record<string, string>> {
    return { NODE_OPTIONS: `--import=${SHIM}`, CLOCK_FILE: this.file };
  }

  /** Sets it before the service starts. */
  preset(offsetMs: number, rate = 1): Promise<void> {
    return writeFile(this.file, `${offsetMs} ${rate}`);
  }

  /** Sets it, and waits until the service goes by it. */
  async set(service: Service, offsetMs: number, rate = 1): Promise<void> {
    const said = `the clock is off by ${offsetMs} ms, rate ${rate}\n`;
    const times = (): number => service.output().split(said).length;
    const before = times();
    await this.preset(offsetMs, rate);
    await waitFor(() => times() > before, { what: 'the clock to be set' });
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private get file(): string {
    return join(this.folder, 'clock');
  }
}
