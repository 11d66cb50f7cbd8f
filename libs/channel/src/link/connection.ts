/**
 * A connection to the broker that never gives up and never hides its state. Guards protocol §8: while the
 * broker is unreachable, requests are answered `no-answer` at once and nothing is published, because the
 * client silently drops what is published while disconnected (measured). Closed permanently differs from
 * unreachable: `closed` resolves, and the process should end.
 *
 * Callbacks of subscriptions never throw: an exception inside the client's read loop ends the reader
 * while the connection looks alive.
 */
import type { Clock, Entropy } from '@concordat/engine';
import {
  PermissionViolationError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from '@nats-io/nats-core';
import { Incidents, type ChannelIncident } from './incidents.js';
import { MAX_PAYLOAD_DEFAULT } from '../wire/limits.js';
import { writeOncePerTurn, type SendNow } from './one-write.js';

export type ConnectionStatus =
  | { readonly kind: 'connected'; readonly server: string }
  | { readonly kind: 'disconnected'; readonly why: string }
  /** Permanent: nothing will ever be received here again. */
  | { readonly kind: 'closed'; readonly why: string };

export interface Draining {
  /** Stops taking messages, lets handlers answer for at most `waitMs`, and resolves. */
  drain(waitMs: number): Promise<void>;
}

/** How long handlers at work may take to answer at the end, unless somebody says otherwise. */
export const DRAIN_MS = 10_000;

/** The broker refused a subscription: nothing can be received there. */
export class NotPermitted extends Error {
  override readonly name = 'NotPermitted';
}

export class ChannelConnection {
  /** Resolves when the connection is closed permanently, with the reason unless it was asked for. */
  readonly closed: Promise<Error | undefined>;
  readonly incidents: Incidents;
  private state: ConnectionStatus;
  private draining = false;
  private readonly listeners = new Set<(status: ConnectionStatus) => void>();
  private readonly parts = new Set<Draining>();
  private readonly sendNow: SendNow;

  constructor(
    private readonly nats: NatsConnection,
    readonly name: string,
    readonly clock: Clock,
    readonly entropy: Entropy,
    onIncident: ((incident: ChannelIncident) => void) | undefined,
  ) {
    this.incidents = new Incidents(onIncident);
    this.state = { kind: 'connected', server: nats.getServer() };
    this.sendNow = writeOncePerTurn(nats);
    this.closed = nats.closed().then((error) => {
      this.become({ kind: 'closed', why: error ? error.message : 'closed by this process' });
      return error ?? undefined;
    });
    void this.watch();
  }

  get status(): ConnectionStatus {
    return this.state;
  }

  /** Why nothing can be sent now, or undefined when it can. */
  get unusable(): string | undefined {
    if (this.state.kind === 'connected') return undefined;
    return this.state.kind === 'closed'
      ? `the connection to the broker is closed: ${this.state.why}`
      : `the broker is away: ${this.state.why}`;
  }

  /** Whether new requests are refused because the process is shutting down. */
  get isDraining(): boolean {
    return this.draining;
  }

  /** Resolves when connected (at once if it is); rejects when closed permanently. */
  ready(): Promise<void> {
    if (this.state.kind === 'connected') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const check = (status: ConnectionStatus) => {
        if (status.kind === 'disconnected') return;
        forget();
        if (status.kind === 'connected') resolve();
        else reject(new Error(`${this.name}: the connection is closed: ${status.why}`));
      };
      const forget = this.onStatus(check);
      check(this.state);
    });
  }

  /** Reports every change of status from now on; the result stops it. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The largest message the broker takes, headers included. */
  get maxPayload(): number {
    return this.nats.info?.max_payload ?? MAX_PAYLOAD_DEFAULT;
  }

  get serverVersion(): string | undefined {
    return this.nats.info?.version;
  }

  /**
   * Publishes, or says why not. Undefined means no more than "leaves with this turn of the event loop, if
   * the connection is still there".
   */
  publish(
    subject: string,
    payload: Uint8Array,
    reply?: string,
    headers?: MsgHdrs,
  ): string | undefined {
    if (this.unusable !== undefined) return this.unusable;
    try {
      this.nats.publish(subject, payload, { reply, headers });
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Subscribes; the handler is called in the read loop and may not block. */
  subscribe(subject: string, handler: (message: Msg) => void, queue?: string): Subscription {
    return this.nats.subscribe(subject, {
      queue,
      callback: (error, message) => {
        if (error) {
          this.incidents.report({ kind: 'not-permitted', subject, operation: 'subscribe' });
          return;
        }
        try {
          handler(message);
        } catch (failure) {
          this.incidents.report({ kind: 'handler-failed', subject, error: failure });
        }
      },
    });
  }

  /** Rejects when the connection is closed permanently. */
  private async closedBefore(): Promise<never> {
    const error = await this.closed;
    throw error ?? new Error(`${this.name}: the connection is closed`);
  }

  /** Resolves once the broker has these subscriptions, however often it goes away meanwhile. */
  async confirm(subscriptions: readonly Subscription[]): Promise<void> {
    for (;;) {
      await this.ready();
      try {
        // A flush is never answered once this side has closed the connection: closing ends the wait.
        await Promise.race([this.nats.flush(), this.closedBefore()]);
        break;
      } catch (error) {
        // Lost on the way: the client subscribes again when it reconnects, so only the proof is due.
        if (this.nats.isClosed()) throw error;
        await new Promise<void>((resolve) => this.clock.after(50, resolve));
      }
    }
    const refused = subscriptions.filter((one) => one.isClosed());
    if (refused.length === 0) return;
    const subjects = refused.map((one) => one.getSubject()).join(', ');
    throw new NotPermitted(
      `the broker does not let ${this.name} subscribe to ${subjects}; grant the subscriptions listed in docs/wire-protocol.md`,
    );
  }

  /** Registers something that must finish its answers before the connection closes. */
  drainFirst(part: Draining): () => void {
    this.parts.add(part);
    return () => this.parts.delete(part);
  }

  /**
   * Shutdown: refuses new requests, lets what was received be answered, flushes, closes. Bounded: a
   * handler that hangs, or a broker that is away, does not keep the process.
   */
  async drain(waitMs = DRAIN_MS): Promise<void> {
    this.draining = true;
    const answered = Promise.allSettled([...this.parts].map((part) => part.drain(waitMs)));
    await this.within(
      waitMs,
      answered.then(() => this.flushIfConnected()),
    );
    await this.close();
  }

  async close(): Promise<void> {
    this.draining = true;
    this.sendNow();
    await this.nats.close();
  }

  /** Waits for `work`, but not longer than `ms`. */
  async within(ms: number, work: Promise<unknown>): Promise<void> {
    let cancel: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      cancel = this.clock.after(ms, resolve);
    });
    const done = work.then(
      () => undefined,
      () => undefined,
    );
    await Promise.race([done, over]);
    cancel();
  }

  private async flushIfConnected(): Promise<void> {
    if (this.state.kind === 'connected') await this.nats.flush();
  }

  private async watch(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (status.type === 'disconnect') {
        this.become({ kind: 'disconnected', why: `lost ${status.server}` });
      } else if (status.type === 'staleConnection') {
        this.become({ kind: 'disconnected', why: 'the broker stopped answering pings' });
      } else if (status.type === 'reconnect') {
        this.become({ kind: 'connected', server: status.server });
      } else if (status.type === 'error' && status.error instanceof PermissionViolationError) {
        const { subject, operation } = status.error;
        this.incidents.report({ kind: 'not-permitted', subject, operation });
      }
    }
  }

  private become(status: ConnectionStatus): void {
    if (this.state.kind === 'closed') return;
    this.state = status;
    for (const listener of [...this.listeners]) {
      try {
        listener(status);
      } catch (error) {
        // One listener that throws must not keep the others, or the watch itself, from hearing it.
        this.incidents.report({ kind: 'handler-failed', subject: `status ${status.kind}`, error });
      }
    }
  }
}
