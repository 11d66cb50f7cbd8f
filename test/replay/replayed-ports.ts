/**
 * The ports of a replayed world: nothing answers before the trace says what the answer is. The truth
 * (what is on record, which rows there are) is the model's; here is only what the engine asked for.
 */
import {
  DecisionRegister,
  RegisterUnknown,
  Resource,
  VoteNoError,
  type Begun,
  type BranchKey,
  type BranchWait,
  type Claimed,
  type Decided,
  type InstanceReport,
  type PreparedInventory,
  type Proposal,
  type StandingDecision,
} from '@concordat/engine';
import type {
  AbortResult,
  CommitResult,
  Decision,
  HeuristicBranch,
  Incarnation,
  PrepareResult,
  TransactionId,
  TransactionOutcome,
} from '@concordat/protocol';
import type { Host } from '../simulation/host.js';
import type { RequestKind } from '../simulation/messages.js';
import { Network, type Endpoint, type Question } from '../simulation/network.js';
import type { Service } from '../simulation/nodes.js';
import type { SimulatedSession } from '../simulation/simulated-resource.js';

interface Asked {
  readonly what: 'propose-commit' | 'heuristic';
  readonly proposal?: Proposal;
  readonly answer: (decision?: Decision) => void;
  readonly fail: (error: Error) => void;
}

export class ReplayedRegister extends DecisionRegister {
  /** Calls that wait for their answers. */
  readonly pending: Asked[] = [];
  /** The end that was noted. */
  noted?: TransactionOutcome;

  decide(proposal: Proposal): Promise<Decided> {
    return new Promise((resolve, reject) => {
      const { transaction, branches, finisher } = proposal;
      const answer = (decision: Decision = 'commit'): void => {
        const standing = { transaction, decision, branches, finisher, decidedAtMs: 0 };
        resolve({ kind: 'on-record', standing: { ...standing, heuristics: [] }, byUs: true });
      };
      this.pending.push({ what: 'propose-commit', proposal, answer, fail: reject });
    });
  }

  recordHeuristic(_id: TransactionId, _as: Decision, _branch: HeuristicBranch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.pending.push({ what: 'heuristic', answer: () => resolve(), fail: reject });
    });
  }

  noteEnded(_transaction: TransactionId, outcome: TransactionOutcome): void {
    this.noted = outcome;
  }

  /** The first call that waits is answered. */
  answer(decision?: Decision): void {
    this.first().answer(decision);
  }

  loseAnswer(): void {
    this.first().fail(new RegisterUnknown('the answer is lost'));
  }

  private first(): Asked {
    const asked = this.pending.shift();
    if (!asked) throw new Error('the engine asks the register for nothing');
    return asked;
  }

  standing(): Promise<StandingDecision | undefined> {
    return Promise.resolve(undefined);
  }
  holderOf(): Promise<StandingDecision | undefined> {
    return Promise.resolve(undefined);
  }
  claim(): Promise<Claimed> {
    return Promise.reject(new Error('no trace has a key'));
  }
  unclaim(): void {}
  unfinishedFinishers(): Promise<Incarnation[]> {
    return Promise.resolve([]);
  }
  claimUnfinished(): Promise<StandingDecision[]> {
    return Promise.resolve([]);
  }
  oldestUnfinished(): Promise<TransactionId | undefined> {
    return Promise.resolve(undefined);
  }
}

type Statement = 'prepare' | 'commit' | 'abort';

export class ReplayedService implements Service {
  /** Statements that wait for their answers. */
  private readonly pending = new Map<Statement, (result: never) => void>();
  private work?: { readonly done: () => void; readonly fail: (error: Error) => void };
  readonly resource: Resource<SimulatedSession>;

  constructor() {
    this.resource = new ReplayedResource((statement) => this.ask(statement));
  }

  get statements(): readonly Statement[] {
    return [...this.pending.keys()].sort();
  }

  run(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.work = { done: () => resolve(1), fail: reject };
    });
  }

  finishWork(isDone: boolean): void {
    if (!this.work) throw new Error('no work is under way');
    if (isDone) this.work.done();
    else this.work.fail(new VoteNoError('NO'));
  }

  answer(statement: Statement, result: PrepareResult | CommitResult | AbortResult): void {
    const settle = this.pending.get(statement);
    if (!settle) throw new Error(`no ${statement} waits for the database`);
    this.pending.delete(statement);
    settle(result as never);
  }

  /** A PREPARE of a branch that has ended: no process waits for it, and the model calls it an orphan. */
  abandonPrepare(): void {
    this.pending.delete('prepare');
  }

  report(): Promise<InstanceReport> {
    return Promise.resolve({});
  }
  prune(): Promise<void> {
    return Promise.resolve();
  }

  private ask<Result>(statement: Statement): Promise<Result> {
    if (this.pending.has(statement)) throw new Error(`${statement} is under way twice`);
    return new Promise((resolve) => this.pending.set(statement, resolve));
  }
}

