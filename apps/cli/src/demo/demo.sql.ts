/**
 * What the demonstration changes manually in its own databases: hold a row, look for a prepared branch,
 * finish one without the coordinator, leave one that no coordinator knows. Never in a real service.
 */
import pg from 'pg';

/** A connection of the demonstration's own. A server that dies under it must not end the process. */
export async function connect(url: string, application = 'concordat-demo'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: application });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Locks an account's row until the returned function is called. */
export async function holdAccount(url: string, account: string): Promise<() => Promise<void>> {
  const client = await connect(url, 'month-end-report');
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM account WHERE id = $1 FOR UPDATE', [account]);
  return () => client.end();
}

/** A session that wants an account's row and waits for it, as a service would. */
export async function wantAccount(url: string, account: string): Promise<() => Promise<void>> {
  const client = await connect(url, 'interest-run');
  const wish = client.query('UPDATE account SET balance = balance + 1 WHERE id = $1', [account]);
  const over = wish.then(
    () => undefined,
    () => undefined, // Cancelled, or its server is gone.
  );
  const pid = (client as unknown as { processID: number }).processID;
  return async () => {
    const other = await connect(url);
    await other.query('SELECT pg_cancel_backend($1)', [pid]);
    await other.end();
    await over;
    await client.end();
  };
}

/** The gids that are prepared in this database. */
export async function preparedIn(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ gid: string }>(
    'SELECT gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared',
  );
  return rows.map(({ gid }) => gid);
}

/** What a database administrator does who does not ask. */
export async function rollBackByHand(client: pg.Client, gid: string): Promise<void> {
  await client.query(`ROLLBACK PREPARED ${pg.escapeLiteral(gid)}`);
}

/** Changes an account and leaves the change prepared under any gid. */
export async function leavePrepared(
  client: pg.Client,
  gid: string,
  account: string,
): Promise<void> {
  await client.query('BEGIN');
  await client.query('UPDATE account SET balance = balance - 1 WHERE id = $1', [account]);
  await client.query(`PREPARE TRANSACTION ${pg.escapeLiteral(gid)}`);
}
