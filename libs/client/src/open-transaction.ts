/**
 * An open transaction inside `run`: operations through the coordinator, and the context for calling
 * services directly. Guards "doubtful work never commits": when the answer to a call was lost it is
 * unknown whether it ran, so the transaction refuses to commit even if the caller went on.
 */
import { CONTEXT_HEADER, contextValue, type PropagatedTransaction } from './context.js';
import { ConcordatError } from './errors.js';
import type { Transactions } from './transactions.js';
import type { OperationRequest } from './generated/api.js';

export class OpenTransaction implements PropagatedTransaction {
  private firstDoubt: ConcordatError | undefined;
  private readonly transactions: Transactions;
  private readonly traceparent: () => string | undefined;

  constructor(
    readonly id: string,
    transactions: Transactions,
    traceparent: () => string | undefined,
  ) {
    this.transactions = transactions;
    this.traceparent = traceparent;
  }

  /** Runs one operation in a participant's branch; returns what it returns. */
  async call<Output = unknown>(
    participant: string,
    operation: string,
    input?: unknown,
  ): Promise<Output> {
    const [output] = await this.work(participant, [{ name: operation, input }]);
    return output as Output;
  }

  /** Runs several operations of one participant in order, in one message. */
  async work(
    participant: string,
    operations: readonly OperationRequest[],
  ): Promise<readonly unknown[]> {
    try {
      return await this.transactions.work(this.id, participant, operations);
    } catch (error) {
      if (error instanceof ConcordatError) this.firstDoubt ??= error;
      throw error;
    }
  }

  /** Headers that let a service called over HTTP join this transaction by itself. */
  headers(): Record<string, string> {
    const traceparent = this.traceparent();
    return {
      [CONTEXT_HEADER]: contextValue(this.id),
      ...(traceparent ? { traceparent } : {}),
    };
  }

  /** The error after which this transaction must not commit, if a call failed. */
  get doubt(): ConcordatError | undefined {
    return this.firstDoubt;
  }
}
