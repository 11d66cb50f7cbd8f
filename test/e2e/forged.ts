/** What the owner of a transaction answers to one that may talk to coordinators, and asks in others' names. */
import { connectChannel, NatsCoordinatorChannel } from '@concordat/channel';
import type { Incarnation, TransactionId } from '@concordat/protocol';
import type { Product } from '../stage/product.js';

/** Asks for a commit; for each principal and role the status of the answer, or how there was none. */
export async function forged(
  product: Product,
  id: string,
): Promise<(readonly [string, string, number | string])[]> {
  const connection = await connectChannel({ servers: product.stack.nats.url, name: 'forger' });
  try {
    const forger = new NatsCoordinatorChannel(connection, {
      cluster: await product.cluster(),
      asker: { coordinator: 'f0rger00' as Incarnation },
    });
    const forward = { transaction: id as TransactionId, verb: 'commit' } as const;
    const told: (readonly [string, string, number | string])[] = [];
    for (const [principal, role] of [
      ['other', 'client'],
      ['operator', 'operator'],
    ] as const) {
      const answer = await forger.forward({ ...forward, principal, role }, 5_000);
      const status = answer.kind === 'answered' ? answer.answer.status : answer.kind;
      told.push([principal, role, status]);
    }
    return told;
  } finally {
    await connection.close();
  }
}
