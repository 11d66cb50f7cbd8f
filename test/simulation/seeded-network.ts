/**
 * The network as a seed has it: at most once towards each subscriber, late, lost, duplicated, cut one way
 * or both, clogged.
 */
import type { History } from './history.js';
import type { Host } from './host.js';
import type { RequestKind } from './messages.js';
import { Network, type Endpoint, type Question } from './network.js';
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

export class SeededNetwork extends Network {
  private readonly cut = new Set<string>();
  /** Nodes behind a clogged link, with what waits there: held, not lost. */
  private readonly clogged = new Map<string, (() => void)[]>();
  private healed = false;

  constructor(
    timeline: Timeline,
    private readonly random: Random,
    private readonly options: NetworkOptions,
    private readonly history: History,
  ) {
    super(timeline);
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

  override gather<T>(
    from: Host,
    subject: string,
    kind: RequestKind,
    message: unknown,
    waitMs: number,
  ): Promise<T[]> {
    const said: T[] = [];
    const hear = (reply: unknown): void => void said.push(reply as T);
    const question: Question = { ...{ from, subject, kind, message, hear }, isOpen: () => true };
    for (const one of this.members(subject)) this.send(question, one);
    return new Promise((resolve) => {
      this.timeline.at(waitMs, () => from.admit(() => resolve(said), 'timer'));
    });
  }

  protected override carry(question: Question, members: readonly Endpoint[]): void {
    const copies = this.happens(this.options.duplicate) ? 2 : 1;
    if (copies > 1) this.history.count('duplicates');
    for (let i = 0; i < copies; i++) this.send(question, this.random.pick(members));
  }

  protected override carryBack(question: Question, by: Endpoint, reply: unknown): void {
    const { from, kind, hear } = question;
    const { node } = by.host;
    const isLost = this.isLost(node, from.node);
    this.timeline.tell(
      () => `${node} → ${from.node} ${kind} reply${isLost ? ' (lost)' : ''} ${brief(reply)}`,
    );
    if (!isLost) this.travel(node, from.node, () => from.admit(() => hear(reply)));
  }

  protected override threw({ kind }: Question, at: Endpoint, error: unknown): void {
    this.timeline.tell(() => `${at.host.node} ${kind} threw ${String(error)}`);
  }

  private send(question: Question, to: Endpoint): void {
    const { from, kind, message } = question;
    const isLost = this.isLost(from.node, to.host.node);
    this.timeline.tell(
      () => `${from.node} → ${to.host.node} ${kind}${isLost ? ' (lost)' : ''} ${brief(message)}`,
    );
    if (isLost) return;
    const deliver = (): void => this.handOver(question, to);
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
