/** A Postgres whose commits wait for a synchronous standby that is away. */
import { waitFor } from '@concordat/testing';
import type pg from 'pg';

/** Answers a row while a statement that begins so waits for the standby. */
export const flushing = (
  query: string,
) => `SELECT 1 FROM pg_stat_activity WHERE query LIKE '${query}%'
  AND state = 'active' AND wait_event = 'SyncRep' AND datname = current_database()`;

/** Every flush waits for a standby that never comes, until the work is over. */
export async function withoutStandby<T>(dba: pg.Pool, work: () => Promise<T>): Promise<T> {
  const settle = async (change: string) => {
    await dba.query(`ALTER SYSTEM ${change}`);
    await dba.query('SELECT pg_reload_conf()');
  };
  await dba.query('CREATE TABLE canary (id int)');
  await settle(`SET synchronous_standby_names = 'never'`);
  let canary = writes(dba);
  try {
    // The server takes the setting on when it likes: what was written until then did not wait.
    await waitFor(
      async () => {
        const waits = (await dba.query(flushing('INSERT INTO canary'))).rowCount === 1;
        if (!waits && canary.ended) canary = writes(dba);
        return waits;
      },
      { what: 'a write that waits for the standby' },
    );
    return await work();
  } finally {
    await settle('RESET synchronous_standby_names');
    await canary.written;
    await dba.query('DROP TABLE canary');
  }
}

function writes(dba: pg.Pool): { readonly written: Promise<unknown>; ended: boolean } {
  const written = dba.query('INSERT INTO canary VALUES (1)');
  const canary = { written, ended: false };
  void written.then(() => (canary.ended = true));
  return canary;
}
