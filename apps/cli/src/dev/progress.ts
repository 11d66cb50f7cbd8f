/** Progress of a start, for a person: one line per step, rewritten in a terminal while it runs. */
import { durationText } from '@concordat/words';

export class Progress {
  private readonly live = process.stdout.isTTY === true;
  private readonly begunAt = performance.now();

  /** Runs a step under a title; its time and what it found are shown when it is done. */
  async step<T>(title: string, run: () => Promise<T>, found: (result: T) => string): Promise<T> {
    if (this.live) process.stdout.write(`  … ${title}`);
    const from = performance.now();
    try {
      const result = await run();
      this.done('✓', title, `${found(result)} (${durationText(performance.now() - from)})`);
      return result;
    } catch (error) {
      this.done('✗', title, '');
      throw error;
    }
  }

  say(line = ''): void {
    process.stdout.write(`${line}\n`);
  }

  elapsed(): string {
    return durationText(performance.now() - this.begunAt);
  }

  private done(mark: string, title: string, rest: string): void {
    process.stdout.write(
      `${this.live ? '\r\u001b[2K' : ''}  ${mark} ${title}${rest ? `: ${rest}` : ''}\n`,
    );
  }
}
