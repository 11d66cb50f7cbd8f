/**
 * Prisma 7 in a branch. Guards "work of several branches never shares a query": Prisma batches the
 * `findUnique` calls of one tick, whichever transaction they belong to, and runs the batch in the first
 * one. So each branch has a client of its own while it is open, and a client runs nothing of another branch.
 */
import {
  BranchMisuse,
  aroundTransaction,
  branchPool,
  currentBranch,
  findBranch,
  type Branch,
  type PoolClass,
} from '@concordat/participant/standalone';
import { PrismaPg } from '@prisma/adapter-pg';

export interface BranchPrismaOptions<Client extends object> {
  /** Serves work outside of a branch: the service's ordinary client. Absent: such work throws `NoBranch`. */
  readonly outside?: Client;
  /** Only in branches of this participant, where the process has several. */
  readonly participant?: string;
  /** The Postgres schema of the models, where it is not the first of the search path. */
  readonly schema?: string;
}

type Adapter = Pick<PrismaPg, 'provider' | 'adapterName' | 'connect' | 'connectToShadowDb'>;

/** The parts of a Prisma client that are used here. */
interface Extensible {
  $extends(extension: object): object;
  $disconnect(): Promise<void>;
}

type Query = (args: unknown) => Promise<unknown>;

/**
 * A Prisma client that can be kept: each use goes to the client of the current branch. `make` is called
 * with an adapter for each client that is needed, at most as many as branches are open at once:
 * `branchPrisma((adapter) => new PrismaClient({ adapter }))`. `$transaction` is a savepoint inside of a
 * branch. `$disconnect` ends the clients that no branch uses.
 */
export function branchPrisma<Client extends object>(
  make: (adapter: Adapter) => Client,
  options: BranchPrismaOptions<Client> = {},
): Client {
  const clients = new BranchClients(() => make(adapterOf(options)) as Client & Extensible);
  return new Proxy({} as Client, {
    get(_target, member) {
      if (member === '$disconnect') return () => clients.disconnect();
      // Promises and inspection look at every object: not work.
      if (member === 'then' || member in Object.prototype) return undefined;
      const { outside } = options;
      const client = outside && !findBranch() ? outside : clients.of(currentBranch());
      const value: unknown = Reflect.get(client, member, client);
      if (typeof value !== 'function') return value;
      const method = (value as (...args: unknown[]) => unknown).bind(client);
      // Prisma begins a transaction in a context of its own, which its callback does not inherit.
      return member === '$transaction'
        ? (...args: unknown[]) => aroundTransaction(() => method(...args))
        : method;
    },
  });
}

/** The clients of a process: each is lent to one branch at a time. */
class BranchClients<Client extends Extensible> {
  private readonly idle: Client[] = [];
  private readonly lent = new WeakMap<Branch['session'], object>();

  constructor(private readonly make: () => Client) {}

  of(branch: Branch): object {
    const { session } = branch;
    let client = this.lent.get(session);
    if (!client) {
      const plain = this.idle.pop() ?? this.make();
      this.lent.set(session, (client = onlyIn(branch, plain)));
      session.onReleased(() => this.idle.push(plain));
    }
    return client;
  }

  async disconnect(): Promise<void> {
    await Promise.all(this.idle.splice(0).map((client) => client.$disconnect()));
  }
}

/** A view of a client that runs what is asked in its own branch, and only as long as that is open. */
function onlyIn(branch: Branch, client: Extensible): object {
  return client.$extends({
    name: 'concordat',
    query: {
      $allOperations({ args, query }: { args: unknown; query: Query }): Promise<unknown> {
        const isHere = findBranch()?.session === branch.session;
        if (isHere && branch.session.isOpen) return withCause(branch, () => query(args));
        const why = isHere
          ? 'has ended: await every query before the operation returns'
          : 'is not current here: keep no query or model from one branch to the next';
        return Promise.reject(
          new BranchMisuse(`a Prisma query was made for branch ${branch.gid}, which ${why}`),
        );
      },
    },
  });
}

/** Prisma's errors say what happened, but not in the database's words, by which the branch votes. */
async function withCause<T>({ session }: Branch, work: () => Promise<T>): Promise<T> {
  const { lastFailure: before } = session;
  try {
    return await work();
  } catch (error) {
    const { lastFailure } = session;
    if (error instanceof Error && error.cause === undefined && lastFailure !== before) {
      Object.defineProperty(error, 'cause', { value: lastFailure, configurable: true });
    }
    throw error;
  }
}

function adapterOf({ participant, schema }: BranchPrismaOptions<object>): Adapter {
  const options = schema === undefined ? {} : { schema };
  // It connects to nothing: it is asked for the class of pools that it tests by `instanceof`.
  const plain = new PrismaPg({}, options);
  return {
    provider: plain.provider,
    adapterName: plain.adapterName,
    connect: async () => {
      const own = await plain.connect();
      const { constructor: Pool } = own.underlyingDriver() as { constructor: unknown };
      await own.dispose();
      return new PrismaPg(
        branchPool({ participant, Pool: Pool as PoolClass }) as never,
        options,
      ).connect();
    },
    connectToShadowDb: () => plain.connectToShadowDb(),
  };
}
