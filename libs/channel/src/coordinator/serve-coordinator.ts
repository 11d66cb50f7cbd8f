/**
 * The answering side of a coordinator: inquiries, enlistments, pings, marks, and discovery. Guards protocol
 * §8: the subject names the asker, which the broker guarantees, and a body that names another one is refused;
 * an answer goes below the asker's own inbox or nowhere, because a coordinator that answers to any given
 * subject could be made to publish commands (it may publish them; the asker may not). Serve on a connection
 * of its own, whose broker user may publish answers and no commands.
 *
 * Safe to repeat, late or twice: every handler reads, proposes an abort to the register, or keeps
 * evidence there once per branch.
 */
import {
  NotBelieved,
  Refusal,
  type Enlistment,
  type EnlistmentAnswer,
  type HeuristicReport,
  type Inquiry,
  type InquiryAnswer,
  type RefusalCode as EngineRefusal,
  type TransactionWaits,
  type WaitReport,
} from '@concordat/engine';
import {
  invariant,
  ownerOf,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { Msg } from '@nats-io/nats-core';
import type { z } from 'zod';
import { answer, bounded, refusal } from '../link/answering.js';
import { DRAIN_MS, type ChannelConnection } from '../link/connection.js';
import { Lane, type LaneLimits } from '../link/lane.js';
import { Shares } from '../link/shares.js';
import { Subscriptions } from '../link/subscriptions.js';
import type { Forward, ForwardAnswer } from './forwarding.js';
import { decode, encode, RefusalCode } from '../wire/codec.js';
import { jsonFault } from '../wire/json-bounds.js';
import { FORWARDED_DEPTH_MAX, WIRE_VERSION } from '../wire/limits.js';
import * as questions from '../wire/questions.js';
import {
  askerOf,
  askingInstance,
  COORDINATOR_QUESTIONS,
  COORDINATORS_QUEUE,
  DISCOVERY_REPLY_PREFIX,
  DISCOVERY_SUBJECT,
  discoveryQueue,
  lastToken,
  liesBelow,
  PARTICIPANT_QUESTIONS,
  Subjects,
  type AskerName,
  type QuestionVerb,
} from '../wire/subjects.js';

/**
 * What answers. When a handler throws `NotBelieved` or a `Refusal`, the asker gets it as the answer; after
 * any other error the asker is asked to try again.
 */
export interface CoordinatorHandlers {
  /** `asker`: the participant that asks; absent where a coordinator does. */
  inquire(
    inquiry: Inquiry & { readonly asker?: { readonly participant: ParticipantName } },
  ): Promise<InquiryAnswer>;
  /** Resolves once the evidence is durable. */
  reportHeuristic(report: HeuristicReport): Promise<{ readonly recorded: true }>;
  enlist(enlistment: Enlistment): EnlistmentAnswer | Promise<EnlistmentAnswer>;
  isLive(transaction: TransactionId): boolean;
  /** Whose a live transaction is; sent to coordinators only. */
  principalOf?(transaction: TransactionId): string | undefined;
  lowWaterMark(): Promise<TransactionId>;
  /** Below which this participant may forget what it decides in one phase. Undefined: nothing of it. */
  forgottenBelow?(participant: ParticipantName): Promise<TransactionId | undefined>;
  /** Takes what a participant's branches wait for. Absent: this coordinator does not track waits. */
  waits?(report: WaitReport): void;
  /** What was reported of the waits of these transactions. */
  waitsOf?(transactions: readonly TransactionId[]): readonly TransactionWaits[];
  /** Whether this register holds what another coordinator has written into its own. */
  sameRegister?(asked: questions.SameRegister): Promise<RegisterSeen>;
  /**
   * Carries out what a client asked another coordinator of a transaction that this one began. It must
   * check the client's rights again, and never forward. Absent: nothing is carried out for others.
   */
  forward?(forward: Forward): Promise<ForwardAnswer>;
}

/** What a coordinator says of a heartbeat that another has written. */
export type RegisterSeen = Pick<z.infer<typeof questions.registerSeen>, 'seen' | 'register'>;

export interface ServeCoordinatorOptions {
  readonly cluster: ClusterId;
  readonly incarnation: Incarnation;
  readonly handlers: CoordinatorHandlers;
  /** Questions that need the register; the others are answered at once. */
  readonly limits?: LaneLimits;
  /** Questions of one asker among them, running and waiting. */
  readonly perAskerMax?: number;
  /** Requests carried out for other coordinators at once. They wait for participants, and so have a lane of their own. */
  readonly forwardsMax?: number;
}

export interface ServedCoordinator {
  /** Nudges participants to inquire now. Nothing relies on it. */
  announceUp(): void;
  /** Stops listening and lets running handlers answer, for at most `waitMs` (default: 10 s). */
  stop(waitMs?: number): Promise<void>;
  readonly waiting: number;
}

/** More than all instances of a participant that recovers ask at once. */
const PER_ASKER_MAX = 1_024;
const FORWARDS_MAX = 8_192;

const SCHEMAS: Readonly<Record<QuestionVerb, z.ZodType<questions.Question>>> = {
  inquire: questions.inquire,
  'report-heuristic': questions.reportHeuristic,
  enlist: questions.enlist,
  ping: questions.ping,
  live: questions.live,
  'low-water-mark': questions.lowWaterMark,
  'same-register': questions.sameRegister,
  forward: questions.forward,
  waits: questions.waits,
  'waits-of': questions.waitsOf,
};

/** What the asker gets for a refusal of the engine: its own code, or the wire's. */
const WIRE_CODES: Partial<Record<EngineRefusal, string>> = {
  'over-quota': RefusalCode.overloaded,
  'cannot-tell-now': RefusalCode.unavailable,
};

/** Listens; resolves once the broker has every subscription. */
export async function serveCoordinator(
  connection: ChannelConnection,
  options: ServeCoordinatorOptions,
): Promise<ServedCoordinator> {
  const server = new CoordinatorServer(connection, options);
  await server.listen();
  return server;
}

/** Answered from memory, before any question that waits for the register. */
type QuickQuestion = Extract<questions.Question, { type: 'ping' | 'live' | 'waits' | 'waits-of' }>;
type SlowQuestion = Exclude<questions.Question, QuickQuestion | { type: 'forward' }>;

/** The asker that a question names. */
interface Named {
  readonly participant?: ParticipantName;
  readonly coordinator?: Incarnation;
}

/** Where a question came in, and where its answer goes. */
interface Address {
  readonly subject: string;
  readonly reply: string;
}

class CoordinatorServer implements ServedCoordinator {
  private readonly subjects: Subjects;
  private readonly lane: Lane;
  private readonly forwards: Lane;
  private readonly shares: Shares;
  private readonly subscriptions: Subscriptions;
  private forgetStatus: () => void = () => undefined;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: ServeCoordinatorOptions,
  ) {
    this.subjects = new Subjects(options.cluster);
    this.lane = new Lane(connection.clock, options.limits ?? { running: 256, waiting: 16_384 });
    this.forwards = new Lane(connection.clock, {
      running: options.forwardsMax ?? FORWARDS_MAX,
      waiting: 0,
    });
    this.shares = new Shares(options.perAskerMax ?? PER_ASKER_MAX);
    this.subscriptions = new Subscriptions(connection);
  }

  async listen(): Promise<void> {
    const { subjects, options, subscriptions } = this;
    const take = (message: Msg) => this.receive(message);
    for (const subject of subjects.questionsToAnyCoordinator) {
      subscriptions.add(subject, take, COORDINATORS_QUEUE);
    }
    for (const subject of subjects.questionsToIncarnation(options.incarnation)) {
      subscriptions.add(subject, take);
    }
    for (const subject of subjects.questionsToEveryCoordinator) subscriptions.add(subject, take);
    subscriptions.add(
      DISCOVERY_SUBJECT,
      (message) => this.discover(message),
      discoveryQueue(options.cluster),
    );
    await subscriptions.confirm(async () => {
      await Promise.all([this.lane.idle(), this.forwards.idle()]);
    });
    // Participants that lost the broker with us have reconnected by now, or receive nothing yet.
    this.forgetStatus = this.connection.onStatus((status) => {
      if (status.kind === 'connected') this.announceUp();
    });
  }

  get waiting(): number {
    return this.lane.waiting;
  }

  announceUp(): void {
    const { cluster, incarnation } = this.options;
    const event = { v: WIRE_VERSION, type: 'coordinator-up', cluster, incarnation };
    this.connection.publish(this.subjects.coordinatorUp, encode(event));
  }

  async stop(waitMs = DRAIN_MS): Promise<void> {
    this.forgetStatus();
    await this.subscriptions.drain(waitMs);
  }

  private receive(message: Msg): void {
    const { connection } = this;
    const { subject, reply } = message;
    const asker = askerOf(subject);
    if (!asker || !liesBelow(reply, this.subjects.askerReplyPrefix(asker))) {
      connection.incidents.report({ kind: 'forged-reply', subject, reply });
      return;
    }
    const verb = lastToken(subject);
    if (!mayAsk(asker, verb)) {
      this.refuseAsker(subject, reply, `it is not a ${kindOf(asker)}'s to ask "${verb}"`);
      return;
    }
    const decoded = decode(SCHEMAS[verb], message.data);
    if (!decoded.ok) {
      const { code, reason } = decoded;
      connection.incidents.report({ kind: 'unreadable', subject, code, reason });
      answer(connection, reply, refusal(code, reason, decoded.field));
      return;
    }
    const question = decoded.message;
    if (!names(question, asker)) {
      const { participant, coordinator }: Named = question;
      const said = coordinator ? `coordinator ${coordinator}` : (participant ?? 'no asker');
      const reason = `by its subject ${holderOf(asker)} asks, by the message ${said}`;
      this.refuseAsker(subject, reply, reason, kindOf(asker));
      return;
    }
    if (question.cluster !== this.options.cluster) {
      answer(connection, reply, refusal(RefusalCode.wrongCluster, this.clusterReason(question)));
      return;
    }
    if (isQuick(question)) {
      answer(connection, reply, this.answerAtOnce(question));
      return;
    }
    // It receives its own question to all the others.
    if (question.type === 'same-register' && question.coordinator === this.options.incarnation)
      return;
    if (question.type === 'forward') this.admitForward(question, { subject, reply });
    else this.admit(question, asker, { subject, reply });
  }

  /** Only what this coordinator began: it forwards nothing, so no request goes round in circles. */
  private admitForward(question: questions.Forward, { subject, reply }: Address): void {
    const { connection, options } = this;
    const { incarnation, handlers } = options;
    if (ownerOf(question.transaction) !== incarnation || !handlers.forward) {
      const reason = `${incarnation} did not begin ${question.transaction}, or carries out no requests of others`;
      answer(connection, reply, refusal('unknown-transaction', reason));
      return;
    }
    const carryOut = handlers.forward.bind(handlers);
    const admitted = this.forwards.admit(() =>
      this.answerForward(carryOut, question, reply, subject),
    );
    if (admitted) return;
    connection.incidents.report({ kind: 'overloaded', subject });
    const reason =
      'too many requests of other coordinators are carried out here; ask again in a moment';
    answer(connection, reply, refusal(RefusalCode.overloaded, reason));
  }

  private async answerForward(
    carryOut: (forward: Forward) => Promise<ForwardAnswer>,
    question: questions.Forward,
    reply: string,
    subject: string,
  ): Promise<void> {
    const { connection } = this;
    const { transaction, verb, principal, role, body, key, wait } = question;
    let said: object;
    try {
      const done = await carryOut({ transaction, verb, principal, role, body, key, wait });
      said = { v: WIRE_VERSION, type: 'forwarded', transaction, ...done };
    } catch (error) {
      said = this.refusalOf(error, subject);
    }
    const faultOf = (message: object) => jsonFault(message, FORWARDED_DEPTH_MAX);
    const sent = answer(connection, reply, said, faultOf);
    // It is done all the same: the asker must not take this for "not done".
    if (sent)
      answer(
        connection,
        reply,
        refusal(
          RefusalCode.answerTooLarge,
          `done, but the answer cannot be sent: ${sent.unsendable}`,
        ),
      );
  }

  private admit(question: SlowQuestion, asker: AskerName, { subject, reply }: Address): void {
    const { connection, shares } = this;
    const holder = holderOf(asker);
    if (shares.take(holder)) {
      const admitted = this.lane.admit(() =>
        this.answerLater(question, asker, { subject, reply }).finally(() =>
          shares.giveBack(holder),
        ),
      );
      if (admitted) return;
      shares.giveBack(holder);
    }
    connection.incidents.report({ kind: 'overloaded', subject });
    const reason = 'too many questions wait here; ask again in a moment';
    answer(connection, reply, refusal(RefusalCode.overloaded, reason));
  }

  /** Nothing is done for an asker that uses another's name. */
  private refuseAsker(subject: string, reply: string, reason: string, field?: string): void {
    this.connection.incidents.report({ kind: 'wrong-asker', subject, reason });
    answer(this.connection, reply, refusal(RefusalCode.wrongAsker, reason, field));
  }

  private clusterReason(question: { readonly cluster: ClusterId }): string {
    return `this is cluster ${this.options.cluster}, not ${question.cluster}; correct the cluster id`;
  }

  private answerAtOnce(question: QuickQuestion): object {
    const { handlers, incarnation } = this.options;
    switch (question.type) {
      case 'ping':
        return { v: WIRE_VERSION, type: 'alive', incarnation };
      case 'live':
        return this.liveness(question);
      case 'waits': {
        const { participant, instance, sequence, waits } = question;
        handlers.waits?.({ participant, instance, sequence, waits });
        return { v: WIRE_VERSION, type: 'waits-noted', instance };
      }
      case 'waits-of': {
        const transactions = handlers.waitsOf?.(question.transactions) ?? [];
        return { v: WIRE_VERSION, type: 'waits-told', incarnation, transactions };
      }
    }
  }

  private liveness({ transaction }: questions.Live): object {
    const { handlers } = this.options;
    const live = handlers.isLive(transaction);
    const principal = live ? handlers.principalOf?.(transaction) : undefined;
    const whose = principal === undefined ? {} : { principal };
    return { v: WIRE_VERSION, type: 'liveness', transaction, live, ...whose };
  }

  private async answerLater(
    question: SlowQuestion,
    asker: AskerName,
    { subject, reply }: Address,
  ): Promise<void> {
    let said: object;
    try {
      said = await this.ask(question, asker, reply);
    } catch (error) {
      said = this.refusalOf(error, subject);
    }
    answer(this.connection, reply, said);
  }

  private refusalOf(error: unknown, subject: string): object {
    const { incidents } = this.connection;
    if (error instanceof NotBelieved) {
      const { code, message: reason } = error;
      incidents.report({ kind: 'disbelieved', subject, code, reason });
      return refusal(code, bounded(reason));
    }
    if (error instanceof Refusal) {
      const { code, message } = error;
      if (code === 'over-quota') incidents.report({ kind: 'over-quota', subject });
      if (code === 'made-in-the-future') {
        incidents.report({ kind: 'disbelieved', subject, code, reason: message });
      }
      return refusal(WIRE_CODES[code] ?? code, bounded(message));
    }
    // Nothing is known, so nothing is answered but that: the asker keeps waiting and asks again.
    incidents.report({ kind: 'handler-failed', subject, error });
    const reason = error instanceof Error ? error.message : 'unknown';
    return refusal(RefusalCode.unavailable, bounded(`not known now (${reason}); ask again`));
  }

  private async ask(question: SlowQuestion, asker: AskerName, reply: string): Promise<object> {
    const { handlers } = this.options;
    switch (question.type) {
      case 'inquire': {
        const { transaction, branch, participant, unvoted } = question;
        const standing = await handlers.inquire({
          transaction,
          branch,
          participant,
          ...(unvoted ? { unvoted } : {}),
          ...('participant' in asker ? { asker: { ...asker, ...instanceIn(reply) } } : {}),
        });
        return { v: WIRE_VERSION, type: 'standing', transaction, standing };
      }
      case 'report-heuristic': {
        const { transaction, branch, participant, evidence } = question;
        await handlers.reportHeuristic({ transaction, branch, participant, evidence });
        return { v: WIRE_VERSION, type: 'recorded', transaction, branch };
      }
      case 'enlist': {
        const { transaction, participant, instance } = question;
        const said = await handlers.enlist({ transaction, participant, instance });
        if (said.kind === 'refused') return refusal(said.code, said.reason);
        const { branch, rejoined } = said;
        const timeLeftMs = Math.max(1, Math.ceil(said.timeLeftMs));
        const idleLeaseMs = Math.max(1, Math.ceil(said.idleLeaseMs));
        const times = { timeLeftMs, idleLeaseMs };
        return { v: WIRE_VERSION, type: 'enlisted', transaction, branch, ...times, rejoined };
      }
      case 'same-register': {
        const { incarnation } = this.options;
        invariant(handlers.sameRegister !== undefined, 'this coordinator compares no register');
        const { seen, register } = await handlers.sameRegister(question);
        return { v: WIRE_VERSION, type: 'register-seen', incarnation, seen, register };
      }
      case 'low-water-mark': {
        const below = await handlers.lowWaterMark();
        const participant = 'participant' in asker ? asker.participant : undefined;
        const forgottenBelow = participant && (await handlers.forgottenBelow?.(participant));
        const forgotten = forgottenBelow ? { forgottenBelow } : {};
        return { v: WIRE_VERSION, type: 'mark', below, ...forgotten };
      }
    }
  }

  private discover(message: Msg): void {
    const { reply, subject } = message;
    if (!liesBelow(reply, DISCOVERY_REPLY_PREFIX)) {
      this.connection.incidents.report({ kind: 'forged-reply', subject, reply });
      return;
    }
    const decoded = decode(questions.discover, message.data);
    if (!decoded.ok) {
      answer(this.connection, reply, refusal(decoded.code, decoded.reason, decoded.field));
      return;
    }
    const { cluster, incarnation } = this.options;
    answer(this.connection, reply, { v: WIRE_VERSION, type: 'discovered', cluster, incarnation });
  }
}

function isQuick(question: questions.Question): question is QuickQuestion {
  const { type } = question;
  return type === 'ping' || type === 'live' || type === 'waits' || type === 'waits-of';
}

function mayAsk(asker: AskerName, verb: string): verb is QuestionVerb {
  const verbs: readonly string[] =
    'coordinator' in asker ? COORDINATOR_QUESTIONS : PARTICIPANT_QUESTIONS;
  return verbs.includes(verb);
}

function instanceIn(reply: string): { readonly instance?: InstanceId } {
  const instance = askingInstance(reply);
  return instance === undefined ? {} : { instance };
}

const kindOf = (asker: AskerName): 'coordinator' | 'participant' =>
  'coordinator' in asker ? 'coordinator' : 'participant';

const holderOf = (asker: AskerName): string =>
  'coordinator' in asker ? `coordinator ${asker.coordinator}` : asker.participant;

/**
 * Whether the message names the same asker as its subject. A participant that names a coordinator
 * besides asks in that one's name, also where both are called the same.
 */
function names({ participant, coordinator }: Named, asker: AskerName): boolean {
  if ('coordinator' in asker) return coordinator === asker.coordinator;
  return coordinator === undefined && participant === asker.participant;
}
