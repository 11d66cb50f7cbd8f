/**
 * The branch that is current in a chain of calls. Guards "no work outside the branch by accident":
 * code that asks for the branch where there is none gets an error, instead of a connection that commits by
 * itself.
 */
import {
  formatGid,
  type BranchId,
  type Gid,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { BranchKey } from '@concordat/engine';
import type { Pool } from 'pg';
import {
  BranchEnded,
  type BranchClient,
  type PostgresSession,
} from '../postgres/branch-session.js';
import { clientOfBranch } from './branch-client.js';
import type { BranchHooks, Hook } from './branch-hooks.js';
import { currentScope, runInScope, type BranchScope } from './branch-scope.js';

/** There is no branch here, or it has ended. */
export class NoBranch extends Error {
  override readonly name = 'NoBranch';
}

/** What an operation may know of its branch and do with it. */
export class Branch {
  /** The pg client of this branch. Usable until the branch ends; afterwards its queries reject. */
  readonly client: BranchClient;

  constructor(
    private readonly key: BranchKey,
    readonly session: PostgresSession,
    private readonly hooks: BranchHooks,
    /** Where its connection comes from. While the branch is open, other work on it is refused. */
    readonly pool: Pool,
  ) {
    this.client = clientOfBranch(this, session.client);
  }

  get transaction(): TransactionId {
    return this.key.transaction;
  }

  get branch(): BranchId {
    return this.key.branch;
  }

  get participant(): ParticipantName {
    return this.key.participant;
  }

  get gid(): Gid {
    return formatGid(this.key);
  }

  /** Runs after this branch has committed, if this process is still there. Errors are only logged. */
  onCommitted(hook: Hook): void {
    this.assertOpen();
    this.hooks.add(this.key, 'committed', hook);
  }

  /** Runs after this branch was aborted, if this process is still there. Errors are only logged. */
  onAborted(hook: Hook): void {
    this.assertOpen();
    this.hooks.add(this.key, 'aborted', hook);
  }

  private assertOpen(): void {
    if (this.session.isOpen) return;
    const { endedBy } = this.session;
    if (endedBy) throw new BranchEnded(endedBy);
    throw new NoBranch(
      `branch ${this.gid} has ended: register hooks before the operation returns, and await what it starts`,
    );
  }
}

/** Runs an operation or a joined call in its branch. */
export function runInBranch<T>(
  scope: { readonly branch: Branch } & Pick<BranchScope, 'work' | 'refused'>,
  body: () => T | Promise<T>,
): Promise<T> {
  return runInScope(scope, body);
}

/** The current branch, or undefined outside of one. */
export function findBranch(): Branch | undefined {
  return currentScope()?.branch as Branch | undefined;
}

/** The current branch. Throws where there is none. */
export function currentBranch(): Branch {
  const branch = findBranch();
  if (branch) return branch;
  throw new NoBranch(
    'no branch here: this code runs in an operation (@Operation) or in a call that joined a transaction (@JoinTransaction with a Concordat-Context header); for work outside of transactions use the ordinary repository or pool',
  );
}
