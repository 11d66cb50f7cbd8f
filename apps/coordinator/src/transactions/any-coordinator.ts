/**
 * Work, commit and rollback at any coordinator: carried out here where the transaction is live here, by its
 * owner where that lives, and else answered from what is on record. Guards "a missing answer claims nothing":
 * an owner that does not answer may have done it, so the client gets "not known", unless the register knows
 * more; only a rollback goes on through the register, where the first of two proposals counts.
 */
import { Inject, Injectable } from '@nestjs/common';
import type { Rollback, RunOperations } from '@concordat/api';
import { ownerOf, type TransactionId } from '@concordat/protocol';
import type { Principal } from '../access/key-ring.js';
import { CONFIG, type CoordinatorConfig } from '../platform/coordinator.config.js';
import { Forwarder, type Asked, type Told } from '../forwarding/forwarder.js';
import { Problem } from '../problems/problem.js';
import type { Reply } from '../requests/reply.js';
import type { Wait } from '../requests/wait.js';
import { OwnTransactions } from './own-transactions.js';
import { rollbackReason, TransactionCommands } from './transaction-commands.js';
import { TransactionLookup } from './transaction-lookup.js';

/** Longer than the owner may wait by agreement: its own questions to the register take time too. */
const MARGIN_MS = 10_000;

@Injectable()
export class AnyCoordinator {
  constructor(
    private readonly commands: TransactionCommands,
    private readonly own: OwnTransactions,
    private readonly lookup: TransactionLookup,
    private readonly forwarder: Forwarder,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  async work(
    id: TransactionId,
    body: RunOperations,
    principal: Principal,
    key?: string,
  ): Promise<Reply> {
    const here = () => this.commands.work(id, body, principal, key);
    if (this.lookup.isHere(id)) return here();
    this.own.assertMayExtend(id, principal, 'run operations in it');
    const asked: Asked = { transaction: id, verb: 'work', body, ...(key ? { key } : {}) };
    const told = await this.ask(asked, principal, this.config.timeoutMsMax);
    if (told.kind === 'answered') return told.reply;
    if (told.kind === 'gone' || (await this.isDecided(id))) return here();
    const what = key
      ? 'The operations may have run. Send the same request again, under the same Idempotency-Key: they run once.'
      : 'The operations may have run, and a repeat without an Idempotency-Key would run them again: roll back and begin again.';
    throw notAnswered(id, told.why, what, key !== undefined);
  }

  async commit(id: TransactionId, principal: Principal, wait: Wait): Promise<Reply> {
    const here = () => this.commands.commit(id, principal, wait);
    if (this.lookup.isHere(id)) return here();
    this.own.assertMayExtend(id, principal, 'commit it');
    const told = await this.ask({ transaction: id, verb: 'commit', wait }, principal, wait.waitMs);
    if (told.kind === 'answered') return told.reply;
    if (told.kind === 'gone' || (await this.isDecided(id))) return here();
    throw notAnswered(id, told.why, 'It may commit or abort; ask again, a commit is repeatable.');
  }

  async rollback(
    id: TransactionId,
    body: Rollback,
    principal: Principal,
    wait: Wait,
  ): Promise<Reply> {
    const reason = rollbackReason(body);
    const here = () => this.commands.rollback(id, reason, principal, wait);
    if (this.lookup.isHere(id)) return here();
    this.own.assertMaySee(id, principal);
    const asked: Asked = { transaction: id, verb: 'rollback', body, wait };
    const told = await this.ask(asked, principal, wait.waitMs);
    if (told.kind === 'answered') return told.reply;
    if (told.kind === 'gone') return here();
    return this.commands.rollbackByRegister(id, reason, principal, wait);
  }

  private ask(asked: Asked, principal: Principal, heldMs: number): Promise<Told> {
    return this.forwarder.ask(asked, principal, heldMs + MARGIN_MS);
  }

  /** Whether the register knows more than the missing answer of the owner. */
  private async isDecided(id: TransactionId): Promise<boolean> {
    return (await this.lookup.recorded(id))?.decision !== undefined;
  }
}

function notAnswered(id: TransactionId, why: string, what: string, retryable = true): Problem {
  const owner = ownerOf(id);
  return new Problem(
    'not-known-now',
    `Coordinator ${owner}, which began the transaction, was asked and has not answered (${why}). ${what}`,
    {
      transactionId: id,
      retryable,
      members: { owner },
      ...(retryable ? { retryAfterMs: 1_000 } : {}),
    },
  );
}
