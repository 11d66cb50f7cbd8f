// `npm run test:shifted -- <days> [jest arguments]`: the suites on another day. Every program that they
// start reads a clock that is so many days ahead (or behind, with a minus), whatever environment it is
// given: a mount namespace of its own has an /etc whose ld.so.preload names libfaketime. This machine's
// clock and /etc stay as they are. Needs Linux, root, and libfaketime (Debian: apt-get install libfaketime).
//
// Not shifted: nats-server, a Go program that asks the kernel without libc. It compares no dates.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [days, ...jestArgs] = process.argv.slice(2);
const library = ['/usr/lib', ...readdirSync('/usr/lib').map((name) => join('/usr/lib', name))]
  .map((folder) => join(folder, 'faketime', 'libfaketime.so.1'))
  .find((path) => existsSync(path));

if (!/^[+-]?\d+$/.test(days ?? '')) {
  refuse('say by how many days: `npm run test:shifted -- 365`, or -8 for eight days ago');
} else if (process.platform !== 'linux' || process.getuid() !== 0) {
  refuse('this needs Linux and root: it mounts an /etc of its own');
} else if (library === undefined) {
  refuse('libfaketime is not installed: `apt-get install libfaketime`');
} else {
  const jest = ['npm', 'run', '--silent', 'jest', '--', '--maxWorkers=3', ...jestArgs];
  const { status } = spawnSync('unshare', ['-m', 'sh', '-ec', namespace(), 'sh', ...jest], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}

function refuse(remedy) {
  console.error(`concordat: ${remedy}`);
  process.exitCode = 2;
}

function namespace() {
  const offset = `${Number(days) < 0 ? '' : '+'}${Number(days)}d`;
  return `
    scratch=$(mktemp -d)
    mount -t tmpfs none "$scratch"
    mkdir "$scratch/upper" "$scratch/work"
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$scratch/upper,workdir=$scratch/work" /etc
    echo '${offset}' > /etc/faketimerc
    echo '${library}' > /etc/ld.so.preload
    date '+every program below reads %F %T'
    exec "$@"`;
}
