/**
 * What clients do to transactions: begin, work, commit, roll back. Guards the shape of every answer:
 * nothing is begun while the register or the broker is away, a client acts on its own transactions
 * only, and a transaction that is not live here is answered from what is on record, never from a guess.
 */
import type { KnownTransaction } from '@concordat/diagnosis';
import type { BeginTransaction, Rollback, RunOperations, WorkResource } from '@concordat/api';
import { PostgresDecisionRegister } from '@concordat/decision-log';
import { Injectable } from '@nestjs/common';
import {
  isFromTheFuture,
  KeyedBegins,
  TransactionManager,
  type BeginRequest,
  type BegunRequest,
  type BranchRequest,
  type IdempotencyKey,
  type KeyClaim,
  type KeyedAdmission,
  type StandingDecision,
  type TraceContext,
} from '@concordat/engine';
import { decidedAt, type ParticipantName, type TransactionId } from '@concordat/protocol';
import { includes } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { Readiness } from '../health/readiness.js';
import { Joining } from '../forwarding/joining.js';
import { fingerprint } from '../idempotency/canonical-json.js';
import type { Reply } from '../requests/reply.js';
import type { Wait } from '../requests/wait.js';
import { Identity } from '../platform/identity.js';
import { liveElsewhere, withStoredOutputs } from '../known/known-transaction.js';
import { KeyedWork } from './keyed-work.js';
import { OpenOne } from './open-one.js';
import { OwnTransactions } from './own-transactions.js';
import { TransactionLookup, unknownTransaction } from './transaction-lookup.js';
import {
  alreadyCommitted,
  begunReply,
  commitReply,
  ownedElsewhere,
  replayed,
  rollbackReply,
} from './transaction.replies.js';

export interface BeginContext {
  readonly principal: Principal;
  readonly idempotencyKey?: string;
  readonly trace?: TraceContext;
  readonly wait: Wait;
}

@Injectable()
export class TransactionCommands {
  constructor(
    private readonly manager: TransactionManager,
    private readonly lookup: TransactionLookup,
    private readonly own: OwnTransactions,
    private readonly keyed: KeyedBegins,
    private readonly joining: Joining,
    private readonly keyedWork: KeyedWork,
    private readonly register: PostgresDecisionRegister,
    private readonly readiness: Readiness,
    private readonly identity: Identity,
  ) {}

  async begin(body: BeginTransaction, context: BeginContext): Promise<Reply> {
    const { principal, idempotencyKey, trace, wait } = context;
    this.readiness.assertAdmitting();
    const request: BeginRequest = {
      principal: principal.id,
      ...(body.label === undefined ? {} : { label: body.label }),
      ...(body.timeoutMs === undefined ? {} : { timeoutMs: body.timeoutMs }),
      ...(trace ? { trace } : {}),
    };
    if (idempotencyKey === undefined) {
      return this.answer(body, await this.start(body, request), wait);
    }
    const keyed: IdempotencyKey = {
      key: `${principal.id}:${idempotencyKey}`,
      fingerprint: fingerprint(body),
    };
    const { clock } = this.identity;
    const overAt = clock.now() + wait.waitMs;
    const admission = await this.keyed.admit(keyed, {
      claimant: () => this.manager.spareId(principal.id),
      begin: () => this.start(body, { ...request, idempotency: keyed }),
      join: (claim, over) => {
        const waitMs = Math.max(0, Math.ceil(overAt - clock.now()));
        const asked = { key: idempotencyKey, wait: { ...wait, waitMs } };
        return this.joining.ask(claim, asked, principal, over);
      },
    });
    return admission.kind === 'elsewhere'
      ? admission.answer
      : this.admitted(admission, keyed, wait);
  }

  /**
   * The answer to a request under a key that came to another coordinator, by the claim that was seen there;
   * undefined when nothing runs under it here (any more).
   */
  async join(claim: KeyClaim, principal: Principal, wait: Wait): Promise<Reply | undefined> {
    this.own.assertMayExtend(claim.claimant, principal, 'join it');
    const admission = await this.keyed.joinedBy(claim);
    return admission && this.admitted(admission, claim, wait);
  }

