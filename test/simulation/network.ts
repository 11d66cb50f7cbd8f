/**
 * The simulated network: at most once towards whoever subscribes, late, lost, duplicated, cut one way
 * or both. A request finds "no responders" only when nobody is subscribed at that moment.
 */
import type { Answer } from '@concordat/engine';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export interface NetworkOptions {
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMsMax: number;
  /** Now and then a message is held very long: a paused broker, a stuck switch. */
  readonly zombie: number;
}

export interface Endpoint {
  readonly node: string;
  readonly alive: () => boolean;
  readonly handle: (type: string, message: unknown) => Promise<unknown>;
}

export class Network {
  private readonly groups = new Map<string, Endpoint[]>();
  private readonly cut = new Set<string>();
  private healed = false;

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly options: NetworkOptions,
  ) {}

  subscribe(subject: string, endpoint: Endpoint): void {
    const group = this.groups.get(subject) ?? [];
    this.groups.set(subject, [...group.filter((one) => one.alive()), endpoint]);
  }

  /** Drops everything that travels from one node to another until healed. */
  partition(from: string, to: string): void {
    this.cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.cut.clear();
    this.healed = true;
  }

  rejoin(): void {
    this.cut.clear();
  }

  /** One request; `alive` is the asker's, whose answers die with it. */
  request<T>(
    from: { readonly node: string; readonly alive: () => boolean },
    subject: string,
    type: string,
    message: unknown,
    timeoutMs: number,
  ): Promise<Answer<T>> {
    return new Promise((resolve) => {
      let open = true;
      const answer = (result: Answer<T>) => {
        if (!open) return;
        open = false;
        cancel();
        if (from.alive()) resolve(result);
      };
      const cancel = this.timeline.at(timeoutMs, () =>
        answer({ kind: 'no-answer', why: 'time-out' }),
      );
      const members = (this.groups.get(subject) ?? []).filter((one) => one.alive());
      if (members.length === 0) {
        this.timeline.at(1, () => answer({ kind: 'no-responders' }));
        return;
      }
      const copies = this.happens(this.options.duplicate) ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        this.carry(from, this.random.pick(members), type, message, answer);
      }
    });
  }

  private carry<T>(
    from: { readonly node: string },
    to: Endpoint,
    type: string,
    message: unknown,
    answer: (result: Answer<T>) => void,
  ): void {
    const lost = this.isLost(from.node, to.node);
    this.timeline.tell(
      `${from.node} → ${to.node} ${type}${lost ? ' (lost)' : ''} ${brief(message)}`,
    );
    if (lost) return;
    this.timeline.at(this.delay(), () => {
      if (!to.alive()) return;
      to.handle(type, message).then(
        (reply) => {
          if (!to.alive()) return;
          const gone = this.isLost(to.node, from.node);
          const text = brief(reply);
          this.timeline.tell(
            `${to.node} → ${from.node} ${type} reply${gone ? ' (lost)' : ''} ${text}`,
          );
          if (gone) return;
          this.timeline.at(this.delay(), () => answer({ kind: 'answered', answer: reply as T }));
        },
        (error: unknown) => this.timeline.tell(`${to.node} ${type} threw ${String(error)}`),
      );
    });
  }

  private isLost(from: string, to: string): boolean {
    return this.cut.has(`${from}>${to}`) || this.happens(this.options.loss);
  }

  private happens(probability: number): boolean {
    return !this.healed && this.random.chance(probability);
  }

  private delay(): number {
    if (this.happens(this.options.zombie)) return this.random.between(1_000, 15_000);
    return this.random.between(1, this.options.delayMsMax);
  }
}

function brief(message: unknown): string {
  return JSON.stringify(message)?.slice(0, 140) ?? '';
}
