/**
 * Everything that one turn of the event loop publishes leaves in one write. The client writes once per
 * microtask: under load a turn reads many sockets, and each answer would be a system call of its own and
 * wake the broker once more.
 *
 * Nothing else changes: what cannot be published is refused at once, by `publish`, and what was taken is
 * lost if the connection ends before it has left, as it is when it ends before the broker has read it. A
 * client that is built otherwise than the one this was made for keeps its own way.
 */
import type { NatsConnection } from '@nats-io/nats-core';

/** What the client's connection is made of, as far as it is used here. */
interface Wired {
  readonly protocol?: {
    flushPending?: () => void;
    readonly outbound?: { size?: () => number };
  };
}

/** As the client's own: so much is not kept back. */
const BYTES_MAX = 32_768;

/** Sends now what is kept back for the end of this turn. */
export type SendNow = () => void;

/** Lets a connection write once per turn. */
export function writeOncePerTurn(nats: NatsConnection): SendNow {
  const { protocol } = nats as unknown as Wired;
  const { flushPending, outbound } = protocol ?? {};
  if (!protocol || typeof flushPending !== 'function' || typeof outbound?.size !== 'function') {
    return () => undefined;
  }
  const send = flushPending.bind(protocol);
  let isDue = false;
  protocol.flushPending = () => {
    if ((outbound.size?.() ?? 0) >= BYTES_MAX) return send();
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      send();
    });
  };
  return send;
}
