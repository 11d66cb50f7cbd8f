// Who runs Postgres when we are root. Postgres refuses to run as root, and it is right to; so as root
// we run it under an account without privileges, and everything it touches must be within that
// account's reach. Reach is asked of the kernel, as that account, not computed from mode bits.

import { spawnSync } from 'node:child_process';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The account to run Postgres as, or undefined when we are not root and run it ourselves. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid && gid) return { name, uid, gid };
  }
  throw new Error(
    'Postgres refuses to run as root, and this machine has neither a user "postgres" nor "nobody" to run it as. Add one (useradd --system postgres), run as an ordinary user, or set DATABASE_URL to a server that is running.',
  );
}

/** Whether the account (or we, without one) can enter this folder or execute this file. */
export function canReach(path: string, account: Account | undefined): boolean {
  const { status } = spawnSync('/bin/sh', ['-c', 'test -x "$0"', path], {
    cwd: '/',
    stdio: 'ignore',
    ...asAccount(account),
  });
  return status === 0;
}

export function asAccount(account: Account | undefined): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {};
}

function idOf(flag: '-u' | '-g', name: string): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
  return status === 0 ? Number(stdout.trim()) : undefined;
}
