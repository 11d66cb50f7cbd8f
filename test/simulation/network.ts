/**
 * The network of a world: subjects, the processes that are subscribed to them, and requests that wait
 * for their answers. A request finds "no responders" only when no process is subscribed at the moment it
 * is sent, exactly as with the real broker; a paused process is. Which message arrives, when, how often
 * and at whom is chosen by who carries it: a seed (`seeded-network.ts`), or a story, by name
 * (`test/scripts/manual-network.ts`).
 */
import type { Answer } from '@concordat/engine';
import type { Host } from './host.js';
import type { RequestKind } from './messages.js';
import type { Timeline } from './timeline.js';

export interface Endpoint {
  readonly host: Host;
  /** The subject to which this process alone is subscribed. */
  readonly address: string;
  readonly handle: (kind: RequestKind, message: unknown) => Promise<unknown>;
}

/** A question that was sent. Its answers die with the host that asks. */
export interface Question {
  readonly from: Host;
  readonly subject: string;
  readonly kind: RequestKind;
  readonly message: unknown;
  /** Whether an answer is still waited for. */
  readonly isOpen: () => boolean;
  /** The asker has an answer; all but the first are ignored. */
  readonly hear: (reply: unknown) => void;
}

export abstract class Network {
  private readonly groups = new Map<string, Endpoint[]>();
  /** Questions whose askers still wait, with what ends their wait at once. */
  private readonly open = new Map<Question, (answer: Answer<never>) => void>();

  constructor(protected readonly timeline: Timeline) {}

  /** Carries a question to one of those that are subscribed. */
  protected abstract carry(question: Question, members: readonly Endpoint[]): void;
  /** Carries an answer back. */
  protected abstract carryBack(question: Question, from: Endpoint, reply: unknown): void;
  /** A handler threw: its process answers nothing. */
  protected abstract threw(question: Question, at: Endpoint, error: unknown): void;
  protected unreached(_question: Question): void {}
  protected timedOut(_question: Question): void {}

  subscribe(subject: string, endpoint: Endpoint): void {
    const group = this.groups.get(subject) ?? [];
    this.groups.set(subject, [...group.filter((one) => one.host.alive()), endpoint]);
  }

  isThere(subject: string): boolean {
    return this.members(subject).length > 0;
  }

  /** One request; the asker's host is whom its answers die with. */
  request<T>(
    from: Host,
    subject: string,
    kind: RequestKind,
    message: unknown,
    timeoutMs: number,
  ): Promise<Answer<T>> {
    return new Promise((resolve) => {
      const settle = (answer: Answer<T>): void => {
        if (!this.open.delete(question)) return;
        cancel();
        resolve(answer);
      };
      const question: Question = {
        ...{ from, subject, kind, message },
        isOpen: () => this.open.has(question),
        hear: (reply) => settle({ kind: 'answered', answer: reply as T }),
      };
      this.open.set(question, settle);
      const cancel = this.timeline.at(timeoutMs, () =>
        from.admit(() => {
          if (question.isOpen()) this.timedOut(question);
          settle({ kind: 'no-answer', why: 'time-out' });
        }, 'timer'),
      );
      const members = this.members(subject);
      if (members.length > 0) return this.carry(question, members);
      this.unreached(question);
      this.timeline.at(1, () => from.admit(() => settle({ kind: 'no-responders' })));
    });
  }

  /** One question to all that are subscribed; resolves with what was answered in time. */
  abstract gather<T>(
    from: Host,
    subject: string,
    kind: RequestKind,
    message: unknown,
    waitMs: number,
  ): Promise<T[]>;

  /** A process loses the broker: whatever it waits for goes unanswered; what it sent travels on. */
  disconnect(node: string): void {
    for (const [{ from }, settle] of [...this.open]) {
      if (from.node === node) settle({ kind: 'no-answer', why: 'connection lost', isLost: true });
    }
  }

  /** Ends the wait for an answer. */
  protected settle(question: Question, answer: Answer<never>): void {
    this.open.get(question)?.(answer);
  }

  protected members(subject: string): Endpoint[] {
    return (this.groups.get(subject) ?? []).filter((one) => one.host.alive());
  }

  /** A question has come to a process. */
  protected handOver(question: Question, to: Endpoint): void {
    to.handle(question.kind, question.message).then(
      (reply) => {
        if (to.host.alive()) this.carryBack(question, to, reply);
      },
      (error: unknown) => this.threw(question, to, error),
    );
  }
}