  private async admitted(
    admission: KeyedAdmission,
    keyed: IdempotencyKey,
    wait: Wait,
  ): Promise<Reply> {
    if (admission.kind === 'stored') return this.stored(admission.standing, wait);
    const { begun } = admission;
    const reply =
      begun instanceof OpenOne
        ? await this.opened(begun, wait)
        : await this.committed(begun, keyed, wait);
    return admission.replayed ? replayed(reply) : reply;
  }

  private async committed(begun: BegunRequest, keyed: IdempotencyKey, wait: Wait): Promise<Reply> {
    const settled = await this.tried(begun, wait);
    if (settled.decision === 'abort') {
      // Perhaps another coordinator's transaction committed under this key, and this one met its
      // locks or came second at the register: then that one's answer is the answer.
      const holder = await this.keyed.holder(keyed);
      if (holder) return this.stored(holder, wait);
    }
    return commitReply(settled, wait, this.now());
  }

  /** Runs operations in a participant's branch of an open transaction; under a key, once. */
  async work(
    id: TransactionId,
    body: RunOperations,
    principal: Principal,
    key?: string,
  ): Promise<Reply> {
    this.own.assertMayExtend(id, principal, 'run operations in it');
    await this.liveHere(id, principal, 'run operations in it');
    const run = () => this.run(id, body);
    const { resource, replayed: isReplayed } =
      key === undefined
        ? { resource: await run(), replayed: false }
        : await this.keyedWork.run(id, key, body, run);
    const reply = { status: 200, body: resource, headers: { 'Cache-Control': 'no-store' } };
    return isReplayed ? replayed(reply) : reply;
  }

  private async run(id: TransactionId, body: RunOperations): Promise<WorkResource> {
    const [branch] = branchRequests([body]);
    const { participant, operations } = branch as BranchRequest;
    const done = await this.manager.work(id, participant, operations);
    return { transactionId: id, branch: done.branch, participant, outputs: [...done.outputs] };
  }

  async commit(id: TransactionId, principal: Principal, wait: Wait): Promise<Reply> {
    this.own.assertMayExtend(id, principal, 'commit it');
    const known = await this.own.lookToEnd(id, principal);
    if (known.decision === undefined && !this.manager.view(id)) {
      throw ownedElsewhere(known, 'commit it');
    }
    if (known.decision === undefined) {
      // Not awaited: work that is still under way comes first, and may outlast this request's wait.
      // What it can refuse is that the transaction is not live any more; then its end is returned below.
      this.manager.commit(id, { until: 'decided', waitMs: 0 }).catch(() => undefined);
    }
    return commitReply(await this.settled(id, wait), wait, this.now());
  }

  async rollback(
    id: TransactionId,
    reason: string,
    principal: Principal,
    wait: Wait,
  ): Promise<Reply> {
    const known = await this.own.lookToEnd(id, principal);
    if (known.decision === 'commit') throw alreadyCommitted(known);
    if (known.decision === undefined) {
      if (this.manager.view(id)) {
        await this.manager.rollback(id, reason, { until: 'decided', waitMs: 0 });
      } else {
        await this.abortElsewhere(known, reason, principal);
      }
    }
    return rollbackReply(await this.settled(id, wait), wait, this.now());
  }

  /**
   * Rolls back without its owner, which does not answer: an abort is proposed to the register, and the
   * decision on record is returned. The owner may be about to commit: the first of the two counts.
   */
  async rollbackByRegister(
    id: TransactionId,
    reason: string,
    principal: Principal,
    wait: Wait,
  ): Promise<Reply> {
    this.own.assertMaySee(id, principal);
    if (isFromTheFuture(id, this.now())) throw unknownTransaction(id);
    const known = (await this.lookup.recorded(id)) ?? liveElsewhere(id);
    if (known.decision === undefined) await this.abortElsewhere(known, reason, principal);
    return rollbackReply(await this.settled(id, wait), wait, this.now());
  }

