/**
 * Whether what a server has answered is on the standbys that it has to be on. Guards protocol §3, "durable before
 * it is told", against two things that a server says without an error:
 * - a wait for a synchronous standby that is ended, by a cancel or a time-out of anybody: the statement
 *   succeeds, and only a warning says that a failover could lose what it has committed;
 * - a row that is read: after such a wait, and after a restart of the primary, it can be seen before a
 *   standby has it.
 */
import { RegisterUnknown } from '@concordat/engine';
import type pg from 'pg';

/**
 * A condition, always true, for the rows of a statement that reads what another has written: with it the statement's
 * own transaction is durable wherever its writers' have to be before it is answered, as if it wrote. Free where no
 * standby is waited for, and where there is no row. The session has to have `synchronous_commit` on.
 */
export const IS_ON_STANDBYS = `
  CASE WHEN current_setting('synchronous_standby_names') = '' THEN true
       ELSE pg_logical_emit_message(true, 'concordat', ''::text) IS NOT NULL END`;

/** The server's function that says so, in no language. */
const WAITS = 'SyncRepWaitForLSN';

/** What `send` resolves with, sent on this connection. Rejects with `RegisterUnknown` where its wait was ended. */
export async function awaitedByStandbys<T>(
  client: pg.ClientBase,
  send: () => Promise<T>,
): Promise<T> {
  let ended = false;
  const hear = ({ routine }: { routine?: string | undefined }): void => {
    ended ||= routine === WAITS;
  };
  client.on('notice', hear);
  try {
    const answer = await send();
    if (!ended) return answer;
  } finally {
    client.removeListener('notice', hear);
  }
  throw new RegisterUnknown(
    'a wait of the decision database for its synchronous standby was ended: whether a failover would lose this is ' +
      'not known. Ask again; nothing may be assumed',
  );
}
