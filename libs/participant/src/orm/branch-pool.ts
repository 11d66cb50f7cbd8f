/**
 * A pool of the current branch that an ORM takes for its own. Guards "all work of a branch lands in its
 * own session": everything that the ORM asks its pool for is done in the branch that is current there; where
 * there is none, it gets an error instead of a connection that commits by itself.
 */
import pg from 'pg';
import type { CustomTypesConfig, Pool, PoolConfig } from 'pg';
import { currentScope, openScope, refuse } from '../branch/branch-scope.js';
import { NoBranch, type Branch } from '../branch/current-branch.js';
import { BranchMisuse } from '../postgres/branch-session.js';
import { isSubmittable } from '../postgres/query-forms.js';
import { BranchConnection, type ConnectionOptions } from './branch-connection.js';

/** A class of pools: `pg.Pool`, of whichever copy of pg. */
export type PoolClass<P extends object = Pool> = new (config?: PoolConfig) => P;

export interface BranchPoolOptions<P extends object = Pool> {
  /**
   * What serves work outside of a branch: the service's own pool, as a rule the one that the participant
   * was given. Absent: such work throws {@link NoBranch}.
   */
  readonly outside?: P;
  /** Only in branches of this participant, where the process has several. */
  readonly participant?: string;
  /** Parsers of values, where the ORM sets its own at the connection. */
  readonly types?: CustomTypesConfig;
  /** What the ORM tests by `instanceof`, where its pg is another copy than the participant's. */
  readonly Pool?: PoolClass<P>;
}

type Connected = (error: unknown, client?: unknown, release?: (error?: unknown) => void) => void;

/** The parts of a pool that are replaced, as loosely as pg lets them be called. */
interface Lending {
  connect(callback?: Connected): unknown;
  query(...args: unknown[]): unknown;
}

/**
 * A pool of pg to look at: `instanceof Pool` holds. `connect` lends a connection of the current branch,
 * `query` runs in it, BEGIN, COMMIT and ROLLBACK on a connection are savepoints, `end` ends nothing. It
 * can be made once, at the start of the process, and opens no connection itself. In a branch whose
 * session has ended everything is refused, also where there is a pool for work outside.
 */
export function branchPool<P extends object = Pool>(options: BranchPoolOptions<P> = {}): P {
  const Base = (options.Pool ?? pg.Pool) as unknown as PoolClass<Lending>;
  const outside = options.outside as unknown as Lending | undefined;
  // Its name is looked at too, by an ORM that has another copy of pg.
  class BranchPool extends Base {
    override connect(callback?: Connected): unknown {
      return placed(
        () => branchFor(options),
        (branch) => lent(new BranchConnection(branch, options), callback),
        outside && (() => (callback ? outside.connect(callback) : outside.connect())),
        callback,
      );
    }

    override query(...args: unknown[]): unknown {
      const callback = args.find((one) => typeof one === 'function') as Connected | undefined;
      return placed(
        () => branchFor(options),
        (branch) => once(branch, options).query(args[0], args[1], args[2]),
        outside && (() => outside.query(...args)),
        isSubmittable(args[0]) ? THROWN : callback,
      );
    }

    end(callback?: () => void): Promise<void> | undefined {
      if (!callback) return Promise.resolve();
      process.nextTick(callback);
      return undefined;
    }
  }
  return new BranchPool() as unknown as P;
}

/** A connection of the current branch, as {@link branchPool} lends them. Throws where there is no branch. */
export function branchConnection(
  options: Omit<BranchPoolOptions, 'outside' | 'Pool'> = {},
): BranchConnection {
  const branch = branchFor(options);
  if (!branch) throw noBranch();
  return new BranchConnection(branch, options);
}

/** The current branch, if it is one in which this may be used; undefined outside of branches. */
function branchFor({ participant }: { readonly participant?: string }): Branch | undefined {
  const branch = currentScope()?.branch as Branch | undefined;
  if (!branch || participant === undefined || branch.participant === participant) return branch;
  const why = `used the pool of participant ${participant}: let ${participant} do its share in an operation of its own`;
  const scope = openScope();
  throw scope ? refuse(scope, why) : new BranchMisuse(`branch ${branch.gid} ${why}`);
}

const THROWN = Symbol('the caller gets it as an exception');

/** Does work in the branch or outside, and reports a refusal in the form in which it was asked. */
function placed(
  find: () => Branch | undefined,
  inBranch: (branch: Branch) => unknown,
  outside: (() => unknown) | undefined,
  callback: Connected | typeof THROWN | undefined,
): unknown {
  try {
    const branch = find();
    if (branch) return inBranch(branch);
    if (outside) return outside();
    throw noBranch();
  } catch (error) {
    if (callback === THROWN) throw error;
    if (!callback) return Promise.reject(error as Error);
    process.nextTick(callback, error);
    return undefined;
  }
}

function once(branch: Branch, { types }: ConnectionOptions): BranchConnection {
  return new BranchConnection(branch, { types, once: true });
}

function lent(connection: BranchConnection, callback: Connected | undefined): unknown {
  if (!callback) return Promise.resolve(connection);
  process.nextTick(callback, undefined, connection, () => connection.release());
  return undefined;
}

function noBranch(): NoBranch {
  return new NoBranch(
    'no branch here: this pool works in operations and in calls that joined a transaction. For work outside of transactions give it the service’s own pool as `outside`, or use that one',
  );
}
