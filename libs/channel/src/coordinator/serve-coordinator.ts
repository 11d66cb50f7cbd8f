/**
 * The coordinator as one who is asked: inquiries, enlistments, pings, marks, and discovery. Guards
 * protocol §8: an answer goes below the asker's own inbox or nowhere, because a coordinator that
 * answers where it is told to would be an accomplice (it may publish commands; the asker may not).
 * Serve on a connection of its own, whose broker user may publish answers and no commands.
 *
 * Safe to repeat, late or twice: every handler reads, proposes an abort to the register, or keeps
 * evidence there once per branch.
 */
import type {
  Enlistment,
  EnlistmentAnswer,
  HeuristicReport,
  Inquiry,
  InquiryAnswer,
} from '@concordat/engine';
import type { ClusterId, Incarnation, TransactionId } from '@concordat/protocol';
import type { Msg } from '@nats-io/nats-core';
import type { z } from 'zod';
import { answer, bounded, refusal } from '../link/answering.js';
import { DRAIN_MS, type ChannelConnection } from '../link/connection.js';
import { Lane, type LaneLimits } from '../link/lane.js';
import { Subscriptions } from '../link/subscriptions.js';
import { decode, encode, RefusalCode } from '../wire/codec.js';
import { WIRE_VERSION } from '../wire/limits.js';
import * as questions from '../wire/questions.js';
import {
  COORDINATORS_QUEUE,
  DISCOVERY_REPLY_PREFIX,
  DISCOVERY_SUBJECT,
  discoveryQueue,
  lastToken,
  liesBelow,
  QUESTION_VERBS,
  Subjects,
  type QuestionVerb,
} from '../wire/subjects.js';

export interface CoordinatorHandlers {
  inquire(inquiry: Inquiry): Promise<InquiryAnswer>;
  /** Resolves once the evidence is durable. */
  reportHeuristic(report: HeuristicReport): Promise<{ readonly recorded: true }>;
  enlist(enlistment: Enlistment): EnlistmentAnswer | Promise<EnlistmentAnswer>;
  isLive(transaction: TransactionId): boolean;
  lowWaterMark(): Promise<TransactionId>;
}

export interface ServeCoordinatorOptions {
  readonly cluster: ClusterId;
  readonly incarnation: Incarnation;
  readonly handlers: CoordinatorHandlers;
  /** Questions that need the register; the others are answered at once. */
  readonly limits?: LaneLimits;
}

export interface ServedCoordinator {
  /** Nudges participants to inquire now. Nothing relies on it. */
  announceUp(): void;
  /** Stops listening and lets running handlers answer, for at most `waitMs` (default: 10 s). */
  stop(waitMs?: number): Promise<void>;
  readonly waiting: number;
}

