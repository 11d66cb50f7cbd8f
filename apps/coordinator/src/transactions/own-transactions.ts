/**
 * Transactions as far as the caller may see and change them. Guards "404 for all others": a client sees what
 * its key began, whatever became of the coordinator that owned it; for all other transactions it gets the
 * same answer as for an id that never existed, before anything is looked up. Viewers and above see
 * everything. Work and commit are for the key that began it alone, with any scope.
 */
import { Injectable } from '@nestjs/common';
import type { KnownTransaction } from '@concordat/diagnosis';
import { isFromTheFuture, PrincipalMarks, TransactionManager } from '@concordat/engine';
import { ownerOf, type TransactionId } from '@concordat/protocol';
import { includes } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { Problem } from '../problems/problem.js';
import { Identity } from '../platform/identity.js';
import { TransactionLookup, unknownTransaction } from './transaction-lookup.js';

@Injectable()
export class OwnTransactions {
  constructor(
    private readonly lookup: TransactionLookup,
    private readonly marks: PrincipalMarks,
    private readonly manager: TransactionManager,
    private readonly identity: Identity,
  ) {}

  /** Whether this key began it: the id says so, without a look at anything. */
  isOwn(id: TransactionId, principal: Principal): boolean {
    return this.marks.isMarked(id, principal.id);
  }

  /** Throws what an unknown id gets, for a client that did not begin it. */
  assertMaySee(id: TransactionId, principal: Principal): void {
    if (includes(principal.scope, 'viewer') || this.isOwn(id, principal)) return;
    throw unknownTransaction(id);
  }

  /** The same for work and commit, which change what its client is doing: not for operators either. */
  assertMayExtend(id: TransactionId, principal: Principal, what: string): void {
    this.assertMaySee(id, principal);
    if (!this.isOwn(id, principal)) throw notTheirs(id, principal, what);
  }

  /** Everything known. Throws 404 where there is no trace, or where it is another client's. */
  async look(id: TransactionId, principal: Principal): Promise<KnownTransaction> {
    this.assertMaySee(id, principal);
    const known = await this.lookup.find(id);
    if (known) return this.theirs(known, principal);
    if (!this.isOwn(id, principal)) throw unknownTransaction(id);
    return this.settled(id);
  }

  /** The same for requests that end a transaction; for an operator they also record an abort. */
  async lookToEnd(id: TransactionId, principal: Principal): Promise<KnownTransaction> {
    this.assertMaySee(id, principal);
    const known = await this.lookup.find(id);
    return known ? this.theirs(known, principal) : this.settled(id);
  }

  /** The record says the same as the id, or the transaction is not shown. */
  private theirs(known: KnownTransaction, { id, scope }: Principal): KnownTransaction {
    const isOthers = known.principal !== undefined && known.principal !== id;
    if (isOthers && !includes(scope, 'viewer')) throw unknownTransaction(known.transaction);
    return known;
  }

  /**
   * Its own, without any trace, and its owner is gone: an abort is recorded, so that the client may rely on
   * it. Crash window closed here: the owner was killed with its commit on the way to the register, where the
   * first of the two counts. An id that is marked was really made, so the aborts that clients can cause are
   * bounded by what they began.
   */
  private async settled(id: TransactionId): Promise<KnownTransaction> {
    const { incarnation, clock } = this.identity;
    if (ownerOf(id) === incarnation || isFromTheFuture(id, clock.wallNow())) {
      throw unknownTransaction(id);
    }
    const answer = await this.manager.inquire({ transaction: id });
    const standing = answer.kind === 'decided' ? await this.lookup.find(id) : undefined;
    if (!standing) throw unknownTransaction(id);
    return standing;
  }
}

function notTheirs(id: TransactionId, { id: key, scope }: Principal, what: string): Problem {
  return new Problem(
    'forbidden',
    `The transaction is not one that the key "${key}" began, and only the key that began it can ${what}. ` +
      'Nothing was done. An operator can roll it back, which is audited: POST …/rollback.',
    { transactionId: id, members: { scope } },
  );
}
