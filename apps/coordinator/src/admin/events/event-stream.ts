/**
 * The admin events as server-sent events. Guards "no endless connection": bounded in number, kept awake
 * by comments, ended when the coordinator stops or the session that opened it is over; a slow reader is
 * waited for, and what it missed meanwhile comes from the ring or as a reset.
 */
import { Injectable } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readiness } from '../../health/readiness.js';
import type { AdminSession } from '../../access/admin-sessions.js';
import { StreamSlots } from '../../requests/stream-slots.js';
import { Identity } from '../../platform/identity.js';
import { AdminEvents, type NumberedEvent } from './admin-events.js';

const STREAMS_MAX = 500;
const STREAMS_MAX_PER_KEY = 50;
const HEARTBEAT_MS = 15_000;
const RECONNECT_MS = 1_000;

/** Whose stream it is; with a session, it ends with it, within a heartbeat of a sign-out. */
export interface Watcher {
  readonly key: string;
  readonly session?: AdminSession | undefined;
}

@Injectable()
export class EventStream {
  private readonly slots = new StreamSlots('streams of events', STREAMS_MAX, STREAMS_MAX_PER_KEY);

  constructor(
    private readonly events: AdminEvents,
    private readonly readiness: Readiness,
    private readonly identity: Identity,
  ) {}

  /** Streams what comes after `lastId` until the client is gone, or the session that asked is over. */
  async stream(response: ServerResponse, lastId: string | undefined, by: Watcher): Promise<void> {
    const back = this.slots.take(by.key);
    try {
      await this.run(response, lastId, by);
    } finally {
      back();
      response.end();
    }
  }

  private async run(
    response: ServerResponse,
    lastId: string | undefined,
    { session }: Watcher,
  ): Promise<void> {
    let wake: () => void = () => undefined;
    const forget = [
      this.events.watch(() => wake()),
      this.readiness.onDraining(() => wake()),
      onClose(response, () => wake()),
    ];
    try {
      response.writeHead(200, {
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      await write(response, `retry: ${RECONNECT_MS}\n: hello\n\n`);
      let last = lastId === undefined ? this.events.last : this.numberOf(lastId);
      while (!response.destroyed && !this.readiness.isDraining) {
        const leftMs = session
          ? session.endsAtMs - this.identity.clock.wallNow()
          : Number.POSITIVE_INFINITY;
        if (leftMs <= 0 || session?.isOver()) return;
        const news = this.events.after(last);
        last = this.events.last;
        if (news === undefined) await write(response, this.text(last, { type: 'reset' }));
        else if (news.length > 0) await write(response, this.texts(news));
        else if (await this.quiet((call) => (wake = call), leftMs)) await write(response, ': \n\n');
      }
    } finally {
      for (const one of forget) one();
    }
  }

  /** Waits for something new; true when there was nothing for as long as proxies bear. */
  private quiet(onWake: (call: () => void) => void, leftMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.identity.clock.after(Math.min(HEARTBEAT_MS, leftMs), () => resolve(true));
      onWake(() => {
        cancel();
        resolve(false);
      });
    });
  }

  private texts(news: readonly NumberedEvent[]): string {
    return news.map(({ number, event }) => this.text(number, event)).join('');
  }

  /** Ids name the coordinator, so that one of another is known to be foreign. */
  private text(number: number, event: object & { readonly type: string }): string {
    const id = `${this.identity.incarnation}-${number}`;
    return `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  }

  /** Below everything that is here for an id that is not of this coordinator. */
  private numberOf(id: string): number {
    const [incarnation, number = ''] = id.trim().split('-');
    const isOurs = incarnation === this.identity.incarnation && /^\d{1,15}$/.test(number);
    return isOurs ? Number(number) : -1;
  }
}

function onClose(response: ServerResponse, listener: () => void): () => void {
  response.once('close', listener);
  return () => response.off('close', listener);
}

/** Writes, and waits for a slow reader instead of piling up; not for one that is gone. */
async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.write(text) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
