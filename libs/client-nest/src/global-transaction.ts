/**
 * `@GlobalTransaction`: a method whose calls run in a transaction. Guards "one call, one transaction":
 * inside of a transaction a decorated method is part of it, and begins none.
 */
import {
  ConcordatClient,
  OpenTransaction,
  currentTransaction,
  type RunOptions,
} from '@concordat/client';

/** As for `ConcordatClient.run`; an idempotency key can depend on the arguments. */
export interface GlobalTransactionOptions extends Omit<RunOptions, 'idempotencyKey'> {
  readonly idempotencyKey?: string | ((...args: never[]) => string);
}

type Method = (this: unknown, ...args: never[]) => Promise<unknown>;

const CLIENTS = Symbol.for('concordat.client-nest.clients.v1');

/** The clients of the applications in this process, the youngest last. */
function clients(): ConcordatClient[] {
  const holder = globalThis as { [CLIENTS]?: ConcordatClient[] };
  return (holder[CLIENTS] ??= []);
}

/** Lets decorated methods begin transactions by this client. Returns what ends it. */
export function begunBy(client: ConcordatClient): () => void {
  clients().push(client);
  return () => {
    const at = clients().lastIndexOf(client);
    if (at !== -1) clients().splice(at, 1);
  };
}

/**
 * Runs each call of a method in a transaction: it commits when the method returns, and rolls back when it
 * throws. The caller gets what it returns, or throws; or the error of the commit, as from
 * `ConcordatClient.run`. Inside, `transactionHere()` is the transaction.
 */
export function GlobalTransaction(options: GlobalTransactionOptions = {}) {
  return <M extends Method>(
    _target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<M>,
  ): void => {
    const method = descriptor.value;
    if (!method) throw new TypeError(`@GlobalTransaction on ${String(key)}: only methods have one`);
    const decorated = function (this: unknown, ...args: never[]): Promise<unknown> {
      if (currentTransaction()) return method.apply(this, args);
      const client = clients().at(-1);
      if (!client) {
        throw new TypeError(
          `@GlobalTransaction on ${String(key)}: no application with ConcordatModule is initialised: import it, and wait for app.init()`,
        );
      }
      const { idempotencyKey, ...run } = options;
      const made = typeof idempotencyKey === 'function' ? idempotencyKey(...args) : idempotencyKey;
      return client.run({ ...run, ...(made === undefined ? {} : { idempotencyKey: made }) }, () =>
        method.apply(this, args),
      );
    };
    // What other decorators wrote, whichever came first, belongs to the method that Nest finds.
    for (const name of Reflect.getOwnMetadataKeys(method)) {
      Reflect.defineMetadata(name, Reflect.getOwnMetadata(name, method), decorated);
    }
    Object.defineProperty(decorated, 'name', { value: method.name });
    descriptor.value = decorated as M;
  };
}

/** The transaction that this code works in, to call operations in it. Throws where there is none. */
export function transactionHere(): OpenTransaction {
  const transaction = currentTransaction();
  if (transaction instanceof OpenTransaction) return transaction;
  throw new TypeError(
    'no transaction here: call this in a method of @GlobalTransaction, or inside of ConcordatClient.run',
  );
}