  /**
   * Aborts a transaction that is live at another coordinator, through the register (protocol §7). Its
   * owner may be proposing commit at this moment: the first of the two counts, and is the answer.
   */
  private async abortElsewhere(
    known: KnownTransaction,
    reason: string,
    by: Principal,
  ): Promise<void> {
    if (decidedAt(known.transaction) !== undefined) {
      // Its participant decides it, whatever its owner is doing.
      await this.manager.inquire({ transaction: known.transaction, regardless: true });
      return;
    }
    const cause = {
      kind: includes(by.scope, 'operator') ? 'operator' : 'rollback-requested',
      reason,
    };
    await this.register.decide({
      transaction: known.transaction,
      proposed: 'abort',
      finisher: this.identity.incarnation,
      ...(known.principal === undefined ? {} : { principal: known.principal }),
      branches: [],
      note: { ...(known.label === undefined ? {} : { label: known.label }), cause },
    });
  }

  /** Begins, and does with the branches of the body what it asks for. */
  private async start(body: BeginTransaction, request: BeginRequest): Promise<BegunRequest> {
    const branches = branchRequests(body.branches ?? []);
    const { commit, retry, prepare } = body;
    if (commit) return this.manager.launch({ ...request, branches, retry, prepare });
    const id = this.manager.begin(request).transaction;
    const works = branches.map((one) => this.manager.work(id, one.participant, one.operations));
    const failed = (await Promise.allSettled(works)).find((one) => one.status === 'rejected');
    if (!failed) return new OpenOne(this.manager, id);
    // The client gets a refusal and never learns the id: nothing of it may stay open.
    if (this.manager.isLive(id)) {
      const wait = { until: 'decided', waitMs: 0 } as const;
      await this.manager.rollback(id, 'its first work was refused', wait);
    }
    throw failed.reason;
  }

  private async answer(body: BeginTransaction, begun: BegunRequest, wait: Wait): Promise<Reply> {
    if (body.commit) return commitReply(await this.tried(begun, wait), wait, this.now());
    return this.opened(begun, wait);
  }

  private async opened({ transaction: id }: BegunRequest, wait: Wait): Promise<Reply> {
    const known = await this.lookup.find(id);
    if (!known) throw unknownTransaction(id);
    if (known.decision === undefined) return begunReply(known, this.now());
    return commitReply(known, wait, this.now()); // It ended meanwhile: a joined begin, answered late.
  }

  /** The answer of the transaction that committed under the same key. */
  private async stored({ transaction, answer }: StandingDecision, wait: Wait): Promise<Reply> {
    const known = withStoredOutputs(await this.settled(transaction, wait), answer);
    return replayed(commitReply(known, wait, this.now()));
  }

  /** Waits for the attempts of a request, then for the last of them, whose id is visible from then on. */
  private async tried(begun: BegunRequest, wait: Wait): Promise<KnownTransaction> {
    const { clock } = this.identity;
    const overAt = clock.now() + wait.waitMs;
    let forget: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (forget = this.readiness.onEnding(resolve)));
    await Promise.race([begun.wait(wait.waitMs), stopped]);
    forget();
    const waitMs = Math.max(0, overAt - clock.now());
    return this.settled(begun.conclude(), { ...wait, waitMs });
  }

  private async settled(id: TransactionId, wait: Wait): Promise<KnownTransaction> {
    const { until, waitMs } = wait;
    const known = await this.lookup.settle(id, until, waitMs, (listener) =>
      this.readiness.onEnding(listener),
    );
    if (!known) throw unknownTransaction(id);
    return known;
  }

  private async liveHere(id: TransactionId, principal: Principal, what: string): Promise<void> {
    const known = await this.own.look(id, principal);
    if (this.manager.view(id)) return;
    if (known.decision === 'commit') throw alreadyCommitted(known);
    if (known.decision === 'abort') commitReply(known, { until: 'decided', waitMs: 0 }, this.now());
    throw ownedElsewhere(known, what);
  }

  private now(): number {
    return this.identity.clock.wallNow();
  }
}

function branchRequests(branches: readonly RunOperations[]): BranchRequest[] {
  return branches.map(({ participant, operations }) => ({
    participant: participant as ParticipantName, // Checked by the schema.
    operations: operations.map(({ name, input = {} }) => ({ name, input })),
  }));
}

export function rollbackReason({ reason }: Rollback): string {
  return reason ?? 'the client asked for it';
}
