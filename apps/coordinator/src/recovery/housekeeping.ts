/**
 * What the coordinator does besides transactions: says that it lives and how far back it reaches,
 * strikes off coordinators that are gone, prunes past retention. Guards protocol §3: what participants
 * may forget rests on the low-water mark, so a coordinator is struck off only when the database has
 * not heard of it for a while *and* the broker says that nobody answers under its name.
 */
import { Logger } from '@nestjs/common';
import { mayBeThere, type Clock, type Liveness, type TransactionManager } from '@concordat/engine';
import type { PostgresDecisionRegister, TransactionReader } from '@concordat/decision-log';
import type { Incarnation } from '@concordat/protocol';

export interface HousekeepingPorts {
  readonly register: PostgresDecisionRegister;
  readonly reader: TransactionReader;
  readonly manager: TransactionManager;
  readonly liveness: Liveness;
  readonly clock: Clock;
}

export interface HousekeepingOptions {
  readonly incarnation: Incarnation;
  readonly heartbeatMs: number;
  readonly pruneEveryMs: number;
  readonly retentionMs: number;
  /** How long the database must not have heard of a coordinator before it may be struck off. */
  readonly silentMs: number;
}

const ABANDONED_AT_ONCE = 100;

export class Housekeeping {
  readonly #logger = new Logger('Housekeeping');
  #cancel: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly ports: HousekeepingPorts,
    private readonly options: HousekeepingOptions,
  ) {}

  /** Resolves once this coordinator is on the list: nothing may begin before. */
  async start(): Promise<void> {
    await this.#heartbeat();
    this.#schedule();
  }

  /** Stops; a coordinator that has ended all its transactions takes itself off the list. */
  async stop(hasEndedAll: boolean): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#running;
    if (!hasEndedAll) return; // It stays, and holds the mark back until another proves it gone.
    await this.#attempt('leave', () =>
      this.ports.register.forgetCoordinator(this.options.incarnation),
    );
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancel = this.ports.clock.after(this.options.heartbeatMs, () => {
      this.#running = this.#tick().finally(() => this.#schedule());
    });
  }

  async #tick(): Promise<void> {
    await this.#attempt('heartbeat', () => this.#heartbeat());
    if (this.ports.clock.now() - this.#prunedAt < this.options.pruneEveryMs) return;
    this.#prunedAt = this.ports.clock.now();
    await this.#attempt('strike off', () => this.#strikeOff());
    await this.#attempt('prune', async () => {
      const { decisions, journal, below } = await this.ports.register.prune(
        this.options.retentionMs,
      );
      if (decisions + journal > 0) {
        this.#logger.log(
          `pruned ${decisions} decisions and ${journal} journal rows below ${below}`,
        );
      }
    });
  }

  async #heartbeat(): Promise<void> {
    const { incarnation } = this.options;
    const oldestLive = this.ports.manager.oldestLive();
    await this.ports.register.heartbeat({ incarnation, ...(oldestLive ? { oldestLive } : {}) });
  }

  async #strikeOff(): Promise<void> {
    for (const { incarnation, seenAgoMs } of await this.ports.register.coordinators()) {
      if (incarnation === this.options.incarnation || seenAgoMs < this.options.silentMs) continue;
      const sign = await this.ports.liveness.of(incarnation);
      if (mayBeThere(sign)) continue; // Silence proves nothing, however long it lasts.
      await this.#settleAbandoned(incarnation);
      await this.ports.register.forgetCoordinator(incarnation);
      this.#logger.log(`coordinator ${incarnation} is gone: struck off`);
    }
  }

  /** What it left undecided can never commit any more: makes that certain, and visible. */
  async #settleAbandoned(incarnation: Incarnation): Promise<void> {
    const { reader, manager } = this.ports;
    for (;;) {
      const abandoned = await reader.abandonedBy(incarnation, ABANDONED_AT_ONCE);
      const answers = await Promise.all(
        abandoned.map((id) => manager.inquire({ transaction: id })),
      );
      if (answers.some((one) => one.kind === 'undecided')) throw new Error('the register is away');
      if (abandoned.length < ABANDONED_AT_ONCE) return;
    }
  }

  /** A register that is away delays housekeeping and nothing else. */
  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#logger.warn(`${what} did not succeed and is tried again: ${why}`);
    }
  }
}
