/**
 * The simulated network: at most once towards each subscriber, late, lost, duplicated, cut one way or both,
 * clogged. A request finds "no responders" only when no process is subscribed at that moment; a paused
 * process is.
 */
import type { Answer } from '@concordat/engine';
import type { History } from './history.js';
import type { Host } from './host.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

export interface NetworkOptions {
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMsMax: number;
  /** Now and then a message is held very long: a paused broker, a stuck switch. */
  readonly zombie: number;
  /** How late such a message comes at most. */
  readonly lateMsMax: number;
}

export interface Endpoint {
  readonly host: Host;
  readonly handle: (type: string, message: unknown) => Promise<unknown>;
}

export class Network {
  private readonly groups = new Map<string, Endpoint[]>();
  private readonly cut = new Set<string>();
  /** Nodes behind a clogged link, with what waits there: held, not lost. */
  private readonly clogged = new Map<string, (() => void)[]>();
  private healed = false;

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly options: NetworkOptions,
    private readonly history: History,
  ) {}

  subscribe(subject: string, endpoint: Endpoint): void {
    const group = this.groups.get(subject) ?? [];
    this.groups.set(subject, [...group.filter((one) => one.host.alive()), endpoint]);
  }

  /** Drops everything that travels from one node to another until healed. */
  partition(from: string, to: string): void {
    this.cut.add(`${from}>${to}`);
  }

  rejoin(): void {
    this.cut.clear();
  }

  /** Holds everything to and from a node until it is unclogged. */
  clog(node: string): void {
    if (!this.clogged.has(node)) this.clogged.set(node, []);
  }

  unclog(node: string): void {
    const held = this.clogged.get(node) ?? [];
    this.clogged.delete(node);
    for (const pass of held) pass();
  }

  heal(): void {
    this.cut.clear();
    this.healed = true;
    for (const node of [...this.clogged.keys()]) this.unclog(node);
  }

  /** One request; the asker's host is whom its answers die with. */
  request<T>(
    from: Host,
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
        resolve(result);
      };
      const cancel = this.timeline.at(timeoutMs, () =>
        from.admit(() => answer({ kind: 'no-answer', why: 'time-out' }), 'timer'),
      );
      const members = (this.groups.get(subject) ?? []).filter((one) => one.host.alive());
      if (members.length === 0) {
        this.timeline.at(1, () => from.admit(() => answer({ kind: 'no-responders' })));
        return;
      }
      const copies = this.happens(this.options.duplicate) ? 2 : 1;
      if (copies > 1) this.history.count('duplicates');
      for (let i = 0; i < copies; i++) {
        this.carry(from, this.random.pick(members), type, message, answer);
      }
    });
  }

  /** One question to all that are subscribed; resolves with what was answered in time. */
  gather<T>(
    from: Host,
    subject: string,
    type: string,
    message: unknown,
    waitMs: number,
  ): Promise<T[]> {
    const said: T[] = [];
    for (const one of this.groups.get(subject) ?? []) {
      if (!one.host.alive()) continue;
      this.carry<T>(from, one, type, message, (answer) => {
        if (answer.kind === 'answered') said.push(answer.answer);
      });
    }
    return new Promise((resolve) => {
      this.timeline.at(waitMs, () => from.admit(() => resolve(said), 'timer'));
    });
  }

  private carry<T>(
    from: Host,
    to: Endpoint,
    type: string,
    message: unknown,
    answer: (result: Answer<T>) => void,
  ): void {
    const there = this.isLost(from.node, to.host.node);
    const path = `${from.node} → ${to.host.node} ${type}`;
    this.timeline.tell(() => `${path}${there ? ' (lost)' : ''} ${brief(message)}`);
    if (there) return;
    const deliver = (): void => {
      to.handle(type, message).then(
        (reply) => {
          if (!to.host.alive()) return;
          const back = this.isLost(to.host.node, from.node);
          this.timeline.tell(
            () =>
              `${to.host.node} → ${from.node} ${type} reply${back ? ' (lost)' : ''} ${brief(reply)}`,
          );
          if (back) return;
          this.travel(to.host.node, from.node, () =>
            from.admit(() => answer({ kind: 'answered', answer: reply as T })),
          );
        },
        (error: unknown) =>
          this.timeline.tell(() => `${to.host.node} ${type} threw ${String(error)}`),
      );
    };
    this.travel(from.node, to.host.node, () => to.host.admit(deliver));
  }

  /** The way of one message: its delay, and a wait behind every clogged link. */
  private travel(from: string, to: string, arrive: () => void): void {
    const pass = (): void => {
      const held = this.clogged.get(from) ?? this.clogged.get(to);
      if (!held) return arrive();
      this.history.count('clogged');
      held.push(() => this.timeline.at(this.delay(), pass));
    };
    this.timeline.at(this.delay(), pass);
  }

  private isLost(from: string, to: string): boolean {
    const lost = this.cut.has(`${from}>${to}`) || this.happens(this.options.loss);
    if (lost) this.history.count('losses');
    return lost;
  }

  private happens(probability: number): boolean {
    return !this.healed && this.random.chance(probability);
  }

  private delay(): number {
    if (this.happens(this.options.zombie)) {
      this.history.count('zombies');
      return this.random.between(1_000, this.options.lateMsMax);
    }
    return this.random.between(1, this.options.delayMsMax);
  }
}

function brief(message: unknown): string {
  return JSON.stringify(message)?.slice(0, 140) ?? '';
}
