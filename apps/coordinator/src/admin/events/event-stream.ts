/**
 * The admin events as server-sent events. Guards "no endless connection": bounded in number, kept awake
 * by comments, ended when the coordinator stops or the session that opened it is over; a slow reader is
 * waited for, and what it missed meanwhile comes from the ring or as a reset.
 */
import { Injectable } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readiness } from '../../health/readiness.js';
import type { AdminSession } from '../../access/admin-sessions.js';
import {
  commentText,
  eventText,
  HEARTBEAT_MS,
  onGone,
  sendEvents,
} from '../../requests/server-sent-events.js';
import { StreamSlots } from '../../requests/stream-slots.js';
import { Identity } from '../../platform/identity.js';
import { AdminEvents } from './admin-events.js';

const STREAMS_MAX = 500;
const STREAMS_MAX_PER_KEY = 50;

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
      await sendEvents(response, this.texts(response, lastId, by));
    } finally {
      back();
    }
  }

  private async *texts(
    response: ServerResponse,
    lastId: string | undefined,
    { session }: Watcher,
  ): AsyncGenerator<string> {
    let wake: () => void = () => undefined;
    const forget = [
      this.events.watch(() => wake()),
      this.readiness.onDraining(() => wake()),
      onGone(response, () => wake()),
    ];
    try {
      yield commentText('hello');
      let last = lastId === undefined ? this.events.last : this.numberOf(lastId);
      while (!response.destroyed && !this.readiness.isDraining) {
        const leftMs = session
          ? session.endsAtMs - this.identity.clock.wallNow()
          : Number.POSITIVE_INFINITY;
        if (leftMs <= 0 || session?.isOver()) return;
        const news = this.events.after(last);
        last = this.events.last;
        if (news === undefined) yield this.text(last, { type: 'reset' });
        else if (news.length > 0)
          yield news.map((one) => this.text(one.number, one.event)).join('');
        else if (await this.quiet((call) => (wake = call), leftMs)) yield commentText();
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

  /** Ids name the coordinator, so that one of another is known to be foreign. */
  private text(number: number, event: object & { readonly type: string }): string {
    return eventText(`${this.identity.incarnation}-${number}`, event.type, event);
  }

  /** Below everything that is here for an id that is not of this coordinator. */
  private numberOf(id: string): number {
    const [incarnation, number = ''] = id.trim().split('-');
    const isOurs = incarnation === this.identity.incarnation && /^\d{1,15}$/.test(number);
    return isOurs ? Number(number) : -1;
  }
}
