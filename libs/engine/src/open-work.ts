/**
 * Open work: operations of an interactive transaction, run one after another in a branch that lives
 * in an open database transaction on one instance. Guards protocol §4: a refusal is that branch's
 * vote, and work whose answer was lost is doubtful, so the transaction cannot commit any more.
 */
import type { AbortCause, Incarnation } from '@concordat/protocol';
import type { BranchMemory, LiveTransaction } from './live-transaction.js';
import type { TransactionPerformer } from './perform-transaction.js';
import type { OperationCall, ParticipantChannel, WorkRequest } from './ports/index.js';
import { Refusal, tooLarge } from './refusal.js';

export interface OpenWorkOptions {
  readonly incarnation: Incarnation;
  readonly idleLeaseMs: number;
}

export class OpenWork {
  constructor(
    private readonly channel: ParticipantChannel,
    private readonly performer: TransactionPerformer,
    private readonly options: OpenWorkOptions,
  ) {}

  /** Throws {@link Refusal} when the operations do not fit into one message. */
  assertFits(
    live: LiveTransaction,
    memory: BranchMemory,
    operations: readonly OperationCall[],
  ): void {
    try {
      this.channel.assertFits(this.request(live, memory, operations));
    } catch (error) {
      // Only a branch that no call enlisted is dropped again: one that joined by a direct call stays.
      if (!isEnlisted(live, memory)) live.unremember(memory.branch);
      throw tooLarge(error);
    }
  }

  /** Runs operations in the branch, after those already under way. */
  run(
    live: LiveTransaction,
    memory: BranchMemory,
    operations: readonly OperationCall[],
  ): Promise<readonly unknown[]> {
    const mine = memory.tail.then(() => this.runNow(live, memory, operations));
    memory.tail = mine.catch(() => undefined);
    return mine;
  }

  private async runNow(
    live: LiveTransaction,
    memory: BranchMemory,
    operations: readonly OperationCall[],
  ): Promise<readonly unknown[]> {
    if (live.state.phase !== 'active') throw this.over(live);
    const { branch, participant } = memory;
    memory.operations.push(...operations);
    memory.calls += 1;
    live.record('work-sent', { branch, detail: { operations: operations.map((one) => one.name) } });
    const answer = await this.channel.work(this.request(live, memory, operations));
    if (answer.kind === 'no-responders') {
      throw this.giveUp(live, { kind: 'unreachable', branch, participant });
    }
    if (answer.kind === 'no-answer') {
      // It may have run, or may still run. Without knowing, its effects must not be promised.
      const reason = answer.why;
      throw this.giveUp(live, { kind: 'doubtful-work', branch, participant, reason });
    }
    const { result, instance } = answer.answer;
    memory.instance = instance;
    if (result.kind === 'no') {
      memory.vote = result;
      throw this.giveUp(live, { kind: 'vote', branch, participant, vote: result });
    }
    if (!this.performer.holdOutputs(live, memory, result.outputs)) throw this.over(live);
    memory.outputs.push(...result.outputs);
    live.record('worked', { branch });
    live.wake();
    return result.outputs;
  }

  private giveUp(live: LiveTransaction, cause: AbortCause): Refusal {
    this.performer.apply(live, { type: 'rollback-requested', cause });
    return this.over(live);
  }

  private over(live: LiveTransaction): Refusal {
    const view = live.view();
    if (live.decision() === 'abort') {
      const message = 'The transaction has aborted: begin a new one.';
      return new Refusal('transaction-aborted', message, { view });
    }
    return new Refusal('not-active', `It is ${live.status()}: no work can join it.`, { view });
  }

  private request(
    live: LiveTransaction,
    memory: BranchMemory,
    operations: readonly OperationCall[],
  ): WorkRequest {
    const { branch, participant, instance } = memory;
    return {
      to: { transaction: live.id, branch, participant, ...(instance ? { instance } : {}) },
      epoch: this.options.incarnation,
      call: memory.calls,
      operations,
      timeLeftMs: live.timeLeftMs(),
      ageMs: live.ageMs(),
      idleLeaseMs: this.options.idleLeaseMs,
      ...(live.facts.trace ? { trace: live.facts.trace } : {}),
    };
  }
}

function isEnlisted({ state }: LiveTransaction, { branch }: BranchMemory): boolean {
  return state.branches.has(branch);
}
