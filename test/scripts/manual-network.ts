/**
 * A network that the story controls: every message waits until it is delivered, lost or doubled by
 * name. A request finds "no responders" only when no process is subscribed at the moment it is sent, exactly
 * as with the real broker; whatever was sent before may still arrive, however late.
 */
import type { Answer } from '@concordat/engine';
import type { Timeline } from '../simulation/timeline.js';
import type { Trace } from './trace.js';
import {
  REPLY_KIND,
  replyDetail,
  requestDetail,
  transactionIn,
  type RequestKind,
} from './wording.js';

/** A process as others meet it. */
export interface Peer {
  readonly label: string;
  readonly alive: () => boolean;
}

export interface Endpoint extends Peer {
  readonly handle: (kind: RequestKind, message: unknown) => Promise<unknown>;
}

/** All that answer under a subject; `name` is what a trace calls them. */
export interface Subject {
  readonly name: string;
  readonly key: string;
}

export interface NetworkListener {
  /** A request or an answer leaves: the place where a premature word would be caught. */
  sent(kind: string, transaction: string | undefined, content: unknown): void;
  failed(error: unknown): void;
}

interface Letter {
  readonly words: ReadonlySet<string>;
  readonly line: string;
  deliver(to?: string): Promise<void>;
}

export class ManualNetwork {
  private letters: Letter[] = [];
  private readonly groups = new Map<string, Endpoint[]>();
  /** Requests whose askers still wait. */
  private readonly open = new Set<{ readonly from: Peer; readonly fail: () => void }>();

  constructor(
    private readonly timeline: Timeline,
    private readonly trace: Trace,
    private readonly listener: NetworkListener,
  ) {}

  subscribe(key: string, endpoint: Endpoint): void {
    this.groups.set(key, [...(this.groups.get(key) ?? []), endpoint]);
  }

  isThere(key: string): boolean {
    return (this.groups.get(key) ?? []).some((one) => one.alive());
  }

  request<T>(
    from: Peer,
    to: Subject,
    kind: RequestKind,
    message: unknown,
    timeoutMs: number,
  ): Promise<Answer<T>> {
    if (!from.alive()) return new Promise(() => undefined);
    const transaction = transactionIn(kind, message);
    this.listener.sent(kind, transaction, message);
    this.trace.refresh();
    const name = transaction ? this.trace.name(transaction) : undefined;
    const about = name ? `${kind} ${name}` : kind;
    const detail = this.trace.plain(requestDetail(kind, message));
    const line = `${from.label} -> ${to.name}  ${about}${detail}`;
    return new Promise((resolve) => {
      const lost = { kind: 'no-answer', why: 'connection lost', isLost: true } as const;
      const asked = { from, fail: () => settle(lost) };
      this.open.add(asked);
      const settle = (answer: Answer<T>): void => {
        if (!this.open.delete(asked)) return;
        cancel();
        if (from.alive()) resolve(answer);
      };
      const cancel = this.timeline.at(timeoutMs, () => {
        if (this.open.has(asked) && from.alive())
          this.trace.say(`${from.label} gets no answer to ${about} from ${to.name}`);
        settle({ kind: 'no-answer', why: 'time-out' });
      });
      if (this.members(to).length === 0) {
        this.trace.say(`${line}: no responders`);
        this.timeline.at(0, () => settle({ kind: 'no-responders' }));
        return;
      }
      this.trace.say(line);
      const words = new Set([kind, ...namesOf(from.label), ...namesOf(to.name), name ?? '']);
      const hear = (reply: unknown): void => {
        if (!this.open.has(asked)) this.trace.say(`${from.label} does not wait for it any more`);
        settle({ kind: 'answered', answer: reply as T });
      };
      const deliver = (chosen?: string): Promise<void> =>
        this.handOver({ from, to, kind, name, message, line, hear }, chosen);
      this.letters.push({ words, line, deliver });
    });
  }

  /** Letters that match every word, in the order in which they were sent. */
  find(words: readonly string[]): Letter[] {
    return this.letters.filter((one) => words.every((word) => one.words.has(word)));
  }

  /** Takes a letter off the wire. */
  take(letter: Letter): void {
    this.letters = this.letters.filter((one) => one !== letter);
  }

  /** A second copy of a letter is on its way as well. */
  double(letter: Letter): void {
    this.letters.push({ ...letter });
  }

  /** A process loses the broker: whatever it waits for goes unanswered; its letters travel on. */
  disconnect(label: string): void {
    for (const { from, fail } of [...this.open]) if (from.label === label) fail();
  }

  private members(to: Subject): Endpoint[] {
    return (this.groups.get(to.key) ?? []).filter((one) => one.alive());
  }

  private async handOver(
    sent: {
      from: Peer;
      to: Subject;
      kind: RequestKind;
      name: string | undefined;
      message: unknown;
      line: string;
      hear: (reply: unknown) => void;
    },
    chosen?: string,
  ): Promise<void> {
    const { from, to, kind, name, message, line, hear } = sent;
    const members = this.members(to);
    const member = chosen ? members.find((one) => one.label === chosen) : members[0];
    if (!member) {
      this.trace.say(`lost, no responders: ${line}`);
      return;
    }
    member.handle(kind, message).then(
      (reply) => {
        if (member.alive()) this.answer(member, from, { kind, name, message, reply, hear });
      },
      (error: unknown) => this.listener.failed(error),
    );
  }

  private answer(
    member: Endpoint,
    to: Peer,
    sent: {
      kind: RequestKind;
      name: string | undefined;
      message: unknown;
      reply: unknown;
      hear: (reply: unknown) => void;
    },
  ): void {
    const { kind, name, message, reply, hear } = sent;
    const word = REPLY_KIND[kind];
    this.listener.sent(word, transactionIn(kind, message), reply);
    const detail = this.trace.plain(replyDetail(kind, reply));
    const line = `${member.label} -> ${to.label}  ${[word, name, detail].filter(Boolean).join(' ')}`;
    this.trace.say(line);
    const words = new Set([word, ...namesOf(member.label), ...namesOf(to.label), name ?? '']);
    this.letters.push({
      words,
      line,
      deliver: async () => {
        if (to.alive()) hear(reply);
        else this.trace.say(`lost, no responders: ${line}`);
      },
    });
  }
}

/** `c1'` is the second process of c1 and answers to both names. */
function namesOf(label: string): string[] {
  return [label, label.replaceAll("'", '')];
}
