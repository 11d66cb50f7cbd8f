/**
 * The pg client that operations get. Guards "the work of a branch lands in that branch": a client, a
 * repository or an entity manager that was kept from one branch is refused in another, and what a
 * query's callback does is still inside the branch.
 */
import type { BranchClient } from '../postgres/branch-session.js';
import { keepScope, openScope, refuse, type ScopedBranch } from './branch-scope.js';

type Query = (...args: unknown[]) => unknown;

/** `client`, for code of `branch` only. */
export function clientOfBranch(branch: ScopedBranch, client: BranchClient): BranchClient {
  const send = client.query.bind(client) as Query;
  const query: Query = (...args) => {
    const misuse = strayUse(branch);
    if (!misuse) return send(...args.map(inScope));
    if (args.some(isCallback) || isSubmittable(args[0])) throw misuse;
    return Promise.reject(misuse);
  };
  return { query: query as BranchClient['query'] };
}

/** A use in the scope of another branch. Where no branch is open, the client itself says which is meant. */
function strayUse(branch: ScopedBranch): Error | undefined {
  const scope = openScope();
  if (!scope) return undefined;
  for (let one: typeof scope | undefined = scope; one; one = one.outer) {
    if (one.branch.session === branch.session) return undefined;
  }
  return refuse(
    scope,
    `used the client, a repository or an entity manager of another branch (${branch.gid}): its work would have landed there. Keep none of them from one call to the next; if a queue or a batch runs work of several branches, bind each piece to its branch (AsyncResource.bind)`,
  );
}

function inScope(argument: unknown): unknown {
  return isCallback(argument) ? keepScope(argument) : argument;
}

function isCallback(argument: unknown): argument is Query {
  return typeof argument === 'function';
}

function isSubmittable(query: unknown): boolean {
  return typeof (query as { submit?: unknown } | null | undefined)?.submit === 'function';
}
