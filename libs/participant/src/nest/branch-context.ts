/**
 * The current branch as an injectable: for services that are not operations themselves but work in
 * one. Guards "no work outside the branch by accident": every member throws where there is no branch,
 * and one that was injected for a participant also in a branch of another.
 */
import { Injectable } from '@nestjs/common';
import type { BranchId, Gid, ParticipantName, TransactionId } from '@concordat/protocol';
import type { Hook } from '../branch/branch-hooks.js';
import { openScope, refuse } from '../branch/branch-scope.js';
import { currentBranch, findBranch, type Branch } from '../branch/current-branch.js';
import { BranchMisuse, type BranchClient } from '../postgres/branch-session.js';

@Injectable()
export class BranchContext {
  /** Whether this code runs in a branch. */
  get active(): boolean {
    return findBranch() !== undefined;
  }

  get current(): Branch {
    return currentBranch();
  }

  get transaction(): TransactionId {
    return this.current.transaction;
  }

  get branch(): BranchId {
    return this.current.branch;
  }

  get participant(): ParticipantName {
    return this.current.participant;
  }

  get gid(): Gid {
    return this.current.gid;
  }

  /** The pg client of the branch. Rejects queries after the branch's end. */
  get client(): BranchClient {
    return this.current.client;
  }

  /** Runs after this branch has committed, if this process is still there. */
  onCommitted(hook: Hook): void {
    this.current.onCommitted(hook);
  }

  /** Runs after this branch was aborted, if this process is still there. */
  onAborted(hook: Hook): void {
    this.current.onAborted(hook);
  }
}

/** The current branch, if it is one of this participant. */
export class BranchContextOf extends BranchContext {
  constructor(private readonly only: string) {
    super();
  }

  override get active(): boolean {
    return findBranch()?.participant === this.only;
  }

  override get current(): Branch {
    return branchOf(this.only);
  }
}

/**
 * The current branch of a participant. Throws `NoBranch` where there is none, and `BranchMisuse` in a
 * branch of another participant, which votes no then.
 */
export function branchOf(participant: string): Branch {
  const branch = currentBranch();
  if (branch.participant === participant) return branch;
  const why = `used what belongs to participant ${participant}: use what belongs to ${branch.participant}, and let ${participant} do its share in an operation of its own`;
  const scope = openScope();
  throw scope ? refuse(scope, why) : new BranchMisuse(`branch ${branch.gid} ${why}`);
}
