/**
 * The subscriptions of one server, and their end. Guards "listening means listening": ready only
 * after the broker has confirmed every subscription, and at shutdown no message that was already
 * received goes unanswered, as long as the drain time lasts: a handler that hangs must not keep the
 * process until its transaction's time is over.
 */
import type { Msg, Subscription } from '@nats-io/nats-core';
import type { ChannelConnection } from './connection.js';

export class Subscriptions {
  private readonly held = new Map<string, Subscription>();
  private idle: () => Promise<unknown> = () => Promise.resolve();
  private forget: () => void = () => undefined;

  constructor(private readonly connection: ChannelConnection) {}

  add(subject: string, handler: (message: Msg) => void, queue?: string): void {
    this.held.set(subject, this.connection.subscribe(subject, handler, queue));
  }

  /** Resolves once the broker has them all. `idle` resolves when no handler is at work. */
  async confirm(idle: () => Promise<unknown>): Promise<void> {
    this.idle = idle;
    try {
      await this.connection.confirm([...this.held.values()]);
    } catch (error) {
      // Half of a server would take commands that it cannot see through.
      await this.drop([...this.held.keys()]);
      throw error;
    }
    this.forget = this.connection.drainFirst(this);
  }

  /** Stops hearing some subjects, after what has already arrived. */
  async drop(subjects: readonly string[]): Promise<void> {
    const ending: Promise<unknown>[] = [];
    for (const subject of subjects) {
      const subscription = this.held.get(subject);
      if (!subscription || !this.held.delete(subject)) continue;
      if (subscription.isClosed()) continue;
      // A broker that is away can confirm nothing, and has nothing more for us either.
      if (this.connection.unusable === undefined) ending.push(subscription.drain());
      else subscription.unsubscribe();
    }
    // Draining waits for a flush, which is never answered once this side has closed the connection.
    await Promise.race([Promise.allSettled(ending), this.connection.closed]);
  }

  /** Resolves when every received message is answered, or when `waitMs` is over. */
  async drain(waitMs: number): Promise<void> {
    this.forget();
    const answered = this.drop([...this.held.keys()]).then(() => this.idle());
    await this.connection.within(waitMs, answered);
  }
}
