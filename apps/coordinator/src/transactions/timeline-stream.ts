/**
 * A transaction's timeline as server-sent events. Guards "no gap and no endless connection": every
 * event carries its sequence as id, so `Last-Event-ID` resumes after exactly that one; comments keep
 * proxies awake; the stream ends with the transaction, and a resume after the end gets 204, which
 * makes an EventSource stop.
 */
import { Injectable } from '@nestjs/common';
import { hasEnded, type KnownTransaction } from '@concordat/diagnosis';
import type { TransactionId } from '@concordat/protocol';
import type { ServerResponse } from 'node:http';
import type { Scope } from '../platform/api-key.js';
import type { Principal } from '../access/key-ring.js';
import { Readiness } from '../health/readiness.js';
import { Problem } from '../problems/problem.js';
import {
  commentText,
  eventText,
  HEARTBEAT_MS,
  onGone,
  sendEvents,
} from '../requests/server-sent-events.js';
import { StreamSlots } from '../requests/stream-slots.js';
import { eventResource } from './transaction.resource.js';
import { TransactionLookup } from './transaction-lookup.js';

const STREAMS_MAX = 1_000;
const STREAMS_MAX_PER_KEY = 200;

@Injectable()
export class TimelineStream {
  private readonly slots = new StreamSlots('timelines', STREAMS_MAX, STREAMS_MAX_PER_KEY);

  constructor(
    private readonly lookup: TransactionLookup,
    private readonly readiness: Readiness,
  ) {}

  get open(): number {
    return this.slots.open;
  }

  /** Streams the events after `last` until the transaction has ended or the client is gone. */
  async stream(
    first: KnownTransaction,
    last: number,
    response: ServerResponse,
    caller: Principal,
  ): Promise<void> {
    if (hasEnded(first) && !first.timeline.some((event) => event.sequence > last)) {
      response.writeHead(204).end();
      return;
    }
    const back = this.slots.take(caller.id);
    try {
      await sendEvents(response, this.texts(first, last, response, caller.scope));
    } finally {
      back();
    }
  }

  private async *texts(
    first: KnownTransaction,
    after: number,
    response: ServerResponse,
    scope: Scope,
  ): AsyncGenerator<string> {
    const id: TransactionId = first.transaction;
    let last = after;
    let known: KnownTransaction | undefined = first;
    while (known) {
      const news = known.timeline.filter((event) => event.sequence > last);
      last = news.at(-1)?.sequence ?? last;
      yield news.length > 0 ? textOf(news, scope) : commentText(known.status);
      if (hasEnded(known) || this.readiness.isDraining) return;
      const change = { versionAbove: known.version };
      known = await this.lookup.settle(id, change, HEARTBEAT_MS, (listener) =>
        this.onEnd(response, listener),
      );
    }
  }

  /** Calls the listener when the client is gone, also if it went before, or at a shutdown. */
  private onEnd(response: ServerResponse, listener: () => void): () => void {
    const forget = [onGone(response, listener), this.readiness.onDraining(listener)];
    return () => forget.forEach((one) => one());
  }
}

function textOf(news: KnownTransaction['timeline'], scope: Scope): string {
  return news
    .map((event) => eventText(event.sequence, event.type, eventResource(event, scope)))
    .join('');
}

/** Where to resume: the sequence in `Last-Event-ID`, 0 when there is none. */
export function lastEventId(header: string | undefined): number {
  if (header === undefined || header.trim() === '') return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header);
  throw new Problem(
    'invalid-request',
    'Last-Event-ID must be the id of an event of this timeline.',
    {
      errors: [{ field: 'header Last-Event-ID', message: 'must be a whole number' }],
    },
  );
}
