/**
 * A question to the register on its pool: an answer, or `RegisterUnknown`. A connection that failed
 * is discarded by the pool, so that no later question inherits its doubt.
 */
import type pg from 'pg';
import { awaitedByStandbys } from '../standby-wait.js';
import { isAboutTheData, unknown } from './unknown.js';

export async function ask<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  what: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = await pool.connect().catch((error: unknown) => {
    throw unknown(what, error);
  });
  let failed: Error | undefined;
  try {
    const query = { name: `concordat-${what}`, text, values: [...values] };
    const { rows } = await awaitedByStandbys(client, () => client.query<Row>(query));
    return rows;
  } catch (error) {
    failed = error as Error;
    // What the server refuses because of its content, it will refuse again: that is our mistake.
    if (isAboutTheData(error)) throw error;
    throw unknown(what, error);
  } finally {
    client.release(failed);
  }
}
