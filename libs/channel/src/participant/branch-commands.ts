/**
 * Commands to branches: from a checked message to the handler's request, and from the handler's
 * answer to a message. Guards two truths: a handler that throws has said nothing about the branch, so
 * the answer is never a vote (`refused`) and never an acknowledgement (`not-yet`); and outputs that
 * cannot be sent turn a vote into a no, which is always allowed before the decision and makes the
 * coordinator abort the branch in any state.
 */
import type { FinishAnswer, PrepareAnswer, TraceContext, WorkAnswer } from '@concordat/engine';
import { NoCode, protocolNo, type Vote, type VoteAgainst } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import {
  bounded,
  publishAnswer,
  readyAnswer,
  refusal,
  type Unsendable,
} from '../link/answering.js';
import type { ChannelConnection } from '../link/connection.js';
import { RefusalCode } from '../wire/codec.js';
import type { Finish, Prepare, Work } from '../wire/commands.js';
import { jsonFault } from '../wire/json-bounds.js';
import { CODE_LENGTH_MAX, WIRE_VERSION } from '../wire/limits.js';
import { sendFault, type SendFault } from '../wire/sendable.js';
import type { ServeParticipantOptions } from './options.js';
import { UnheardAnswers } from './unheard-answers.js';

export type BranchCommand = Work | Prepare | Finish;

export interface Circumstances {
  readonly reply: string;
  readonly subject: string;
  readonly trace: TraceContext | undefined;
  /** How long the message waited for its turn: gone from its time. */
  readonly waitedMs: number;
}

/** A command, and how its answer is sent. */
interface Asked {
  readonly command: BranchCommand;
  readonly reply: string;
  /** When its sender waits no longer, by the connection's clock. */
  readonly untilMs: number;
}

