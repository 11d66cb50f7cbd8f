/**
 * The network as a story has it: every message waits until it is delivered, lost or doubled by name.
 * Whatever was sent may still arrive, however late.
 */
import type { Host } from '../simulation/host.js';
import type { RequestKind } from '../simulation/messages.js';
import { Network, type Endpoint, type Question } from '../simulation/network.js';
import type { Timeline } from '../simulation/timeline.js';
import type { Trace } from './trace.js';
import { REPLY_KIND, replyDetail, requestDetail, transactionIn } from './wording.js';

export interface NetworkListener {
  /** A request or an answer leaves: the place where a premature word would be caught. */
  sent(kind: string, transaction: string | undefined, content: unknown): void;
  failed(error: unknown): void;
}

interface Letter {
  readonly words: ReadonlySet<string>;
  readonly line: string;
  deliver(to?: string): void;
}

export class ManualNetwork extends Network {
  private letters: Letter[] = [];
  /** To whom a question went, as a trace said then. */
  private readonly receivers = new WeakMap<Question, string>();

  constructor(
    timeline: Timeline,
    private readonly trace: Trace,
    private readonly listener: NetworkListener,
  ) {
    super(timeline);
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

  override async gather<T>(
    from: Host,
    subject: string,
    kind: RequestKind,
    message: unknown,
    waitMs: number,
  ): Promise<T[]> {
    const answers = await Promise.all(
      this.members(subject).map((one) => this.request<T>(from, one.address, kind, message, waitMs)),
    );
    return answers.flatMap((one) => (one.kind === 'answered' ? [one.answer] : []));
  }

  protected override carry(question: Question): void {
    const line = this.leaves(question);
    this.trace.say(line);
    const { from, kind } = question;
    this.letters.push({
      words: this.wordsOf(kind, question, from.node, this.receiverOf(question)),
      line,
      deliver: (chosen) => this.deliver(question, line, chosen),
    });
  }

  protected override carryBack(question: Question, by: Endpoint, reply: unknown): void {
    const { from, kind, message, hear } = question;
    const word = REPLY_KIND[kind];
    this.listener.sent(word, transactionIn(kind, message), reply);
    const name = this.transactionOf(question);
    const detail = this.trace.plain(replyDetail(kind, reply));
    const said = [word, name, detail].filter(Boolean).join(' ');
    const line = `${by.host.node} -> ${from.node}  ${said}`;
    this.trace.say(line);
    this.letters.push({
      words: this.wordsOf(word, question, by.host.node, from.node),
      line,
      deliver: () => {
        if (!from.alive()) return this.trace.say(`lost, no responders: ${line}`);
        if (!question.isOpen()) this.trace.say(`${from.node} does not wait for it any more`);
        hear(reply);
      },
    });
  }

  protected override unreached(question: Question): void {
    this.trace.say(`${this.leaves(question)}: no responders`);
  }

  protected override timedOut(question: Question): void {
    const about = `${this.about(question)} from ${this.receiverOf(question)}`;
    this.trace.say(`${question.from.node} gets no answer to ${about}`);
  }

  protected override threw(_question: Question, _at: Endpoint, error: unknown): void {
    this.listener.failed(error);
  }

  private deliver(question: Question, line: string, chosen?: string): void {
    const members = this.members(question.subject);
    const member = chosen ? members.find((one) => one.host.node === chosen) : members[0];
    if (member) this.handOver(question, member);
    else this.trace.say(`lost, no responders: ${line}`);
  }

  private leaves(question: Question): string {
    const { from, subject, kind, message } = question;
    this.receivers.set(question, this.nameOf(subject));
    this.listener.sent(kind, transactionIn(kind, message), message);
    this.trace.refresh();
    const detail = this.trace.plain(requestDetail(kind, message));
    return `${from.node} -> ${this.receiverOf(question)}  ${this.about(question)}${detail}`;
  }

  private about(question: Question): string {
    const name = this.transactionOf(question);
    return name ? `${question.kind} ${name}` : question.kind;
  }

  private transactionOf({ kind, message }: Question): string | undefined {
    const transaction = transactionIn(kind, message);
    return transaction && this.trace.name(transaction);
  }

  private wordsOf(word: string, question: Question, from: string, to: string) {
    return new Set([word, ...namesOf(from), ...namesOf(to), this.transactionOf(question) ?? '']);
  }

  private receiverOf(question: Question): string {
    return this.receivers.get(question) ?? this.nameOf(question.subject);
  }

  /** What a trace calls those that answer under a subject. */
  private nameOf(subject: string): string {
    if (subject === 'coordinators') return 'any coordinator';
    const [kind, id] = subject.split('/');
    if (id === undefined) return subject;
    const label = this.trace.name(id);
    return kind === 'coordinator' || this.isThere(subject) ? label : `the former ${label}`;
  }
}

/** `c1'` is the second process of c1 and answers to both names. */
function namesOf(label: string): string[] {
  return [label, label.replaceAll("'", '')];
}
