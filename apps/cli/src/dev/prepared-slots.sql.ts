/** How many transactions a server can keep prepared at once: 0 unless somebody has set it. */
import pg from 'pg';

const CONNECT_MS = 5_000;

/** Rejects with what the server, or the way to it, says. */
export async function preparedSlots(url: string): Promise<number> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: CONNECT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ slots: string }>(
      `SELECT current_setting('max_prepared_transactions') AS slots`,
    );
    return Number(rows[0]?.slots);
  } finally {
    await client.end();
  }
}
