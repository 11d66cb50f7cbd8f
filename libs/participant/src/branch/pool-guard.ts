/**
 * Pools that refuse work beside an open branch. Guards "no work outside the branch by accident": a
 * query of an operation on the service's own pool would be committed at once and stay, whatever the outcome
 * of the transaction. The guard asks for the branch when a connection is taken, and at every
 * query of a client that was taken before; it keeps forms, events and errors of pg's pool as they are.
 * One guard per pool, also for several participants and copies of this library.
 */
import type { Pool, PoolClient } from 'pg';
import { describeTarget, sameTarget } from '../postgres/pool-target.js';
import type { BranchMisuse } from '../postgres/branch-session.js';
import {
  COMMITTED_AT_ONCE,
  ON_PURPOSE,
  currentScope,
  keepScope,
  openScope,
  outsideBranch,
  refuse,
  type BranchScope,
} from './branch-scope.js';

type Connected = (error?: Error, client?: PoolClient, done?: (release?: unknown) => void) => void;
type Method = (...args: unknown[]) => unknown;

const KEY = Symbol.for('concordat.participant.pool-guards.v1');

function guards(): WeakMap<Pool, PoolGuard> {
  const holder = globalThis as { [KEY]?: WeakMap<Pool, PoolGuard> };
  return (holder[KEY] ??= new WeakMap<Pool, PoolGuard>());
}

/**
 * Lets a pool refuse to be used while a branch is open in the same asynchronous context, with
 * {@link BranchMisuse}. A participant guards its own pool or data source by itself; this is for the
 * other pools of a service. Returns a function that takes this guard away; the pool refuses until the
 * last of its guards is gone.
 */
export function guardPool(pool: Pool): () => void {
  let guard = guards().get(pool);
  if (!guard) guards().set(pool, (guard = new PoolGuard(pool)));
  guard.holders += 1;
  const held = guard;
  let holding = true;
  return () => {
    if (!holding) return;
    holding = false;
    held.holders -= 1;
    if (held.holders > 0) return;
    guards().delete(pool);
    held.remove();
  };
}

/** A connection for a branch itself: never refused, and its statements pass the guard. */
export async function connectForBranch(pool: Pool): Promise<PoolClient> {
  const client = await outsideBranch(() => pool.connect());
  guards().get(pool)?.lentToBranch(client);
  return client;
}

class PoolGuard {
  holders = 0;
  private active = true;
  private readonly undo: (() => void)[] = [];
  private readonly clients = new Map<PoolClient, () => void>();
  private readonly ofBranches = new WeakSet<PoolClient>();

  constructor(private readonly pool: Pool) {
    this.undo.push(replace(pool, 'connect', (original) => this.connect(original)));
    const acquired = (client: PoolClient): void => {
      // Whatever it was lent for before: `lentToBranch` is called when a branch gets it.
      this.ofBranches.delete(client);
      this.watch(client);
    };
    const removed = (client: PoolClient): void => {
      this.clients.get(client)?.();
      this.clients.delete(client);
    };
    pool.on('acquire', acquired);
    pool.on('remove', removed);
    this.undo.push(() => void pool.off('acquire', acquired).off('remove', removed));
    // Clients that were taken before, and are kept: the pool has no public list of them.
    const { _clients: earlier = [] } = pool as { _clients?: readonly PoolClient[] };
    for (const client of earlier) this.watch(client);
  }

  lentToBranch(client: PoolClient): void {
    this.ofBranches.add(client);
  }

  remove(): void {
    this.active = false;
    for (const undo of [...this.undo, ...this.clients.values()]) undo();
    this.clients.clear();
  }

  private connect(original: Method): Method {
    const refusal = (scope: BranchScope) => this.refusal(scope, 'used a pool');
    const active = (): boolean => this.active;
    return function (this: unknown, ...args) {
      if (!active()) return original.apply(this, args);
      const scope = openScope();
      const [callback] = args as [Connected?];
      if (!callback) {
        return scope
          ? Promise.reject(refusal(scope))
          : outsideBranch(() => original.apply(this, args));
      }
      if (scope) {
        process.nextTick(callback, refusal(scope), undefined, () => undefined);
        return undefined;
      }
      // A pool calls back from wherever a connection was released; the caller's scope is the one that counts.
      const kept = keepScope(callback);
      return currentScope()
        ? outsideBranch(() => original.call(this, kept))
        : original.call(this, kept);
    };
  }

  private watch(client: PoolClient): void {
    if (this.clients.has(client)) return;
    const passes = (): boolean => !this.active || this.ofBranches.has(client);
    const refusal = (scope: BranchScope) =>
      this.refusal(scope, 'used a client that was taken earlier from a pool');
    const undo = replace(client, 'query', (original) => {
      return function (this: unknown, ...args) {
        const scope = passes() ? undefined : openScope();
        return scope ? refused(args, refusal(scope)) : original.apply(this, args);
      };
    });
    this.clients.set(client, undo);
  }

  private refusal(scope: BranchScope, what: string): BranchMisuse {
    const { pool: own } = scope.branch;
    const remedy = sameTarget(own, this.pool)
      ? 'Do it in the branch, with branch.client or a repository of @InjectBranchRepository'
      : `The branch is a transaction of ${describeTarget(own)}: let a participant of the other database do it in the same transaction`;
    return refuse(
      scope,
      `${what} of ${describeTarget(this.pool)}: ${COMMITTED_AT_ONCE}. ${remedy}. ${ON_PURPOSE}`,
    );
  }
}

/** Answers a query of a client in the form it was asked in. */
function refused([config, ...more]: unknown[], misuse: BranchMisuse): unknown {
  const { submit, callback } = (config ?? {}) as { submit?: unknown; callback?: unknown };
  if (typeof submit === 'function') throw misuse;
  const answer = [...more, callback].find((one) => typeof one === 'function') as Method | undefined;
  if (!answer) return Promise.reject(misuse);
  process.nextTick(answer, misuse);
  return undefined;
}

/** Puts a method before an object's own or inherited one. Returns what takes it away again. */
function replace<K extends string>(
  target: { [key in K]: unknown },
  name: K,
  made: (original: Method) => Method,
): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  const value = made(target[name] as Method);
  Object.defineProperty(target, name, {
    value,
    configurable: true,
    writable: true,
    enumerable: false,
  });
  return () => {
    // Other code has wrapped ours since. It stays, and lets everything pass.
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== value) return;
    if (before) Object.defineProperty(target, name, before);
    else Reflect.deleteProperty(target, name);
  };
}
