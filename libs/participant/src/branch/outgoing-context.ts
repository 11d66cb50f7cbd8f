/**
 * Passing a joined transaction on: while a direct call works in a branch, the client library's
 * `propagate()` finds the transaction here and adds its context to outgoing calls. The two libraries
 * never import one another; they meet at a global symbol.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { TransactionId } from '@concordat/protocol';
import { CONTEXT_HEADER } from './transaction-context.js';

interface OutgoingTransaction {
  readonly id: string;
  headers(): Record<string, string>;
}

const KEY = Symbol.for('concordat.client.transaction.v1');

export function runWithOutgoingContext<T>(transaction: TransactionId, body: () => T): T {
  const holder = globalThis as { [KEY]?: AsyncLocalStorage<OutgoingTransaction> };
  const storage = (holder[KEY] ??= new AsyncLocalStorage<OutgoingTransaction>());
  const headers = () => ({ [CONTEXT_HEADER]: `v1;tx=${transaction}` });
  return storage.run({ id: transaction, headers }, body);
}
