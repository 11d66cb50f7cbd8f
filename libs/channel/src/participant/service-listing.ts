/**
 * The NATS services protocol (ADR-32 of the NATS project): PING, INFO and STATS under `$SRV`, so that
 * `nats micro ls` and its like list every instance of every participant. Written out here because the
 * client's own package for it is a pre-release pinned to another release of the client's core, and it
 * would bring a second copy of that core for three small answers.
 *
 * These questions come from anybody's tool, so their reply subjects cannot be ours to name. They are
 * refused where they point into any subject tree of this protocol or of the broker: an answer to a
 * `$SRV` question must never land on a command subject.
 */
import type { Msg } from '@nats-io/nats-core';
import { answer } from '../link/answering.js';
import type { ChannelConnection } from '../link/connection.js';
import type { Subscriptions } from '../link/subscriptions.js';
import { WIRE_VERSION } from '../wire/limits.js';
import {
  COMMAND_VERBS,
  participantQueue,
  type CommandVerb,
  type Subjects,
} from '../wire/subjects.js';
import type { ServeParticipantOptions } from './options.js';

const NANOSECONDS = 1e6;
const SEMVER = /^\d+\.\d+\.\d+(-[0-9A-Za-z-.]+)?(\+[0-9A-Za-z-.]+)?$/;

interface EndpointStats {
  requests: number;
  errors: number;
  lastError: string;
  busyMs: number;
}

export class ServiceListing {
  private readonly stats: Readonly<Record<CommandVerb, EndpointStats>>;
  private readonly started: string;

  constructor(
    private readonly connection: ChannelConnection,
    private readonly options: ServeParticipantOptions,
    private readonly subjects: Subjects,
  ) {
    const none = (): EndpointStats => ({ requests: 0, errors: 0, lastError: '', busyMs: 0 });
    this.stats = { work: none(), prepare: none(), commit: none(), abort: none(), inspect: none() };
    this.started = new Date(connection.clock.wallNow()).toISOString();
  }

  listen(subscriptions: Subscriptions): void {
    const { participant, instance } = this.options;
    const answers = {
      PING: () => this.ping(),
      INFO: () => this.info(),
      STATS: () => this.report(),
    };
    for (const [verb, describe] of Object.entries(answers)) {
      const take = (message: Msg) => this.respond(message, describe);
      subscriptions.add(`$SRV.${verb}`, take);
      subscriptions.add(`$SRV.${verb}.${participant}`, take);
      subscriptions.add(`$SRV.${verb}.${participant}.${instance}`, take);
    }
  }

  count(verb: CommandVerb, busyMs: number): void {
    this.stats[verb].requests += 1;
    this.stats[verb].busyMs += busyMs;
  }

  countError(verb: CommandVerb, error: string): void {
    this.stats[verb].requests += 1;
    this.stats[verb].errors += 1;
    this.stats[verb].lastError = error;
  }

  private respond(message: Msg, describe: () => object): void {
    const { subject, reply } = message;
    if (reply === undefined || /^(concordat\.|\$)/.test(reply) || /[\s*>]/.test(reply)) {
      this.connection.incidents.report({ kind: 'forged-reply', subject, reply });
      return;
    }
    answer(this.connection, reply, describe());
  }

  private identity(kind: 'ping' | 'info' | 'stats') {
    const { participant, instance, version, cluster } = this.options;
    return {
      type: `io.nats.micro.v1.${kind}_response`,
      name: participant,
      id: instance,
      version: SEMVER.test(version) ? version : '0.0.0',
      metadata: { 'concordat.cluster': cluster, 'concordat.wire': String(WIRE_VERSION) },
    };
  }

  private ping(): object {
    return this.identity('ping');
  }

  private endpoint(verb: CommandVerb) {
    const { participant } = this.options;
    return {
      name: verb,
      subject: this.subjects.command(participant, verb),
      queue_group: participantQueue(participant),
    };
  }

  private info(): object {
    return {
      ...this.identity('info'),
      description: `Concordat participant ${this.options.participant}`,
      endpoints: COMMAND_VERBS.map((verb) => ({ ...this.endpoint(verb), metadata: {} })),
    };
  }

  private report(): object {
    return {
      ...this.identity('stats'),
      started: this.started,
      endpoints: COMMAND_VERBS.map((verb) => {
        const { requests, errors, lastError, busyMs } = this.stats[verb];
        return {
          ...this.endpoint(verb),
          num_requests: requests,
          num_errors: errors,
          last_error: lastError,
          processing_time: Math.round(busyMs * NANOSECONDS),
          average_processing_time: requests ? Math.round((busyMs / requests) * NANOSECONDS) : 0,
        };
      }),
    };
  }
}