class ReplayedResource extends Resource<SimulatedSession> {
  constructor(private readonly ask: <Result>(statement: Statement) => Promise<Result>) {
    super();
  }
  begin(): Promise<Begun<SimulatedSession>> {
    return Promise.resolve({ kind: 'begun', session: { deltas: new Map(), ended: false } });
  }
  prepare(): Promise<PrepareResult> {
    return this.ask('prepare');
  }
  rollback(): Promise<void> {
    return Promise.resolve();
  }
  voteOf(): undefined {
    return undefined;
  }
  commit(_branch: BranchKey): Promise<CommitResult> {
    return this.ask('commit');
  }
  abort(_branch: BranchKey): Promise<AbortResult> {
    return this.ask('abort');
  }
  listPrepared(): Promise<PreparedInventory> {
    return Promise.resolve({ entries: [], slotsUsed: 0, slotsMax: 1_000 });
  }
  waits(): Promise<readonly BranchWait[]> {
    return Promise.resolve([]);
  }
}

interface Letter {
  readonly kind: RequestKind;
  /** The participant that it goes to, or comes from. */
  readonly participant: string;
  readonly question: Question;
}

export interface Reply extends Letter {
  readonly reply: unknown;
}

export class ReplayedNetwork extends Network {
  /** Messages on their way to participants, and answers on their way back. */
  there: Letter[] = [];
  back: Reply[] = [];
  /** Questions that were delivered or lost, and have no answer yet. */
  asked: Letter[] = [];
  /** How often each message was sent. */
  readonly sent = new Map<string, number>();
  readonly errors: unknown[] = [];

  override gather<T>(_from: Host): Promise<T[]> {
    return Promise.resolve([]);
  }

  protected override carry(question: Question): void {
    const { kind, subject } = question;
    const [participant = ''] = subject.split('/');
    const name = `${kind} ${participant}`;
    this.sent.set(name, (this.sent.get(name) ?? 0) + 1);
    // Two equal messages under way count as one, as in the model.
    this.there = this.there.filter((one) => one.kind !== kind || one.participant !== participant);
    this.there.push({ kind, participant, question });
  }

  protected override carryBack(question: Question, by: Endpoint, reply: unknown): void {
    const { kind } = question;
    const participant = by.host.node;
    this.back.push({ kind, participant, question, reply });
  }

  protected override threw(_question: Question, _at: Endpoint, error: unknown): void {
    this.errors.push(error);
  }

  deliver(kind: RequestKind, participant: string, isCopied: boolean): void {
    const letter = this.take('there', kind, participant, isCopied);
    this.asked.push(letter);
    const [member] = this.members(letter.question.subject);
    if (member) this.handOver(letter.question, member);
  }

  drop(kind: RequestKind, participant: string): void {
    this.asked.push(this.take('there', kind, participant, false));
  }

  /** Answers that say the same count as one: each asker that still waits hears it. */
  hear(wanted: (reply: Reply) => boolean, isCopied: boolean): void {
    const found = this.back.filter(wanted);
    if (found.length === 0) throw new Error('no such answer is under way');
    if (!isCopied) this.back = this.back.filter((one) => !found.includes(one));
    for (const { question, reply } of found) question.hear(reply);
  }

  dropReply(wanted: (reply: Reply) => boolean): void {
    const rest = this.back.filter((one) => !wanted(one));
    if (rest.length === this.back.length) throw new Error('no such answer is under way');
    this.back = rest;
  }

  /** Who asks this participant to finish learns that it gets no answer. Returns what it asked for. */
  giveUp(participant: string): RequestKind {
    const isOpen = ({ kind, question, participant: of }: Letter) =>
      of === participant && kind !== 'prepare' && question.isOpen();
    const [open, ...more] = [...this.asked, ...this.there].filter(isOpen);
    if (!open) throw new Error(`nothing is asked of ${participant}`);
    this.back = this.back.filter((one) => one.participant !== participant || wordOf(one));
    for (const { question } of [open, ...more]) {
      this.settle(question, { kind: 'no-answer', why: 'time-out' });
    }
    return open.kind;
  }

  private take(where: 'there', kind: RequestKind, participant: string, isCopied: boolean): Letter {
    const found = this.find(this[where], kind, participant);
    if (!found) throw new Error(`no ${kind} is on its way to ${participant}`);
    if (!isCopied) this[where] = this[where].filter((one) => one !== found);
    return found;
  }

  private find(among: readonly Letter[], kind: RequestKind, participant: string) {
    return among.find((one) => one.kind === kind && one.participant === participant);
  }
}

/** An answer in the words of the model; undefined for one that is silence there. */
export function wordOf({ kind, reply }: Reply): string | undefined {
  const said = reply as {
    kind: string;
    vote?: { kind: string };
    outcome?: { kind: string; evidence?: { decision: string; found: string } };
  };
  if (kind === 'prepare') return said.vote && `vote ${said.vote.kind}`;
  const { outcome } = said;
  if (!outcome?.evidence) return outcome?.kind;
  const { decision, found } = outcome.evidence;
  if (decision === 'abort') return 'found-committed';
  return found === 'rolled-back' ? 'tombstone' : 'missing';
}
