/**
 * A question to the register on its pool: an answer, or `RegisterUnknown`. A connection that failed
 * is discarded by the pool, so that no later question inherits its doubt.
 */
import type pg from 'pg';
import { isAboutTheData, unknown } from './unknown.js';

export async function ask<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  what: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  try {
    const { rows } = await pool.query<Row>({
      name: `concordat-${what}`,
      text,
      values: [...values],
    });
    return rows;
  } catch (error) {
    // What the server refuses because of its content, it will refuse again: that is our mistake.
    if (isAboutTheData(error)) throw error;
    throw unknown(what, error);
  }
}
