/**
 * The coordinator's end towards participants: work, prepare, commit, abort as requests over NATS.
 * Guards protocol §8: sends each message once, checks its size before it leaves, and turns every reply into
 * one of three answers. An answer for another branch, or one that cannot be read, is no answer.
 */
import {
  MessageTooLarge,
  ParticipantChannel,
  type Answer,
  type BranchAddress,
  type BranchWait,
  type FinishAnswer,
  type FinishRequest,
  type HeardReport,
  type InspectedInstance,
  type Look,
  type ParticipantInspector,
  type PrepareAnswer,
  type PrepareRequest,
  type TraceContext,
  type WorkAnswer,
  type WorkRequest,
} from '@concordat/engine';
import {
  formatGid,
  type BranchId,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import type { z } from 'zod';
import type { ChannelConnection } from '../link/connection.js';
import { RequestInbox, type RequestCounters } from '../link/request-inbox.js';
import { readAnswer } from '../link/reading.js';
import { decode, encode } from '../wire/codec.js';
import * as commands from '../wire/commands.js';
import { readReport } from '../wire/inspection.js';
import { HEADROOM_BYTES, TIME_MS_MAX, WIRE_VERSION } from '../wire/limits.js';
import { Subjects, type CommandVerb } from '../wire/subjects.js';
import { headerBytes, traceHeaders } from '../wire/trace-headers.js';

/** One instance of a participant, in its own words. */
export interface ParticipantReport extends InspectedInstance {
  /** The value that the participant's `inspect` handler returned. */
  readonly report: Readonly<Record<string, unknown>>;
}

/** A character weighs two and takes six bytes at most, escaped; everything else takes less of its weight. */
const BYTES_PER_WEIGHT = 3;
/** Ids, numbers and the names of as many participants as there may be. */
const ENVELOPE_BYTES_MAX = 4_096;

/** A look may take the participant some queries. */
const LOOK_MS = 5_000;
/** One query; the caller repeats it. */
const WAITS_MS = 500;

export interface ParticipantChannelOptions {
  readonly cluster: ClusterId;
  readonly incarnation: Incarnation;
  /** Called with whose answer came: the name is the one that the broker guarantees. */
  readonly onAnswered?: (participant: ParticipantName) => void;
}

export class NatsParticipantChannel extends ParticipantChannel implements ParticipantInspector {
  private readonly subjects: Subjects;
  private readonly inbox: RequestInbox;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: ParticipantChannelOptions,
  ) {
    super();
    this.subjects = new Subjects(options.cluster);
    this.inbox = new RequestInbox(connection, this.subjects.commandReplies(options.incarnation));
  }

  override async work(request: WorkRequest): Promise<Answer<WorkAnswer>> {
    const answer = await this.ask(request, 'work', this.workMessage(request), commands.workAnswers);
    if (answer.kind !== 'answered') return answer;
    const said = answer.answer;
    // A refused call is no vote: the branch may be open there all the same.
    if (said.type === 'refused') {
      return { kind: 'no-answer', why: `refused (${said.code}): ${said.reason}` };
    }
    return { kind: 'answered', answer: { result: said.result, instance: said.instance } };
  }

  override async prepare(request: PrepareRequest): Promise<Answer<PrepareAnswer>> {
    const message = this.prepareMessage(request);
    const answer = await this.ask(request, 'prepare', message, commands.prepareAnswers);
    if (answer.kind !== 'answered') return answer;
    const said = answer.answer;
    if (said.type === 'refused') {
      return {
        kind: 'answered',
        answer: { kind: 'refused', code: said.code, reason: said.reason },
      };
    }
    const { vote, outputs, instance } = said;
    return { kind: 'answered', answer: { kind: 'vote', vote, outputs, instance } };
  }

  override async finish(request: FinishRequest): Promise<Answer<FinishAnswer>> {
    const verb = request.decision;
    const message = { ...this.envelope(request, verb) };
    const answer = await this.ask(request, verb, message, commands.finishAnswers);
    if (answer.kind !== 'answered') return answer;
    const said = answer.answer;
    switch (said.type) {
      case 'acknowledged': {
        const { outcome } = said;
        if (outcome.kind === 'heuristic' && outcome.evidence.decision !== verb) {
          const reason = `it is evidence against ${outcome.evidence.decision}, commanded was ${verb}`;
          const subject = this.subjects.command(request.to.participant, verb);
          const incident = {
            kind: 'disbelieved',
            subject,
            code: 'no-contradiction',
            reason,
          } as const;
          this.connection.incidents.report(incident);
          return { kind: 'no-answer', why: `the answer is about something else: ${reason}` };
        }
        return { kind: 'answered', answer: { kind: 'acknowledged', outcome } };
      }
      case 'not-yet':
        return {
          kind: 'answered',
          answer: {
            ...{ kind: 'not-yet', reason: said.reason },
            ...(said.forgotten ? { forgotten: true } : {}),
          },
        };
      case 'refused':
        return {
          kind: 'answered',
          answer: { kind: 'refused', code: said.code, reason: said.reason },
        };
    }
  }

  override fitsSurely(weight: number): boolean {
    const bytes = BYTES_PER_WEIGHT * weight + ENVELOPE_BYTES_MAX + HEADROOM_BYTES;
    return bytes <= this.connection.maxPayload;
  }

  override assertFits(request: PrepareRequest | WorkRequest): void {
    const message =
      'idleLeaseMs' in request ? this.workMessage(request) : this.prepareMessage(request);
    this.checkSize(encode(message).length + HEADROOM_BYTES, request.to.participant);
  }

  /**
   * Every instance that answers in time. Answers are taken until none has come for a while; a slower or
   * disconnected one is not listed, so an absence proves nothing.
   */
  async listParticipants(
    waitMs = 500,
    quietMs = 150,
    look: Look = {},
  ): Promise<ParticipantReport[]> {
    const found = new Map<string, ParticipantReport>();
    const { clock } = this.connection;
    const { cluster, incarnation } = this.options;
    await new Promise<void>((resolve) => {
      let cancelQuiet: () => void = () => undefined;
      let token = '';
      const stop = this.inbox.gather(
        (fresh) => `${incarnation}.${(token = fresh)}`,
        (message) => {
          const decoded = decode(commands.inspectAnswers, message.data);
          if (!decoded.ok || decoded.message.type !== 'inspected') return;
          const { participant, instance, version, report } = decoded.message;
          // The broker guarantees the name in the subject, not the one in the message.
          if (message.subject !== this.subjects.replyToCommand(participant, incarnation, token))
            return;
          const details = readReport(report);
          this.options.onAnswered?.(participant);
          found.set(`${participant}.${instance}`, {
            participant,
            instance,
            version,
            report,
            details,
          });
          cancelQuiet();
          cancelQuiet = clock.after(quietMs, end);
        },
      );
      const cancelWait = clock.after(waitMs, end);
      function end(): void {
        cancelQuiet();
        cancelWait();
        stop();
        resolve();
      }
      const envelope = { v: WIRE_VERSION, type: 'inspect-all', cluster, epoch: incarnation, token };
      const question = { ...look, ...envelope };
      if (this.connection.publish(this.subjects.inspectAll, encode(question)) !== undefined) end();
    });
    return [...found.values()].sort((a, b) =>
      `${a.participant}.${a.instance}` < `${b.participant}.${b.instance}` ? -1 : 1,
    );
  }

  get away(): string | undefined {
    const isUsable = this.connection.unusable === undefined;
    return isUsable ? undefined : 'this coordinator does not reach the broker';
  }

  /** Patient enough for an instance whose database hangs, and which says so. */
  roll(): Promise<readonly ParticipantReport[]> {
    return this.listParticipants(1_000, 400);
  }

  /** Which of these prepares have come to each instance that answers. */
  async whoHeard(gids: readonly string[]): Promise<readonly HeardReport[]> {
    const reports = await this.listParticipants(500, 150, { heard: gids });
    return reports.map(({ participant, instance, details: { heard, listeningMs } }) => ({
      participant,
      instance,
      ...(heard ? { heard, listeningMs } : {}),
    }));
  }

  /** Asks any one instance of a participant, or the one named, for a closer look. */
  async look(
    participant: ParticipantName,
    look: Look,
    {
      waitMs = LOOK_MS,
      instance,
    }: { readonly waitMs?: number; readonly instance?: InstanceId } = {},
  ): Promise<Answer<ParticipantReport>> {
    const { cluster, incarnation } = this.options;
    const envelope = { v: WIRE_VERSION, type: 'inspect', cluster, participant, instance };
    const payload = encode({ ...look, ...envelope, epoch: incarnation });
    this.checkSize(payload.length, participant);
    const answer = await this.inbox.request(
      this.subjects.command(participant, 'inspect', instance),
      payload,
      (token) => this.subjects.replyToCommand(participant, incarnation, token),
      waitMs,
    );
    const read = readAnswer(this.connection, answer, commands.inspectAnswers, { participant });
    if (read.kind !== 'answered') return read;
    this.options.onAnswered?.(participant);
    const said = read.answer;
    if (said.type === 'refused') {
      return { kind: 'no-answer', why: `refused (${said.code}): ${said.reason}` };
    }
    const { version, report } = said;
    const details = readReport(report);
    return {
      kind: 'answered',
      answer: { participant, instance: said.instance, version, report, details },
    };
  }

  /** What branches wait for now, by a look that their instance begins after it was asked. */
  async waitsNow(
    { participant, instance }: { participant: ParticipantName; instance: InstanceId },
    branches: readonly { readonly transaction: TransactionId; readonly branch: BranchId }[],
  ): Promise<Answer<readonly BranchWait[]>> {
    const { cluster } = this.options;
    const waits = branches.map((one) => formatGid({ cluster, ...one }));
    const answer = await this.look(participant, { waits }, { waitMs: WAITS_MS, instance });
    if (answer.kind !== 'answered') return answer;
    const { details } = answer.answer;
    if (answer.answer.instance !== instance || !details.waits) {
      return { kind: 'no-answer', why: 'it does not report what its branches wait for' };
    }
    return { kind: 'answered', answer: details.waits };
  }

  counters(): RequestCounters {
    return this.inbox.counters();
  }

  private async ask<T extends { type: string }>(
    request: {
      readonly to: BranchAddress;
      readonly timeLeftMs: number;
      readonly trace?: TraceContext;
    },
    verb: CommandVerb,
    message: object,
    schema: z.ZodType<T>,
  ): Promise<Answer<T>> {
    const { to } = request;
    const payload = encode(message);
    const headers = traceHeaders(request.trace);
    this.checkSize(payload.length + headerBytes(headers), to.participant);
    const answer = await this.inbox.request(
      this.subjects.command(to.participant, verb, to.instance),
      payload,
      (token) => this.subjects.replyToCommand(to.participant, this.options.incarnation, token),
      request.timeLeftMs,
      headers,
    );
    const read = readAnswer(this.connection, answer, schema, {
      transaction: to.transaction,
      branch: to.branch,
      participant: to.participant,
    });
    if (read.kind === 'answered') this.options.onAnswered?.(to.participant);
    return read;
  }

  private envelope(
    request: {
      readonly to: BranchAddress;
      readonly epoch: Incarnation;
      readonly timeLeftMs: number;
    },
    type: CommandVerb,
  ) {
    const { transaction, branch, participant, instance } = request.to;
    return {
      v: WIRE_VERSION,
      type,
      cluster: this.options.cluster,
      transaction,
      branch,
      participant,
      instance,
      epoch: request.epoch,
      timeLeftMs: wholeMs(request.timeLeftMs),
    };
  }

  private workMessage(request: WorkRequest): object {
    return {
      ...this.envelope(request, 'work'),
      call: request.call,
      operations: request.operations.map(withInput),
      idleLeaseMs: wholeMs(request.idleLeaseMs),
      ...ageOf(request),
    };
  }

  private prepareMessage(request: PrepareRequest): object {
    return {
      ...this.envelope(request, 'prepare'),
      operations: request.operations?.map(withInput),
      calls: request.calls,
      participants: request.participants,
      ...ageOf(request),
    };
  }

  private checkSize(bytes: number, participant: ParticipantName): void {
    const bytesMax = this.connection.maxPayload;
    if (bytes > bytesMax) throw new MessageTooLarge(bytes, bytesMax, participant);
  }
}

/** JSON has no `undefined`: an operation without input gets null. */
function withInput(call: { readonly name: string; readonly input: unknown }): object {
  return { name: call.name, input: call.input ?? null };
}

function ageOf({ ageMs }: { readonly ageMs?: number }): { readonly ageMs?: number } {
  return ageMs === undefined
    ? {}
    : { ageMs: Math.min(TIME_MS_MAX, Math.max(0, Math.floor(ageMs))) };
}

function wholeMs(ms: number): number {
  return Math.min(TIME_MS_MAX, Math.max(1, Math.ceil(ms)));
}
