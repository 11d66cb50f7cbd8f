// `npm run test:shifted -- <days> [jest arguments]`: the suites on another day. Every program that they
// start reads a clock that is so many days ahead (or behind, with a minus), in any environment it is
// given: a mount namespace of its own has an /etc whose ld.so.preload names a small library (offset.c).
// This machine's clock and /etc stay as they are. Needs Linux, root, and a C compiler (Debian: gcc).
//
// Not shifted: nats-server, a Go program that asks the kernel without libc. It compares no dates.

import '../../apps/cli/bootstrap/output.mjs';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [days, ...jestArgs] = process.argv.slice(2);
const source = join(dirname(fileURLToPath(import.meta.url)), 'offset.c');

if (!/^[+-]?\d+$/.test(days ?? '')) {
  refuse('say by how many days: `npm run test:shifted -- 365`, or -8 for eight days ago');
} else if (process.platform !== 'linux' || process.getuid() !== 0) {
  refuse('this needs Linux and root: it mounts an /etc of its own');
} else {
  const folder = mkdtempSync(join(tmpdir(), 'concordat-clock-'));
  chmodSync(folder, 0o755); // Postgres runs as a user of its own.
  const library = join(folder, 'offset.so');
  const offset = `-DOFFSET_SECONDS=${Number(days) * 86_400}`;
  const compiled = spawnSync('cc', ['-O2', '-shared', '-fPIC', offset, '-o', library, source], {
    stdio: 'inherit',
  });
  if (compiled.status === 0) {
    const jest = ['npm', 'run', '--silent', 'jest', '--', '--maxWorkers=3', ...jestArgs];
    const { status } = spawnSync(
      'unshare',
      ['-m', 'sh', '-ec', namespace(library), 'sh', ...jest],
      {
        stdio: 'inherit',
      },
    );
    process.exitCode = status ?? 1;
  } else {
    refuse('the library that shifts the clock was not compiled: `apt-get install gcc libc6-dev`');
  }
  rmSync(folder, { recursive: true, force: true });
}

function refuse(remedy) {
  console.error(`concordat: ${remedy}`);
  process.exitCode = 2;
}

function namespace(library) {
  return `
    scratch=$(mktemp -d)
    mount -t tmpfs none "$scratch"
    mkdir "$scratch/upper" "$scratch/work"
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$scratch/upper,workdir=$scratch/work" /etc
    echo '${library}' > /etc/ld.so.preload
    date '+every program below reads %F %T'
    exec "$@"`;
}
