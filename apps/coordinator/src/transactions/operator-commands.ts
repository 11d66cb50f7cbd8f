/**
 * What operators may do to a transaction. Guards protocol §6 and §7: a retry repeats what stands, a
 * resolution is recorded beside the evidence and never replaces it, and both leave a line in the log.
 */
import { Injectable, Logger } from '@nestjs/common';
import { NothingToResolve, PostgresDecisionRegister } from '@concordat/decision-log';
import { Recoverer, TransactionManager } from '@concordat/engine';
import type { BranchId, TransactionId } from '@concordat/protocol';
import type { Principal } from '../access/key-ring.js';
import { invalidRequest, Problem } from '../problems/problem.js';
import type { Reply } from '../requests/reply.js';
import { Identity } from '../wiring/identity.js';
import { hasEnded, type KnownTransaction } from './known-transaction.js';
import { TransactionLookup, unknownTransaction } from './transaction-lookup.js';
import { ownedElsewhere, shown } from './transaction.replies.js';

@Injectable()
export class OperatorCommands {
  readonly #logger = new Logger('Operators');

  constructor(
    private readonly manager: TransactionManager,
    private readonly recoverer: Recoverer,
    private readonly register: PostgresDecisionRegister,
    private readonly lookup: TransactionLookup,
    private readonly identity: Identity,
  ) {}

  /** Delivers a standing decision again now. A commit whose finisher is gone is taken over first. */
  async retry(id: TransactionId, branch: string | undefined): Promise<Reply> {
    const known = await this.#known(id);
    if (branch !== undefined && !known.branches.some((one) => one.branch === branch)) {
      const numbers = known.branches.map((one) => one.branch).join(', ');
      const message = `is not one of its branches: ${numbers || 'it has none'}`;
      throw invalidRequest([{ field: 'branch', message }]);
    }
    if (hasEnded(known) || known.decision === undefined) throw nothingToDeliver(known);
    if (!this.manager.view(id)) await this.recoverer.pass();
    if (!this.manager.view(id)) throw ownedElsewhere(known, 'deliver its decision');
    this.manager.retryNow(id, branch as BranchId | undefined);
    return this.#shown(id);
  }

  /** Records how the branches of a heuristic outcome were reconciled. */
  async resolve(id: TransactionId, reason: string, principal: Principal): Promise<Reply> {
    const known = await this.#known(id);
    const seen = known.branches.flatMap(({ branch, outcome }) =>
      outcome?.kind === 'heuristic' ? [branch] : [],
    );
    try {
      const resolution = { by: principal.id, reason, branches: seen };
      const { branches } = await this.register.resolveHeuristic(id, resolution);
      this.#logger.warn(
        `heuristic of ${id}, branches ${branches.join(', ')}, resolved by ${principal.id}: ${reason}`,
      );
    } catch (error) {
      if (!(error instanceof NothingToResolve)) throw error;
      throw new Problem(
        'not-in-doubt',
        `There is no unresolved heuristic branch: the transaction is ${known.status}. Nothing was recorded.`,
        { transactionId: id, retryable: false },
      );
    }
    return this.#shown(id);
  }

  async #known(id: TransactionId): Promise<KnownTransaction> {
    const known = await this.lookup.find(id);
    if (known) return known;
    throw unknownTransaction(id);
  }

  async #shown(id: TransactionId): Promise<Reply> {
    const known = await this.#known(id);
    return shown(known, this.identity.clock.wallNow(), { scope: 'operator' });
  }
}

function nothingToDeliver(known: KnownTransaction): Problem {
  const why =
    known.decision === undefined
      ? 'it is not decided yet, so there is nothing to deliver; wait for its deadline or roll it back'
      : 'every branch has reported';
  return new Problem('not-in-doubt', `The transaction is ${known.status}: ${why}.`, {
    transactionId: known.transaction,
    retryable: false,
  });
}
