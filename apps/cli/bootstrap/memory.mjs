// Where `npm test` lets suites keep their temporary files: in memory, on Linux, where there is room. A suite starts
// a Postgres or more, of some thousand files each, and making those on a disk takes a tenth of the processor time of
// all suites. Nothing of it is to outlive them, and `kill -9` leaves files in memory as it leaves those of a disk. What
// runs nightly, and what is measured, is on the disk.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complain } from './commands.mjs';

const MEMORY = '/dev/shm';
/** 0.8 GiB were in use at most, with six workers; a server that writes much can keep a gigabyte of its log. */
const ROOM_BYTES = 6 * 2 ** 30;

/**
 * Sets TMPDIR to a new folder in memory; returns what removes it again. Does nothing where TMPDIR is set, where
 * there is less than 6 GiB of room, or where programs cannot be run from it, as in a container by default.
 */
export function temporaryInMemory() {
  const nothing = () => undefined;
  if (process.platform !== 'linux' || process.env.TMPDIR) return nothing;
  let folder;
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < ROOM_BYTES) return nothing;
    folder = mkdtempSync(join(MEMORY, 'concordat-test-'));
    chmodSync(folder, 0o755); // The account that runs Postgres passes through.
  } catch {
    return nothing;
  }
  // After a signal, what is still ending may write there a moment longer.
  const remove = () => {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    } catch (error) {
      complain(`${folder} could not be removed (${error.message}): remove it, it is in memory`);
    }
  };
  if (!runsPrograms(folder)) {
    remove();
    return nothing;
  }
  process.env.TMPDIR = folder;
  process.once('exit', remove);
  return () => {
    delete process.env.TMPDIR;
    process.removeListener('exit', remove);
    remove();
  };
}

function runsPrograms(folder) {
  const program = join(folder, 'program');
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
  const { status } = spawnSync(program);
  rmSync(program);
  return status === 0;
}
