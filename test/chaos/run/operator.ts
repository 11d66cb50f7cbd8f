/**
 * The operator of a run: looks at what there is, at either coordinator, and aborts or retries it while
 * everything fails. Guards the history: an act is written before its request leaves, with a reason of
 * its own by which its entries in the audit are found, and the noted answer says no more than the answer.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { AdminClient, ConcordatClient, ConcordatProblem } from '@concordat/client';
import { Random } from '../../simulation/random.js';
import type { Product } from '../../stage/product.js';
import type { Recorder } from './recorder.js';

const COORDINATORS = ['coordinator', 'coordinator-2'] as const;
const BREATH_MS = [300, 1_500] as const;
const OPEN_MS = 5_000;
const ANSWER_MS = 3_000;
const LOOKED_AT = 20;

type Where = (typeof COORDINATORS)[number];

export class Operator {
  private readonly random: Random;
  private acts = 0;
  private stopping = false;

  constructor(
    private readonly product: Product,
    private readonly recorder: Recorder,
    seed: number,
  ) {
    this.random = new Random(seed * 1_000 + 999);
  }

  /** Acts until it is stopped. What cannot even be looked at is not acted on. */
  async run(): Promise<void> {
    while (!this.stopping) {
      await this.once(this.random.pick(COORDINATORS)).catch(() => undefined);
      await pause(this.random.between(...BREATH_MS));
    }
  }

  stop(): void {
    this.stopping = true;
  }

  private async once(at: Where): Promise<void> {
    const admin = new AdminClient({
      url: this.product.url(at),
      apiKey: this.product.operatorKey,
      retries: 0,
      requestTimeoutMs: ANSWER_MS,
    });
    const isOwn = this.random.chance(0.5);
    const chosen = isOwn ? await this.open(at) : await this.choose(admin);
    if (chosen === undefined) return;
    const { etag } = await admin.transaction(chosen);
    const action = isOwn || this.random.chance(0.6) ? 'abort' : 'retry';
    await this.act(admin, at, { action, transaction: chosen, etag });
  }

  /** A transaction that is not decided, and that no other process will decide. */
  private async open(at: Where): Promise<string> {
    const { transactions } = new ConcordatClient({
      url: this.product.url(at),
      apiKey: this.product.clientKey,
      retries: 0,
      requestTimeoutMs: ANSWER_MS,
    });
    return (await transactions.begin({ timeoutMs: OPEN_MS })).transaction.transactionId;
  }

  /** Somebody else's: in the middle of its work, in doubt, or long ended. */
  private async choose(admin: AdminClient): Promise<string | undefined> {
    const view = this.random.pick(['all', 'in-doubt', 'stuck'] as const);
    const { transactions } = await admin.transactions({ view, limit: LOOKED_AT });
    if (transactions.length === 0) return undefined;
    return this.random.pick(transactions).transactionId;
  }

  private async act(
    admin: AdminClient,
    at: Where,
    asked: {
      readonly action: 'abort' | 'retry';
      readonly transaction: string;
      readonly etag: string;
    },
  ): Promise<void> {
    const { action, transaction, etag } = asked;
    const act = `operator/${(this.acts += 1)}`;
    this.recorder.record({ type: 'act', act, at, action, transaction });
    try {
      const { auditId } = await admin.act(transaction, { action, reason: act }, etag);
      this.recorder.record({ type: 'acted', act, told: 'done', audit: Number(auditId) });
    } catch (error) {
      // Below 500 it was refused; anything else leaves open whether it was carried out.
      const isRefused = error instanceof ConcordatProblem && error.status < 500;
      const why = error instanceof Error ? error.message : String(error);
      this.recorder.record({ type: 'acted', act, told: isRefused ? 'refused' : 'unknown', why });
    }
  }
}
