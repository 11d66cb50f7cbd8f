/**
 * Discovery: a participant that knows nothing but the broker finds its cluster. The answer is
 * configuration, not truth: it is asked once at the start, and where two clusters share a broker it
 * is refused rather than guessed, because a branch prepared for the wrong cluster has no coordinator.
 */
import { isClusterId, type ClusterId } from '@concordat/protocol';
import type { ChannelConnection } from '../link/connection.js';
import { Tokens } from '../link/tokens.js';
import { decode, encode } from '../wire/codec.js';
import { WIRE_VERSION } from '../wire/limits.js';
import { discovered } from '../wire/questions.js';
import { DISCOVERY_REPLY_PREFIX, DISCOVERY_SUBJECT } from '../wire/subjects.js';

export interface DiscoverOptions {
  /** How long to go on asking; forever unless given. */
  readonly waitMs?: number;
  /** How long one question gathers answers, so that a second cluster is noticed. */
  readonly gatherMs?: number;
}

/** No cluster answered, or more than one. */
export class ClusterNotFound extends Error {
  override readonly name = 'ClusterNotFound';
}

/** Asks until a coordinator answers, and refuses to choose between two clusters. */
export async function discoverCluster(
  connection: ChannelConnection,
  options: DiscoverOptions = {},
): Promise<ClusterId> {
  const { waitMs, gatherMs } = options;
  const { clock } = connection;
  const until = waitMs === undefined ? Infinity : clock.now() + waitMs;
  let found: readonly ClusterId[];
  do {
    found = await clustersOn(connection, { gatherMs });
    if (connection.status.kind === 'closed') break;
  } while (found.length === 0 && clock.now() < until);
  const [cluster, another] = found;
  if (another !== undefined) {
    throw new ClusterNotFound(
      `clusters ${found.join(' and ')} share this broker; configure which one this participant belongs to`,
    );
  }
  if (cluster === undefined) {
    throw new ClusterNotFound(
      'no coordinator answered on this broker; start one, or configure the cluster id',
    );
  }
  return cluster;
}

/**
 * The clusters of which a coordinator answers one question, in order: what was heard so far when `signal` ends
 * it. None is no proof that there is none.
 */
export async function clustersOn(
  connection: ChannelConnection,
  { gatherMs = 250, signal }: { readonly gatherMs?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly ClusterId[]> {
  const inbox = `${DISCOVERY_REPLY_PREFIX}${new Tokens(connection.entropy).next()}`;
  const found = new Set<ClusterId>();
  const subscription = connection.subscribe(inbox, (message) => {
    const decoded = decode(discovered, message.data);
    if (decoded.ok && isClusterId(decoded.message.cluster)) found.add(decoded.message.cluster);
  });
  try {
    connection.publish(DISCOVERY_SUBJECT, encode({ v: WIRE_VERSION, type: 'discover' }), inbox);
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const cancel = connection.clock.after(gatherMs, end);
      signal?.addEventListener('abort', end);
    });
  } finally {
    subscription.unsubscribe();
  }
  return [...found].sort();
}
