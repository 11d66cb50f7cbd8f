/**
 * The client of a Concordat coordinator: `run` for work that commits when it returns and rolls back
 * when it throws, `transactions` for everything else the REST API offers.
 */
import { httpTo, type ConcordatClientOptions } from './client-options.js';
import { withTransaction } from './context.js';
import { ConcordatProblem, TransactionAborted, TransactionAlreadyCommitted } from './errors.js';
import type { Http } from './http.js';
import { OpenTransaction } from './open-transaction.js';
import { Transactions, type BeginOptions, type WaitOptions } from './transactions.js';
import type {
  ClusterState,
  ParticipantState,
  ProblemDetails,
  Transaction,
} from './generated/api.js';

export interface RunOptions extends BeginOptions {
  /** Which moment of the commit to wait for. */
  readonly wait?: WaitOptions;
}

export class ConcordatClient {
  readonly transactions: Transactions;
  private readonly http: Http;

  constructor(options: ConcordatClientOptions) {
    this.http = httpTo(options);
    this.transactions = new Transactions(this.http);
  }

  /**
   * Runs `work` in a transaction: commits when it returns, rolls back when it throws. Inside,
   * `currentTransaction()` is this one. Throws what `work` threw, {@link TransactionAborted} when the
   * commit ended in abort, `TransactionInDoubt` when its outcome is not known yet, and
   * {@link TransactionAlreadyCommitted} when the idempotency key has committed before: then `work`
   * was not called.
   */
  async run<T>(options: RunOptions, work: (tx: OpenTransaction) => Promise<T> | T): Promise<T> {
    const { transaction, replayed } = await this.transactions.begin(options);
    if (replayed) throw alreadyUnderKey(transaction);
    const tx = new OpenTransaction(
      transaction.transactionId,
      this.transactions,
      this.http.options.traceparent,
    );
    let result: T;
    try {
      result = await withTransaction(tx, async () => work(tx));
      if (tx.doubt) throw tx.doubt; // A call failed and `work` went on: its effects are not known.
    } catch (error) {
      await this.giveUp(tx, error);
      throw error;
    }
    await this.transactions.commit(tx.id, options.wait);
    return result;
  }

  /** The participants that are connected, as the coordinator sees them. */
  async participants(): Promise<readonly ParticipantState[]> {
    const answer = await this.http.request({
      method: 'GET',
      path: '/v1/participants',
      repeatable: true,
    });
    return (answer.body as { participants: readonly ParticipantState[] }).participants;
  }

  /** Which cluster this is, and which coordinator answered. */
  async cluster(): Promise<ClusterState> {
    const answer = await this.http.request({
      method: 'GET',
      path: '/v1/cluster',
      repeatable: true,
    });
    return answer.body as ClusterState;
  }

  /** Rolls back to free locks early: if that fails, the transaction ends at its deadline all the same. */
  private async giveUp(tx: OpenTransaction, error: unknown): Promise<void> {
    if (error instanceof TransactionAborted && error.transactionId === tx.id) return;
    const reason = `the work threw ${error instanceof Error ? error.name : 'something'}`;
    await this.transactions.rollback(tx.id, reason).catch(() => undefined);
  }
}

function alreadyUnderKey(transaction: Transaction): Error {
  if (transaction.decision === 'commit') return new TransactionAlreadyCommitted(transaction);
  const problem: ProblemDetails = {
    type: '/problems#not-active',
    title: 'Idempotency key in use',
    status: 409,
    code: 'idempotency-key-in-use',
    detail: `Transaction ${transaction.transactionId} is open under this idempotency key: another run is at work. Run again when it has ended.`,
    retryable: true,
    transactionId: transaction.transactionId,
  };
  return new ConcordatProblem(problem);
}