export class BranchCommands {
  private readonly unheard: UnheardAnswers;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: ServeParticipantOptions,
  ) {
    this.unheard = new UnheardAnswers(connection);
  }

  /** Sends no answer again from now on. */
  close(): void {
    this.unheard.close();
  }

  /** Runs one command and answers it. Never rejects. */
  async run(command: BranchCommand, circumstances: Circumstances): Promise<void> {
    const { reply, subject, waitedMs } = circumstances;
    const timeLeftMs = command.timeLeftMs - waitedMs;
    const asked = { command, reply, untilMs: this.connection.clock.now() + timeLeftMs };
    this.unheard.overtaken(command, reply);
    if (isOfRoundOne(command) && timeLeftMs <= 0) {
      const reason = `its time was over after ${durationText(waitedMs)} of waiting for a turn`;
      this.sayNo(asked, protocolNo(NoCode.deadline, reason));
      return;
    }
    try {
      const said = await this.perform(command, circumstances.trace, Math.max(1, timeLeftMs));
      const fault = this.say(asked, said, sendFault);
      if (fault) this.replaceUnsendable(asked, said, fault.unsendable);
    } catch (error) {
      this.connection.incidents.report({ kind: 'handler-failed', subject, error });
      const reason = 'the handler failed; the log of this instance says why';
      const said = isOfRoundOne(command)
        ? refusal(RefusalCode.internal, reason)
        : { ...this.about(command, 'not-yet'), reason };
      this.say(asked, said);
    }
  }

  /** The queue is full: certainly nothing was done, and the answer says so. */
  turnAway(command: BranchCommand, reply: string): void {
    const reason = 'too many commands wait at this instance; try again in a moment';
    const untilMs = this.connection.clock.now() + command.timeLeftMs;
    const asked = { command, reply, untilMs };
    if (isOfRoundOne(command)) this.sayNo(asked, protocolNo(NoCode.overloaded, reason));
    else this.say(asked, { ...this.about(command, 'not-yet'), reason });
  }

  /** Sends an answer, and keeps it until its sender has received it, if it is never asked again. */
  private say(
    { command, reply, untilMs }: Asked,
    said: object,
    faultOf: (said: object) => SendFault | undefined = jsonFault,
  ): Unsendable | undefined {
    const ready = readyAnswer(this.connection, said, faultOf);
    if ('unsendable' in ready) return ready;
    // Written to the socket is not received: what is lost with the connection is lost silently.
    if (isOfRoundOne(command)) this.unheard.keep(command, reply, ready.payload, untilMs);
    publishAnswer(this.connection, reply, ready.payload);
    return undefined;
  }

  private async perform(
    command: BranchCommand,
    trace: TraceContext | undefined,
    timeLeftMs: number,
  ): Promise<object> {
    const { handlers } = this.options;
    const { transaction, branch, participant, instance, epoch } = command;
    const to = { transaction, branch, participant, ...(instance ? { instance } : {}) };
    const request = { to, epoch, timeLeftMs, ...(trace ? { trace } : {}) };
    switch (command.type) {
      case 'work': {
        const { call, operations, idleLeaseMs } = command;
        return this.worked(
          command,
          await handlers.work({ ...request, ...ageOf(command), call, operations, idleLeaseMs }),
        );
      }
      case 'prepare': {
        const { operations, calls, participants } = command;
        const bundled = operations ? { operations } : { calls };
        return this.voted(
          command,
          await handlers.prepare({ ...request, ...ageOf(command), ...bundled, participants }),
        );
      }
      case 'commit':
      case 'abort':
        return this.finished(
          command,
          await handlers.finish({ ...request, decision: command.type }),
        );
    }
  }

  private worked(command: BranchCommand, said: WorkAnswer): object {
    const result = said.result.kind === 'no' ? this.sendable(command, said.result) : said.result;
    return { ...this.about(command, 'worked'), instance: said.instance, result };
  }

  private voted(command: BranchCommand, said: PrepareAnswer): object {
    if (said.kind === 'refused') return refusal(said.code, said.reason);
    const vote: Vote = said.vote.kind === 'no' ? this.sendable(command, said.vote) : said.vote;
    const { instance, outputs } = said;
    return { ...this.about(command, 'vote'), instance, vote, outputs };
  }

  private finished(command: BranchCommand, said: FinishAnswer): object {
    switch (said.kind) {
      case 'refused':
        return refusal(said.code, said.reason);
      case 'not-yet':
        return {
          ...this.about(command, 'not-yet'),
          reason: bounded(said.reason),
          forgotten: said.forgotten,
        };
      case 'acknowledged':
        return { ...this.about(command, 'acknowledged'), outcome: said.outcome };
    }
  }

  private replaceUnsendable(asked: Asked, said: object, why: string): void {
    const { command } = asked;
    const no = noIn(said);
    if (no?.details) return this.sayNo(asked, this.withoutDetails(command, no, why));
    const reason = bounded(`the answer of this branch cannot be sent: ${why}; return less`);
    this.reduced(command, reason);
    if (isOfRoundOne(command)) {
      this.sayNo(asked, protocolNo(NoCode.outputsUnsendable, reason));
    } else {
      this.say(asked, { ...this.about(command, 'not-yet'), reason });
    }
  }

  private sayNo(asked: Asked, no: VoteAgainst): void {
    const { command } = asked;
    this.say(
      asked,
      command.type === 'work'
        ? { ...this.about(command, 'worked'), result: no }
        : { ...this.about(command, 'vote'), vote: no, outputs: [] },
    );
  }

  /**
   * A no within the bounds of a message. Its code and whether a retry helps are what a program goes by:
   * a long reason is cut and details that cannot be sent are dropped, never the no itself.
   */
  private sendable(command: BranchCommand, no: VoteAgainst): VoteAgainst {
    const code = no.code.slice(0, CODE_LENGTH_MAX) || 'NO';
    const bounds = { ...no, code, reason: bounded(no.reason) };
    const fault = sendFault(no.details, 'strict');
    if (!fault) return bounds;
    return this.withoutDetails(command, bounds, `${fault.path || 'details'} ${fault.what}`);
  }

  private withoutDetails(command: BranchCommand, no: VoteAgainst, why: string): VoteAgainst {
    this.reduced(command, `the details of vote ${no.code} cannot be sent and are dropped: ${why}`);
    const { kind, code, reason, retryable } = no;
    return { kind, code, reason, retryable };
  }

  private reduced(command: BranchCommand, why: string): void {
    const { transaction, branch, type } = command;
    const subject = `${type} of branch ${branch} of ${transaction}`;
    this.connection.incidents.report({ kind: 'answer-reduced', subject, why });
  }

  private about(command: BranchCommand, type: string) {
    const { transaction, branch, participant } = command;
    const { instance } = this.options;
    return { v: WIRE_VERSION, type, transaction, branch, participant, instance };
  }
}

function ageOf({ ageMs }: Work | Prepare): { readonly ageMs?: number } {
  return ageMs === undefined ? {} : { ageMs };
}

function isOfRoundOne({ type }: BranchCommand): boolean {
  return type === 'work' || type === 'prepare';
}

/** The no that an answer carries, if it carries one. */
function noIn(said: object): VoteAgainst | undefined {
  const { vote, result } = said as { vote?: Vote; result?: WorkAnswer['result'] };
  const answered = vote ?? result;
  return answered?.kind === 'no' ? answered : undefined;
}
