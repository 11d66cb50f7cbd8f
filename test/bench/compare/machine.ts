/** What a run was measured on. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import { ROOT } from '../root.js';

export type Machine = ReturnType<typeof machine>;

export function machine() {
  const [processor] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: processor?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1_073_741_824),
    node: process.version,
    loadBefore: loadavg()[0]?.toFixed(1) ?? '',
    revision: revision(),
  };
}

/** What is checked out here, and whether the sources differ from it. */
function revision(): string {
  const git = (...args: readonly string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', 'apps', 'libs', 'test/bench');
  return `${git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : ', changed'}`;
}
