/**
 * The current branch as an injectable: for services that are not operations themselves but work in
 * one. Guards "no work outside the branch by accident": every member throws where there is no branch.
 */
import { Injectable } from '@nestjs/common';
import type { BranchId, Gid, ParticipantName, TransactionId } from '@concordat/protocol';
import { currentBranch, findBranch, type Branch } from '../branch/current-branch.js';
import type { Hook } from '../branch/branch-hooks.js';
import type { BranchClient } from '../postgres/branch-session.js';

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
    return currentBranch().transaction;
  }

  get branch(): BranchId {
    return currentBranch().branch;
  }

  get participant(): ParticipantName {
    return currentBranch().participant;
  }

  get gid(): Gid {
    return currentBranch().gid;
  }

  /** The pg client of the branch. Rejects queries after the branch's end. */
  get client(): BranchClient {
    return currentBranch().client;
  }

  /** Runs after this branch has committed, if this process is still there. */
  onCommitted(hook: Hook): void {
    currentBranch().onCommitted(hook);
  }

  /** Runs after this branch was aborted, if this process is still there. */
  onAborted(hook: Hook): void {
    currentBranch().onAborted(hook);
  }
}
