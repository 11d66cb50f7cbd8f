/**
 * The channel to coordinators: participants inquire and enlist through it, coordinators ask each
 * other. Guards protocol §5: "no responders" is proof that an incarnation is not there, a time-out is
 * not, and neither is ever turned into a decision here.
 */
import {
  CoordinatorChannel,
  type Answer,
  type Enlistment,
  type EnlistmentAnswer,
  type HeuristicReport,
  type Inquiry,
  type InquiryAnswer,
  type Marks,
  type ReportAnswer,
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
import { z } from 'zod';
import { bounded } from '../link/answering.js';
import type { ChannelConnection } from '../link/connection.js';
import { readAnswer } from '../link/reading.js';
import { RequestInbox, type RequestCounters } from '../link/request-inbox.js';
import { decode, encode, RefusalCode } from '../wire/codec.js';
import { refused } from '../wire/commands.js';
import { FORWARDED_DEPTH_MAX, WIRE_VERSION } from '../wire/limits.js';
import * as questions from '../wire/questions.js';
import { Subjects, type QuestionVerb } from '../wire/subjects.js';
import type { Forward, Forwarded } from './forwarding.js';
import type { RegisterSeen } from './serve-coordinator.js';

/** The asking process, which determines where the answers go. */
export type Asker =
  | { readonly participant: ParticipantName; readonly instance: InstanceId }
  | { readonly coordinator: Incarnation };

/** A heartbeat that the asker has written into its register. */
export type Written = Pick<questions.SameRegister, 'beat' | 'register'>;

export interface CoordinatorChannelOptions {
  readonly cluster: ClusterId;
  readonly asker: Asker;
  /** An inquiry may have to ask the owner and to make an abort durable first; a report is a write. */
  readonly inquiryMs?: number;
  /** A ping, a question whether a transaction is live, a mark, an enlistment. */
  readonly questionMs?: number;
}

const enlistAnswers = z.discriminatedUnion('type', [questions.enlisted, refused]);
const inquiryAnswers = z.discriminatedUnion('type', [questions.standing, refused]);
const reportAnswers = z.discriminatedUnion('type', [questions.recorded, refused]);
const pingAnswers = z.discriminatedUnion('type', [questions.alive, refused]);
const forwardAnswers = z.discriminatedUnion('type', [questions.forwarded, refused]);
const liveAnswers = z.discriminatedUnion('type', [questions.liveness, refused]);
const seenAnswers = z.discriminatedUnion('type', [questions.registerSeen, refused]);
const notedAnswers = z.discriminatedUnion('type', [questions.waitsNoted, refused]);
const toldAnswers = z.discriminatedUnion('type', [questions.waitsTold, refused]);
const markAnswers = z.discriminatedUnion('type', [questions.mark, refused]);

export class NatsCoordinatorChannel extends CoordinatorChannel {
  private readonly subjects: Subjects;
  private readonly inbox: RequestInbox;
  private readonly replyTo: (token: string) => string;
  private readonly inquiryMs: number;
  private readonly questionMs: number;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: CoordinatorChannelOptions,
  ) {
    super();
    const { asker, cluster, inquiryMs = 3_000, questionMs = 1_000 } = options;
    this.inquiryMs = inquiryMs;
    this.questionMs = questionMs;
    const subjects = new Subjects(cluster);
    this.subjects = subjects;
    if ('coordinator' in asker) {
      this.inbox = new RequestInbox(connection, subjects.coordinatorReplies(asker.coordinator));
      this.replyTo = (token) => subjects.replyToCoordinator(asker.coordinator, token);
    } else {
      const { participant, instance } = asker;
      this.inbox = new RequestInbox(connection, subjects.participantReplies(participant, instance));
      this.replyTo = (token) => subjects.replyToParticipant(participant, instance, token);
    }
  }

  override async inquire(inquiry: Inquiry): Promise<Answer<InquiryAnswer>> {
    const { asker } = this.options;
    invariant(
      'coordinator' in asker || asker.participant === inquiry.participant,
      'a participant inquires about its own branches only',
    );
    const { transaction, branch, participant, unvoted } = inquiry;
    const about = { transaction, branch, participant, ...(unvoted ? { unvoted } : {}) };
    const question = { type: 'inquire', ...about } as const;
    const subject = this.subjects.toAnyCoordinator(asker, 'inquire');
    const answer = await this.askTwice((waitMs) =>
      this.ask(subject, question, inquiryAnswers, waitMs, { transaction }),
    );
    return mapAnswer(answer, (said) => said.standing);
  }

  override async reportHeuristic(report: HeuristicReport): Promise<Answer<ReportAnswer>> {
    const { asker } = this.options;
    const { transaction, branch, participant, evidence } = report;
    invariant(
      'participant' in asker && asker.participant === participant,
      'a participant reports its own branches only',
    );
    const explanation = bounded(evidence.explanation);
    const answer = await this.ask(
      this.subjects.toAnyCoordinator(asker, 'report-heuristic'),
      { type: 'report-heuristic', transaction, branch, evidence: { ...evidence, explanation } },
      reportAnswers,
      this.inquiryMs,
      { transaction, branch },
    );
    if (answer.kind === 'answered' && isRefused(answer.answer)) {
      const { code, reason } = answer.answer;
      if (!ASK_AGAIN.has(code))
        return { kind: 'answered', answer: { recorded: false, code, reason } };
    }
    return mapAnswer(answer, () => ({ recorded: true }) as const);
  }

  override async enlist(enlistment: Enlistment): Promise<Answer<EnlistmentAnswer>> {
    const { asker } = this.options;
    invariant('participant' in asker, 'only participants enlist');
    const { transaction, participant, instance } = enlistment;
    const answer = await this.ask(
      this.subjects.toIncarnation(asker, ownerOf(transaction), 'enlist'),
      { type: 'enlist', transaction, participant, instance },
      enlistAnswers,
      this.questionMs,
      { transaction },
    );
    if (answer.kind !== 'answered') return answer;
    const said = answer.answer;
    if (said.type === 'refused') {
      const { code, reason } = said;
      return { kind: 'answered', answer: { kind: 'refused', code, reason } };
    }
    const { branch, timeLeftMs, idleLeaseMs, rejoined } = said;
    return {
      kind: 'answered',
      answer: { kind: 'enlisted', branch, timeLeftMs, idleLeaseMs, rejoined },
    };
  }

  override async ping(incarnation: Incarnation): Promise<Answer<{ readonly alive: true }>> {
    const answer = await this.ask(
      this.subjects.toIncarnation(this.options.asker, incarnation, 'ping'),
      { type: 'ping' },
      pingAnswers,
      this.questionMs,
      { incarnation },
    );
    return mapAnswer(answer, () => ({ alive: true }));
  }

  override async isLive(
    owner: Incarnation,
    transaction: TransactionId,
  ): Promise<Answer<{ readonly live: boolean; readonly principal?: string }>> {
    const answer = await this.ask(
      this.subjects.toIncarnation(this.options.asker, owner, 'live'),
      { type: 'live', transaction },
      liveAnswers,
      this.questionMs,
      { transaction },
    );
    return mapAnswer(answer, ({ live, principal }) =>
      principal === undefined ? { live } : { live, principal },
    );
  }

  /**
   * Asks the owner of a transaction to carry out a client's request. Sends it once: a repeat is the
   * client's to make. `waitMs` is how long to wait for the answer.
   */
  async forward(request: Forward, waitMs: number): Promise<Forwarded> {
    const { transaction } = request;
    const payload = this.payload({ type: 'forward', ...request });
    const bytesMax = this.connection.maxPayload;
    if (payload.length > bytesMax) return { kind: 'too-large', bytes: payload.length, bytesMax };
    const subject = this.subjects.toIncarnation(
      this.options.asker,
      ownerOf(transaction),
      'forward',
    );
    const answer = readAnswer(
      this.connection,
      await this.inbox.request(subject, payload, this.replyTo, waitMs),
      forwardAnswers,
      { transaction },
      FORWARDED_DEPTH_MAX,
    );
    if (answer.kind !== 'answered') return answer;
    const said = answer.answer;
    if (said.type === 'forwarded') {
      const { status, headers, body } = said;
      return { kind: 'answered', answer: { status, headers, body } };
    }
    const { code, reason } = said;
    if (code === RefusalCode.answerTooLarge) return { kind: 'answer-too-large', reason };
    // What failed while it was carried out may have been done.
    if (code === RefusalCode.unavailable) return { kind: 'no-answer', why: reason };
    return { kind: 'refused', code, reason };
  }

  override async lowWaterMark(): Promise<Answer<Marks>> {
    const answer = await this.ask(
      this.subjects.toAnyCoordinator(this.options.asker, 'low-water-mark'),
      { type: 'low-water-mark' },
      markAnswers,
      this.inquiryMs,
      {},
    );
    return mapAnswer(answer, ({ below, forgottenBelow }) => ({
      below,
      ...(forgottenBelow ? { forgottenBelow } : {}),
    }));
  }

  override async reportWaits(
    owner: Incarnation,
    report: WaitReport,
  ): Promise<Answer<{ noted: true }>> {
    const { asker } = this.options;
    invariant('participant' in asker, 'only participants report waits');
    const { instance, sequence, waits } = report;
    const subject = this.subjects.toIncarnation(asker, owner, 'waits');
    const question = { type: 'waits', instance, sequence, waits } as const;
    const answer = await this.ask(subject, question, notedAnswers, this.questionMs, { instance });
    return mapAnswer(answer, () => ({ noted: true }) as const);
  }

  /** What the owner of transactions was sent about their waits. */
  async waitsOf(
    owner: Incarnation,
    transactions: readonly TransactionId[],
  ): Promise<Answer<readonly TransactionWaits[]>> {
    const subject = this.subjects.toIncarnation(this.options.asker, owner, 'waits-of');
    const question = { type: 'waits-of', transactions } as const;
    const about = { incarnation: owner };
    const answer = await this.ask(subject, question, toldAnswers, this.questionMs, about);
    return mapAnswer(answer, (said) => said.transactions);
  }

  /** Asks one other coordinator whether its register holds what this one has written into its own. */
  async compareRegister(incarnation: Incarnation, written: Written): Promise<Answer<RegisterSeen>> {
    const { asker } = this.options;
    const subject = this.subjects.toIncarnation(asker, incarnation, 'same-register');
    const question = { type: 'same-register', ...written } as const;
    const about = { incarnation };
    const answer = await this.ask(subject, question, seenAnswers, this.questionMs, about);
    return mapAnswer(answer, ({ seen, register }) => ({ seen, register }));
  }

  /**
   * Asks every other coordinator the same. Answers are taken until none has come for `quietMs`; who
   * has not answered by then may be there all the same.
   */
  compareRegisters(
    written: Written,
    { quietMs = 200, waitMs = 2_000 } = {},
  ): Promise<ReadonlyMap<Incarnation, RegisterSeen>> {
    const { connection, subjects } = this;
    const { asker, cluster } = this.options;
    invariant('coordinator' in asker, 'only coordinators compare registers');
    const { coordinator } = asker;
    const found = new Map<Incarnation, RegisterSeen>();
    return new Promise((resolve) => {
      let reply = '';
      const stop = this.inbox.gather(
        (token) => {
          reply = subjects.replyToCoordinator(coordinator, token);
          return `${coordinator}.${token}`;
        },
        (message) => {
          const decoded = decode(seenAnswers, message.data);
          if (!decoded.ok || decoded.message.type !== 'register-seen') return;
          const { incarnation, seen, register } = decoded.message;
          found.set(incarnation, { seen, register });
          cancelQuiet();
          cancelQuiet = connection.clock.after(quietMs, end);
        },
      );
      let cancelQuiet = connection.clock.after(quietMs, end);
      const cancelWait = connection.clock.after(waitMs, end);
      function end(): void {
        cancelQuiet();
        cancelWait();
        stop();
        resolve(found);
      }
      const subject = subjects.toEveryCoordinator(asker, 'same-register');
      const question = { v: WIRE_VERSION, type: 'same-register', cluster, coordinator, ...written };
      if (connection.publish(subject, encode(question), reply) !== undefined) end();
    });
  }

  counters(): RequestCounters {
    return this.inbox.counters();
  }

  /**
   * Asks any coordinator, and once more while the answer is out: the broker picks one at random, and
   * one that hangs must not hide another that answers. The first answer counts (hedged requests: Dean
   * and Barroso, "The Tail at Scale", CACM 2013). Only for what may be asked any number of times.
   */
  private async askTwice<T extends { type: string }>(
    ask: (waitMs: number) => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const first = ask(this.inquiryMs);
    // Longer than the asked coordinator waits for an owner that does not answer.
    const patience = 1.5 * this.questionMs;
    if (patience >= this.inquiryMs) return first;
    let cancel: () => void = () => undefined;
    const late = new Promise<'late'>((resolve) => {
      cancel = this.connection.clock.after(patience, () => resolve('late'));
    });
    const early = await Promise.race([first, late]);
    cancel();
    if (early !== 'late') return early;
    const second = ask(this.inquiryMs - patience);
    const answered = async (one: Promise<Answer<T>>): Promise<Answer<T>> => {
      const answer = await one;
      const isTold = answer.kind === 'answered' && answer.answer.type !== 'refused';
      return isTold ? answer : Promise.reject(new Error('not delivered'));
    };
    return Promise.any([answered(first), answered(second)]).catch(() => first);
  }

  private async ask<T extends { type: string }>(
    subject: string,
    question: { readonly type: QuestionVerb } & Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    waitMs: number,
    about: Readonly<Record<string, string>>,
  ): Promise<Answer<T>> {
    const payload = this.payload(question);
    const answer = await this.inbox.request(subject, payload, this.replyTo, waitMs);
    return readAnswer(this.connection, answer, schema, about);
  }

  private payload(question: { readonly type: QuestionVerb }): Uint8Array {
    const { asker, cluster } = this.options;
    const who =
      'coordinator' in asker
        ? { coordinator: asker.coordinator }
        : { participant: asker.participant };
    return encode({ v: WIRE_VERSION, cluster, ...who, ...question });
  }
}

type Refused = z.infer<typeof refused>;

/** Refusals that say nothing of what was asked. */
const ASK_AGAIN: ReadonlySet<string> = new Set([
  RefusalCode.unavailable,
  RefusalCode.overloaded,
  RefusalCode.internal,
]);

/** A refused question is unanswered: the coordinator does not know. */
function mapAnswer<T extends { type: string }, R>(
  answer: Answer<T | Refused>,
  read: (said: Exclude<T, Refused>) => R,
): Answer<R> {
  if (answer.kind !== 'answered') return answer;
  const said = answer.answer;
  if (isRefused(said)) return { kind: 'no-answer', why: `refused (${said.code}): ${said.reason}` };
  return { kind: 'answered', answer: read(said as Exclude<T, Refused>) };
}

function isRefused(said: { type: string }): said is Refused {
  return said.type === 'refused';
}
