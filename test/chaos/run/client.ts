/**
 * One client of the product: sends work in every way there is and writes down what it asked and what
 * it was answered. Guards the history: an attempt is written before its first byte leaves, and its answer
 * says no more than was said.
 */
import { ConcordatClient, TransactionAborted, type Transaction } from '@concordat/client';
import type { Random } from '../../simulation/random.js';
import type { Product, ServiceId } from '../../stage/product.js';
import type { Recorder } from './recorder.js';
import { toldBySubmit, toldByTransaction, unknown, type HttpAnswer, type Told } from './told.js';
import type { Branch, Work } from './work.js';

export type Coordinator = Extract<ServiceId, 'coordinator' | 'coordinator-2'>;
export type Moment = 'decided' | 'completed';

export interface Sending {
  readonly at: Coordinator;
  readonly until?: Moment;
  readonly key?: string;
  /** Of a repeat: the label of the first. */
  readonly label?: string;
  /** Where nothing is wrong, a slow machine must not look like a fault. */
  readonly patient?: true;
}

/** How long a transaction may take, its client waits for the moment, and for any answer at all. */
const TIMEOUT_MS = 4_000;
const WAIT_MS = 5_000;
const ANSWER_MS = 7_000;
const PATIENT_MS = 25_000;
const LOOK_MS = 1_000;

export class Client {
  private sent = 0;

  constructor(
    private readonly name: string,
    private readonly product: Product,
    private readonly recorder: Recorder,
    private readonly random: Random,
  ) {}

  newLabel(): string {
    return `${this.name}-${(this.sent += 1)}`;
  }

  /** The whole transaction in one call. */
  submit(work: Work, sending: Sending): Promise<Told> {
    const { at, until = 'decided', key, label = this.newLabel(), patient } = sending;
    const [timeoutMs, waitMs] = patient ? [PATIENT_MS, PATIENT_MS] : [TIMEOUT_MS, WAIT_MS];
    return this.attempt({ ...sending, label }, work, async () => {
      const answer = await this.request('POST', this.product.url(at), {
        path: `/v1/transactions?until=${until}&wait=${waitMs}ms`,
        body: { label, timeoutMs, commit: true, branches: work.branches },
        headers: key === undefined ? {} : { 'idempotency-key': key },
        answerMs: waitMs + ANSWER_MS - WAIT_MS,
      });
      return toldBySubmit(answer, until);
    });
  }

  /** Step by step; some steps as calls to the services themselves, and some end in a roll-back. */
  interact(work: Work, sending: Sending): Promise<Told> {
    const label = this.newLabel();
    const { transactions } = this.library(sending.at);
    return this.attempt({ ...sending, label }, work, async () => {
      let transaction: string | undefined;
      try {
        const begun = await transactions.begin({ label, timeoutMs: TIMEOUT_MS });
        transaction = begun.transaction.transactionId;
        for (const branch of work.branches) await this.workOn(transaction, branch, sending.at);
      } catch (error) {
        // Its commit was not requested, so with any result of the call, it never commits.
        if (transaction !== undefined) void this.rollBack(transaction, sending.at);
        const code = error instanceof Error ? error.name : 'gave up';
        return { type: 'fail', code, ...(transaction === undefined ? {} : { transaction }) };
      }
      if (this.random.chance(1 / 6)) return this.rollBack(transaction, sending.at);
      return this.commit(transaction, sending);
    });
  }

  /** What a coordinator, perhaps not its owner, says of a transaction. */
  look(transaction: string, at: Coordinator): Promise<Told> {
    const work: Work = { op: 'look', branches: [], deltas: [] };
    return this.attempt({ at }, work, async () => {
      const path = `/v1/transactions/${transaction}?wait=${LOOK_MS}ms`;
      const answer = await this.request('GET', this.product.url(at), { path });
      if (answer.status !== 200) return { type: 'info', transaction, why: `${answer.status}` };
      const isEnded = answer.body['endedAt'] !== undefined;
      return toldByTransaction(answer.body, isEnded ? 'completed' : 'decided');
    });
  }

  private async attempt(sending: Sending, work: Work, send: () => Promise<Told>): Promise<Told> {
    const { at, key, label } = sending;
    const attempt = `${this.name}/${(this.sent += 1)}`;
    this.recorder.record({
      type: 'invoke',
      attempt,
      proc: this.name,
      op: work.op,
      at,
      ...(label === undefined ? {} : { label }),
      ...(key === undefined ? {} : { key }),
      ...(work.mayRefuse ? { mayRefuse: true } : {}),
      deltas: work.deltas,
    });
    const told = await send().catch((error: unknown) => unknown(error));
    this.recorder.record({ ...told, attempt });
    return told;
  }

  private async workOn(transaction: string, branch: Branch, at: Coordinator): Promise<void> {
    const { participant, operations } = branch;
    const [operation] = operations;
    const isDirect = participant !== 'inventory' && operations.length === 1;
    if (!isDirect || !operation || this.random.chance(0.6)) {
      const signal = AbortSignal.timeout(ANSWER_MS);
      await this.library(at).transactions.work(transaction, participant, operations, signal);
      return;
    }
    const { account, ...input } = operation.input as { account: string };
    const answer = await this.request('POST', this.product.url(participant), {
      path: `/accounts/${account}/${operation.name}`,
      body: input,
      headers: { 'concordat-context': `v1;tx=${transaction}` },
    });
    if (answer.status >= 300) throw new Error(`${participant} answered ${answer.status}`);
  }

  private async commit(transaction: string, { at, until = 'decided' }: Sending): Promise<Told> {
    try {
      const wait = { until, waitMs: WAIT_MS };
      const done = await this.library(at).transactions.commit(transaction, wait);
      return toldByTransaction(asBody(done), done.endedAt === undefined ? 'decided' : until);
    } catch (error) {
      if (!(error instanceof TransactionAborted)) return unknown(error, transaction);
      return { type: 'fail', transaction, code: 'transaction-aborted', cause: error.cause.kind };
    }
  }

  private async rollBack(transaction: string, at: Coordinator): Promise<Told> {
    try {
      const wait = { waitMs: LOOK_MS };
      const { transactions } = this.library(at);
      const done = await transactions.rollback(transaction, 'second thoughts', wait);
      return toldByTransaction(asBody(done), 'decided');
    } catch (error) {
      const code = error instanceof Error ? error.name : 'gave up';
      return { type: 'fail', transaction, code };
    }
  }

  private library(at: Coordinator): ConcordatClient {
    return new ConcordatClient({
      url: this.product.url(at),
      apiKey: this.product.clientKey,
      retries: 1,
      requestTimeoutMs: ANSWER_MS - WAIT_MS,
    });
  }

  private async request(
    method: string,
    url: string,
    {
      path,
      body,
      headers = {},
      answerMs = ANSWER_MS,
    }: {
      path: string;
      body?: unknown;
      headers?: Readonly<Record<string, string>>;
      answerMs?: number;
    },
  ): Promise<HttpAnswer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.product.clientKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMs),
    });
    const read = await response.text();
    const parsed = read === '' ? {} : (JSON.parse(read) as Record<string, unknown>);
    return { status: response.status, body: parsed };
  }
}

function asBody(transaction: Transaction): Readonly<Record<string, unknown>> {
  return transaction as unknown as Readonly<Record<string, unknown>>;
}