const SCHEMAS: Readonly<Record<QuestionVerb, z.ZodType<questions.Question>>> = {
  inquire: questions.inquire,
  'report-heuristic': questions.reportHeuristic,
  enlist: questions.enlist,
  ping: questions.ping,
  live: questions.live,
  'low-water-mark': questions.lowWaterMark,
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

class CoordinatorServer implements ServedCoordinator {
  private readonly subjects: Subjects;
  private readonly lane: Lane;
  private readonly subscriptions: Subscriptions;
  private forgetStatus: () => void = () => undefined;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: ServeCoordinatorOptions,
  ) {
    this.subjects = new Subjects(options.cluster);
    this.lane = new Lane(connection.clock, options.limits ?? { running: 256, waiting: 16_384 });
    this.subscriptions = new Subscriptions(connection);
  }

  async listen(): Promise<void> {
    const { subjects, options, subscriptions } = this;
    const take = (message: Msg) => this.receive(message);
    subscriptions.add(subjects.questionsToAnyCoordinator, take, COORDINATORS_QUEUE);
    subscriptions.add(subjects.questionsToIncarnation(options.incarnation), take);
    subscriptions.add(
      DISCOVERY_SUBJECT,
      (message) => this.discover(message),
      discoveryQueue(options.cluster),
    );
    await subscriptions.confirm(() => this.lane.idle());
    // Participants that lost the broker with us have found it again by now, or hear nothing yet.
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
    const verb = lastToken(subject) as QuestionVerb;
    if (!QUESTION_VERBS.includes(verb)) return;
    const decoded = decode(SCHEMAS[verb], message.data);
    if (!decoded.ok) {
      // Who cannot be read names no asker, so nothing says where an answer may go.
      const { code, reason } = decoded;
      connection.incidents.report({ kind: 'unreadable', subject, code, reason });
      this.refuseUnreadable(message, refusal(code, reason, decoded.field));
      return;
    }
    const question = decoded.message;
    const inbox = this.inboxOf(question);
    if (inbox === undefined || !liesBelow(reply, inbox)) {
      connection.incidents.report({ kind: 'forged-reply', subject, reply });
      return;
    }
    if (question.cluster !== this.options.cluster) {
      answer(connection, reply, refusal(RefusalCode.wrongCluster, this.clusterReason(question)));
      return;
    }
    if (question.type === 'ping' || question.type === 'live') {
      answer(connection, reply, this.answerAtOnce(question));
      return;
    }
    const admitted = this.lane.admit(() => this.answerLater(question, subject, reply));
    if (!admitted) {
      connection.incidents.report({ kind: 'overloaded', subject });
      const reason = 'too many questions wait here; ask again in a moment';
      answer(connection, reply, refusal(RefusalCode.overloaded, reason));
    }
  }

  /** Whoever asks as a coordinator is answered in that coordinator's inbox, else the participant. */
  private inboxOf(question: questions.Question): string | undefined {
    const { participant } = question;
    if ('coordinator' in question && question.coordinator && question.type !== 'enlist') {
      return this.subjects.coordinatorReplyPrefix(question.coordinator);
    }
    return participant === undefined
      ? undefined
      : this.subjects.participantReplyPrefix(participant);
  }

  /** Told only where the reply subject is an inbox of somebody who asks, whoever that is. */
  private refuseUnreadable(message: Msg, refused: object): void {
    const { reply } = message;
    for (const prefix of this.subjects.askerReplyPrefixes) {
      if (liesBelow(reply, prefix)) {
        answer(this.connection, reply, refused);
        return;
      }
    }
    this.connection.incidents.report({ kind: 'forged-reply', subject: message.subject, reply });
  }

  private clusterReason(question: { readonly cluster: ClusterId }): string {
    return `this is cluster ${this.options.cluster}, not ${question.cluster}; correct the cluster id`;
  }

  private answerAtOnce(question: Extract<questions.Question, { type: 'ping' | 'live' }>): object {
    if (question.type === 'ping') {
      return { v: WIRE_VERSION, type: 'alive', incarnation: this.options.incarnation };
    }
    const { transaction } = question;
    const live = this.options.handlers.isLive(transaction);
    return { v: WIRE_VERSION, type: 'liveness', transaction, live };
  }

  private async answerLater(
    question: Exclude<questions.Question, { type: 'ping' | 'live' }>,
    subject: string,
    reply: string,
  ): Promise<void> {
    try {
      answer(this.connection, reply, await this.ask(question));
    } catch (error) {
      // Nothing is known, so nothing is answered but that: the asker keeps waiting and asks again.
      this.connection.incidents.report({ kind: 'handler-failed', subject, error });
      const reason = error instanceof Error ? error.message : 'unknown';
      answer(
        this.connection,
        reply,
        refusal(RefusalCode.unavailable, bounded(`cannot be told now (${reason}); ask again`)),
      );
    }
  }

  private async ask(
    question: Exclude<questions.Question, { type: 'ping' | 'live' }>,
  ): Promise<object> {
    const { handlers } = this.options;
    switch (question.type) {
      case 'inquire': {
        const { transaction, branch, participant } = question;
        const standing = await handlers.inquire({ transaction, branch, participant });
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
      case 'low-water-mark':
        return { v: WIRE_VERSION, type: 'mark', below: await handlers.lowWaterMark() };
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
