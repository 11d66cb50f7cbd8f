// Where to put what another account must reach, when the project itself is in a folder that only
// root may enter. The place is ours alone: a folder that another user owns or may write to is
// refused, since a planted binary there would be run. Nothing of the user's is ever changed to make
// a path reachable.

import { chmodSync, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canReach, type Account } from '../processes/account.js';

export interface PlaceOptions {
  readonly account: Account | undefined;
  /** True for data that should survive a reboot, which /tmp often does not. */
  readonly lasting: boolean;
}

/** A folder of ours, outside the project, that the account can enter. */
export function reachablePlace({ account, lasting }: PlaceOptions): string {
  const uid = process.getuid?.() ?? 0;
  const place = join(reachableTemporary({ account, lasting }), `concordat-cache-${uid}`);
  if (!existsSync(place)) {
    mkdirSync(place, { mode: 0o755, recursive: true });
    // The mode above is cut by the umask; this folder is ours, made a moment ago.
    if (lstatSync(place).uid === uid) chmodSync(place, 0o755);
  }
  assertOurs(place, uid);
  return place;
}

/** The system's folder for temporary files, or another that the account can enter. */
export function reachableTemporary({ account, lasting }: PlaceOptions): string {
  const candidates = lasting ? ['/var/tmp', tmpdir(), '/tmp'] : [tmpdir(), '/var/tmp', '/tmp'];
  const found = candidates.find((place) => existsSync(place) && canReach(place, account));
  if (found) return found;
  throw new Error(
    `None of ${candidates.join(', ')} can be entered by ${account?.name ?? 'this user'}. Set TMPDIR to a folder that can.`,
  );
}

/** Refuses a path that another user owns or may write to, also through a symbolic link. */
export function assertOurs(path: string, uid = process.getuid?.() ?? 0): void {
  const stat = lstatSync(path);
  const ours = stat.uid === uid && !stat.isSymbolicLink() && (stat.mode & 0o022) === 0;
  if (ours) return;
  throw new Error(
    `${path} belongs to somebody else or may be written by others, so what is in it cannot be trusted. Remove it and run again.`,
  );
}
