/**
 * The transaction that is current in a chain of calls, and how it travels to the next service.
 * Guards "a service that is called directly joins by itself": the header below is all it needs, and
 * outside of a transaction nothing is added. The storage hangs on a global symbol so that two copies
 * of this library in one process (ESM and CommonJS) share one current transaction.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Header name over HTTP and NATS. Read case-insensitively. */
export const CONTEXT_HEADER = 'Concordat-Context';

/** The least that propagation needs of a transaction. */
export interface PropagatedTransaction {
  readonly id: string;
  /** Headers for an outgoing call. */
  headers(): Record<string, string>;
}

const KEY = Symbol.for('concordat.client.transaction.v1');

function storage(): AsyncLocalStorage<PropagatedTransaction> {
  const holder = globalThis as { [KEY]?: AsyncLocalStorage<PropagatedTransaction> };
  return (holder[KEY] ??= new AsyncLocalStorage<PropagatedTransaction>());
}

/** The transaction whose `run` this code is called from, if any. */
export function currentTransaction(): PropagatedTransaction | undefined {
  return storage().getStore();
}

/** Runs `body` with a current transaction. */
export function withTransaction<T>(transaction: PropagatedTransaction, body: () => T): T {
  return storage().run(transaction, body);
}

/** The value of the context header: `v1;tx=<id>`. */
export function contextValue(transactionId: string): string {
  return `v1;tx=${transactionId}`;
}

/** Anything that headers can be set on: NATS `MsgHdrs`, fetch `Headers`, a `Map`. */
export interface HeaderCarrier {
  set(name: string, value: string): unknown;
}

/** Puts the current transaction's context on the headers of an outgoing call; nothing outside of one. */
export function propagate<Carrier extends HeaderCarrier>(
  carrier: Carrier,
  transaction: PropagatedTransaction | undefined = currentTransaction(),
): Carrier {
  for (const [name, value] of Object.entries(transaction?.headers() ?? {}))
    carrier.set(name, value);
  return carrier;
}
