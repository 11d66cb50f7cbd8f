/**
 * Whether a commit has waited for the standbys that it has to wait for. Guards "durable before it is told":
 * where that wait is ended, by a cancel or a time-out, the statement succeeds all the same, and only a warning
 * says that a failover could lose what it has committed.
 */
import type { PoolClient } from 'pg';

/** What a server says beside its answers. */
export interface Notice {
  /** The server's function that says it, in no language. */
  readonly routine?: string | undefined;
}

/** Whether it says that a wait for a standby was ended. */
export function isWaitEnded({ routine }: Notice): boolean {
  return routine === 'SyncRepWaitForLSN';
}

/** What `send` resolves with, sent on this connection. Rejects where its wait for a standby was ended. */
export async function awaitedByStandbys<T>(client: PoolClient, send: () => Promise<T>): Promise<T> {
  let ended = false;
  const hear = (notice: Notice): void => void (ended ||= isWaitEnded(notice));
  client.on('notice', hear);
  try {
    const answer = await send();
    if (!ended) return answer;
  } finally {
    client.removeListener('notice', hear);
  }
  throw new Error('the wait for a synchronous standby was ended before it had this row; ask again');
}
