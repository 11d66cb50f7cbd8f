/**
 * The participant's end: receives commands, runs the handlers, answers. Guards three rules of protocol
 * §8 and §4: an answer goes below `reply.coord.<own name>.` or nowhere, and a command that asks for
 * anything else is not even run; commits and aborts never wait behind prepares; and "listening" means
 * that the broker has every subscription.
 *
 * Three lanes: what opens a branch, what continues or prepares an open branch on this instance (it
 * holds locks that the first kind may wait for), and what finishes one.
 */
import { HeardPrepares, type Look } from '@concordat/engine';
import type { Msg } from '@nats-io/nats-core';
import { answer, bounded, refusal } from '../link/answering.js';
import { DRAIN_MS, type ChannelConnection } from '../link/connection.js';
import { Lane, type LaneLimits } from '../link/lane.js';
import { Subscriptions } from '../link/subscriptions.js';
import { decode, RefusalCode, type Decoded } from '../wire/codec.js';
import * as commands from '../wire/commands.js';
import { HEADROOM_BYTES, WIRE_VERSION } from '../wire/limits.js';
import { coordinatorUp } from '../wire/questions.js';
import {
  COMMAND_VERBS,
  liesBelow,
  participantQueue,
  Subjects,
  type CommandVerb,
} from '../wire/subjects.js';
import { traceOf } from '../wire/trace-headers.js';
import { BranchCommands, type BranchCommand } from './branch-commands.js';
import type { LaneName, ServeParticipantOptions } from './options.js';
import { ServiceListing } from './service-listing.js';

export interface ServedParticipant {
  /** Takes no new branches; open ones go on, and commits and aborts are received. For shutdowns. */
  stopAdmitting(): Promise<void>;
  /** Stops listening and lets running handlers answer, for at most `waitMs` (default: 10 s). */
  stop(waitMs?: number): Promise<void>;
  waiting(): Readonly<Record<LaneName, number>>;
}

const LIMITS: Readonly<Record<LaneName, LaneLimits>> = {
  opening: { running: 128, waiting: 4_096 },
  open: { running: 128, waiting: 4_096 },
  finishing: { running: 256, waiting: 16_384 },
};

const SCHEMAS = {
  work: commands.work,
  prepare: commands.prepare,
  commit: commands.commit,
  abort: commands.abort,
  inspect: commands.inspect,
} as const;

/** Listens; resolves once the broker has every subscription. */
export async function serveParticipant(
  connection: ChannelConnection,
  options: ServeParticipantOptions,
): Promise<ServedParticipant> {
  const server = new ParticipantServer(connection, options);
  await server.listen();
  return server;
}

