/**
 * Which branches the running code belongs to, carried by its asynchronous context. Guards "no work
 * outside the branch by accident": all code that would do work beside an open branch asks here first. The
 * storage hangs on a global symbol, so that two copies of this library in one process share it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Pool } from 'pg';
import { BranchMisuse } from '../postgres/branch-session.js';

/** What a scope has to know of its branch. */
export interface ScopedBranch {
  readonly participant: string;
  readonly gid: string;
  readonly session: { readonly isOpen: boolean };
  /** Where its connection comes from. */
  readonly pool: Pool;
}

/** One operation, or one joined call, at work in its branch. */
export interface BranchScope<Branch extends ScopedBranch = ScopedBranch> {
  readonly branch: Branch;
  /** For messages: `operation debit`, `a joined call`. */
  readonly work: string;
  /** The scope this one was entered from, if a branch is open there too. */
  readonly outer: BranchScope | undefined;
  /** Whether the operation or call has not returned yet. */
  readonly underWay: boolean;
  /** Called with every misuse that was refused in this scope, also those that the service swallows. */
  readonly refused: (misuse: BranchMisuse) => void;
}

type Store = AsyncLocalStorage<BranchScope | undefined>;

const KEY = Symbol.for('concordat.participant.scope.v1');

function storage(): Store {
  const holder = globalThis as { [KEY]?: Store };
  return (holder[KEY] ??= new AsyncLocalStorage<BranchScope | undefined>());
}

/** Runs an operation or a joined call in the scope of its branch. */
export async function runInScope<T>(
  { branch, work, refused }: Pick<BranchScope, 'branch' | 'work' | 'refused'>,
  body: () => T | Promise<T>,
): Promise<T> {
  const scope = { branch, work, refused, outer: openScope(), underWay: true };
  try {
    // Asynchronous in here: a query builder that starts when it is awaited has to start in the scope.
    return await storage().run(scope, async () => body());
  } finally {
    scope.underWay = false;
  }
}

/** The innermost scope, whether or not its branch is still open. */
export function currentScope(): BranchScope | undefined {
  return storage().getStore();
}

/**
 * The innermost scope whose branch can still be damaged by work beside it: the session is open, or
 * the operation goes on although the session was taken from it. What an operation leaves behind
 * (timers, caches, connections) keeps its context permanently, and is free once both have ended.
 */
export function openScope(): BranchScope | undefined {
  let scope = currentScope();
  while (scope && !scope.underWay && !scope.branch.session.isOpen) scope = scope.outer;
  return scope;
}

/**
 * Does work on purpose outside of the branch that is open here: in the callback there is no current
 * branch, and pools and ordinary repositories work as they do elsewhere. What it writes is committed
 * at once and stays, whatever the outcome of the transaction. It takes a connection of its own, does not
 * see what the branch has not committed, and waits for rows that the branch has locked: at the worst
 * until the transaction's time is over. Returns what the callback returns; a query builder that starts
 * when it is awaited is started in there, and its promise returned.
 */
export function outsideBranch<T>(body: () => PromiseLike<T>): Promise<T>;
export function outsideBranch<T>(body: () => T): T;
export function outsideBranch(body: () => unknown): unknown {
  return currentScope() ? storage().run(undefined, started, body) : started(body);
}

function started(body: () => unknown): unknown {
  const result = body();
  const { then } = (result ?? {}) as { then?: unknown };
  return typeof then === 'function' ? Promise.resolve(result) : result;
}

/**
 * Throws {@link BranchMisuse} while a branch is open here. For work that no guarded pool sees: call it
 * before what would be committed at once. `what` names that work in the message: `the Prisma client`.
 */
export function assertOutsideBranch(what: string): void {
  const scope = openScope();
  if (scope) throw refuse(scope, `used ${what}: ${COMMITTED_AT_ONCE}. ${ON_PURPOSE}`);
}

export const COMMITTED_AT_ONCE =
  'that work would be committed at once, whatever the outcome of the transaction, so it was refused';
export const ON_PURPOSE = 'If that is meant, do it in outsideBranch(() => …)';

/** A misuse by the work of this scope, already reported to it. */
export function refuse(scope: BranchScope, what: string): BranchMisuse {
  const { participant, gid } = scope.branch;
  const misuse = new BranchMisuse(`${scope.work} of ${participant} (${gid}) ${what}`);
  scope.refused(misuse);
  return misuse;
}

/** A callback that runs in the current scope, wherever it is called. */
export function keepScope<Args extends unknown[], Result>(
  callback: (...args: Args) => Result,
): (...args: Args) => Result {
  const store = storage();
  const scope = store.getStore();
  return function (this: unknown, ...args: Args): Result {
    if (store.getStore() === scope) return callback.apply(this, args);
    return store.run(scope, () => callback.apply(this, args));
  };
}
