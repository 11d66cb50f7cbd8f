/**
 * `@nestjs-cls/transactional` in a branch: `@Transactional()` is a savepoint there, and a transaction of
 * the service's own pool elsewhere. Anything that a service makes of a connection of pg can be its instance.
 */
import { branchPool, type BranchPoolOptions } from '@concordat/participant/standalone';
import type { TransactionalAdapter } from '@nestjs-cls/transactional';
import type { Pool, PoolClient } from 'pg';

/** What `@Transactional(options)` takes: the modes of a transaction. */
export interface ConcordatTransactionOptions {
  readonly isolationLevel?: 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';
  readonly readOnly?: boolean;
}

export interface ConcordatAdapterOptions<Instance> extends BranchPoolOptions {
  /** Makes what `TransactionHost.tx` is of a pool or a connection: `(client) => drizzle(client)`. */
  readonly instance?: (client: Pool | PoolClient) => Instance;
}

/** The adapter of `ClsPluginTransactional`. Give it the participant's pool as `outside`. */
export class TransactionalAdapterConcordat<
  Instance = Pool | PoolClient,
> implements TransactionalAdapter<Pool, Instance, ConcordatTransactionOptions> {
  readonly connection: Pool;
  readonly supportsTransactionProxy = false;
  private readonly fallback: Instance;
  private readonly clients = new WeakMap<object, PoolClient>();
  private readonly make: (client: Pool | PoolClient) => Instance;
  private nested = 0;

  constructor({ instance, ...pool }: ConcordatAdapterOptions<Instance> = {}) {
    this.connection = branchPool(pool);
    this.make = instance ?? ((client) => client as Instance);
    this.fallback = this.make(this.connection);
  }

  readonly optionsFactory = (pool: Pool) => ({
    getFallbackInstance: (): Instance => this.fallback,

    wrapWithTransaction: async (
      options: ConcordatTransactionOptions | undefined,
      work: () => Promise<unknown>,
      setTx: (tx?: Instance) => void,
    ): Promise<unknown> => {
      const client = await pool.connect();
      try {
        await client.query(`BEGIN${modesOf(options)}`);
        try {
          setTx(this.of(client));
          const result = await work();
          await client.query('COMMIT');
          return result;
        } catch (error) {
          await client.query('ROLLBACK');
          throw error;
        }
      } finally {
        client.release();
      }
    },

    wrapWithNestedTransaction: async (
      _options: ConcordatTransactionOptions | undefined,
      work: () => Promise<unknown>,
      setTx: (tx?: Instance) => void,
      tx: Instance,
    ): Promise<unknown> => {
      const client = this.clients.get(tx as object);
      if (!client) throw new TypeError('this transaction was not begun by this adapter');
      this.nested += 1;
      const name = `nested_${this.nested}`;
      await client.query(`SAVEPOINT ${name}`);
      try {
        setTx(tx);
        const result = await work();
        await client.query(`RELEASE SAVEPOINT ${name}`);
        return result;
      } catch (error) {
        await client.query(`ROLLBACK TO SAVEPOINT ${name}`);
        throw error;
      }
    },
  });

  private of(client: PoolClient): Instance {
    const instance = this.make(client);
    this.clients.set(instance as object, client);
    return instance;
  }
}

function modesOf({ isolationLevel, readOnly }: ConcordatTransactionOptions = {}): string {
  const modes = [
    ...(isolationLevel ? [`ISOLATION LEVEL ${isolationLevel}`] : []),
    ...(readOnly ? ['READ ONLY'] : []),
  ];
  return modes.length > 0 ? ` ${modes.join(', ')}` : '';
}