class ParticipantServer implements ServedParticipant {
  private readonly subjects: Subjects;
  private readonly replyPrefix: string;
  private readonly lanes: Readonly<Record<LaneName, Lane>>;
  private readonly subscriptions: Subscriptions;
  private readonly branches: BranchCommands;
  private readonly listing: ServiceListing;
  private readonly heard: HeardPrepares;
  private readonly inspecting = new Map<string, Promise<Readonly<Record<string, unknown>>>>();

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: ServeParticipantOptions,
  ) {
    const { clock } = connection;
    const limits = { ...LIMITS, ...options.limits };
    this.subjects = new Subjects(options.cluster);
    this.replyPrefix = this.subjects.commandReplyPrefix(options.participant);
    this.lanes = {
      opening: new Lane(clock, limits.opening),
      open: new Lane(clock, limits.open),
      finishing: new Lane(clock, limits.finishing),
    };
    this.subscriptions = new Subscriptions(connection);
    this.heard = new HeardPrepares(clock, options.cluster);
    this.branches = new BranchCommands(connection, options);
    this.listing = new ServiceListing(connection, options, this.subjects);
  }

  async listen(): Promise<void> {
    const { subjects, subscriptions, options } = this;
    const { participant, instance } = options;
    const queue = participantQueue(participant);
    for (const verb of COMMAND_VERBS) {
      const any = (message: Msg) => this.receive(verb, message, false);
      const own = (message: Msg) => this.receive(verb, message, true);
      subscriptions.add(subjects.command(participant, verb), any, queue);
      subscriptions.add(subjects.command(participant, verb, instance), own);
    }
    subscriptions.add(subjects.inspectAll, (message) => this.inspectAll(message));
    subscriptions.add(subjects.coordinatorUp, (message) => this.coordinatorUp(message));
    this.listing.listen(subscriptions);
    const lanes = Object.values(this.lanes);
    await subscriptions.confirm(() => Promise.all(lanes.map((lane) => lane.idle())));
  }

  async stopAdmitting(): Promise<void> {
    const { participant } = this.options;
    await this.subscriptions.drop([
      this.subjects.command(participant, 'work'),
      this.subjects.command(participant, 'prepare'),
    ]);
  }

  async stop(waitMs = DRAIN_MS): Promise<void> {
    await this.subscriptions.drain(waitMs);
    this.branches.close();
  }

  waiting(): Readonly<Record<LaneName, number>> {
    const { opening, open, finishing } = this.lanes;
    return { opening: opening.waiting, open: open.waiting, finishing: finishing.waiting };
  }

  private receive(verb: CommandVerb, message: Msg, toThisInstance: boolean): void {
    const { subject, reply } = message;
    if (!liesBelow(reply, this.replyPrefix)) {
      this.connection.incidents.report({ kind: 'forged-reply', subject, reply });
      return;
    }
    const decoded = this.read(verb, message);
    if (!decoded.ok) {
      const { code, reason, field } = decoded;
      this.listing.countError(verb, `${code}: ${reason}`);
      this.connection.incidents.report({ kind: 'unreadable', subject, code, reason });
      answer(this.connection, reply, refusal(code, reason, field));
      return;
    }
    const command = decoded.message;
    if (command.type === 'inspect') {
      void this.inspect(command, reply, subject);
      return;
    }
    if (command.type === 'prepare') this.heard.note(command, command.timeLeftMs);
    const trace = traceOf(message.headers);
    const lane = this.laneOf(command, toThisInstance);
    const admitted = this.lanes[lane].admit(async (waitedMs) => {
      const started = this.connection.clock.now();
      await this.branches.run(command, { reply, subject, trace, waitedMs });
      this.listing.count(verb, this.connection.clock.now() - started);
    });
    if (admitted) return;
    this.connection.incidents.report({ kind: 'overloaded', subject });
    this.listing.countError(verb, 'overloaded');
    this.branches.turnAway(command, reply);
  }

  private read(verb: CommandVerb, message: Msg): Decoded<BranchCommand | commands.Inspect> {
    const decoded = decode<BranchCommand | commands.Inspect>(SCHEMAS[verb], message.data);
    if (!decoded.ok) return decoded;
    const { cluster, participant, instance } = this.options;
    const command = decoded.message;
    if (command.cluster !== cluster) {
      const reason = `this is cluster ${cluster}, not ${command.cluster}`;
      return { ok: false, code: RefusalCode.wrongCluster, reason, field: 'cluster' };
    }
    if (command.participant !== participant) {
      const reason = `this is participant ${participant}, not ${command.participant}`;
      return { ok: false, code: RefusalCode.wrongParticipant, reason, field: 'participant' };
    }
    if (command.instance !== undefined && command.instance !== instance) {
      const reason = `this is instance ${instance}, not ${command.instance}`;
      return { ok: false, code: RefusalCode.wrongInstance, reason, field: 'instance' };
    }
    return decoded;
  }

  private laneOf(command: BranchCommand, toThisInstance: boolean): LaneName {
    if (command.type === 'commit' || command.type === 'abort') return 'finishing';
    return toThisInstance ? 'open' : 'opening';
  }

  private async inspect(
    asked: commands.Inspect | commands.InspectAll,
    reply: string,
    subject: string,
  ): Promise<void> {
    const { participant, instance, version } = this.options;
    let said: object;
    try {
      const report = await this.looked(lookOf(asked));
      said = { v: WIRE_VERSION, type: 'inspected', participant, instance, version, report };
    } catch (error) {
      this.connection.incidents.report({ kind: 'handler-failed', subject, error });
      const why = error instanceof Error ? error.message : 'unknown';
      said = refusal(RefusalCode.unavailable, bounded(`cannot report now: ${why}`));
    }
    const fault = answer(this.connection, reply, said);
    if (fault) {
      const reason = bounded(`the report cannot be sent: ${fault.unsendable}`);
      answer(this.connection, reply, refusal(RefusalCode.internal, reason));
    }
  }

  /** Concurrent callers with the same question share one look: it may cost a query. */
  private looked(look: Look): Promise<Readonly<Record<string, unknown>>> {
    const bytesMax = this.connection.maxPayload - HEADROOM_BYTES;
    // Asked of every instance while votes are late: it costs no look at the database.
    if (look.heard) return Promise.resolve(this.heard.report(look.heard));
    // What somebody waits for has to be seen after it was asked: the answer may cost a transaction its life.
    if (look.waits) return this.options.handlers.inspect(look, bytesMax);
    const asked = JSON.stringify(look);
    const running = this.inspecting.get(asked);
    if (running) return running;
    const looking = this.options.handlers.inspect(look, bytesMax).finally(() => {
      this.inspecting.delete(asked);
    });
    this.inspecting.set(asked, looking);
    return looking;
  }

  /** Answered below the own inbox, built here: no reply subject is taken from anybody. */
  private inspectAll(message: Msg): void {
    const decoded = decode(commands.inspectAll, message.data);
    if (!decoded.ok || decoded.message.cluster !== this.options.cluster) return;
    const { epoch, token } = decoded.message;
    const reply = this.subjects.replyToCommand(this.options.participant, epoch, token);
    void this.inspect(decoded.message, reply, message.subject);
  }

  private coordinatorUp(message: Msg): void {
    const decoded = decode(coordinatorUp, message.data);
    if (!decoded.ok || decoded.message.cluster !== this.options.cluster) return;
    this.options.onCoordinatorUp?.(decoded.message.incarnation);
  }
}

function lookOf(asked: commands.Inspect | commands.InspectAll): Look {
  const { prepared, gids, oldest, committed, checks, waits, heard } = asked;
  return {
    ...(prepared ? { prepared } : {}),
    ...(gids ? { gids } : {}),
    ...(oldest ? { oldest } : {}),
    ...(committed ? { committed } : {}),
    ...(checks ? { checks } : {}),
    ...(waits ? { waits } : {}),
    ...(heard ? { heard } : {}),
  };
}
