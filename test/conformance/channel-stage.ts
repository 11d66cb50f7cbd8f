/**
 * A stage for the wire's tests: a real broker, coordinators and participants on connections of their
 * own, and a bare client that breaks the rules. Everything opened here is closed with
 * it.
 */
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import {
  connectChannel,
  NatsCoordinatorChannel,
  NatsParticipantChannel,
  serveCoordinator,
  serveParticipant,
  Subjects,
  type ChannelConnection,
  type ChannelIncident,
  type ChannelOptions,
  type CoordinatorHandlers,
  type ParticipantHandlers,
  type ServeParticipantOptions,
} from '@concordat/channel';
import type { FinishRequest, PrepareRequest, WorkRequest } from '@concordat/engine';
import {
  makeTransactionId,
  type BranchId,
  type ClusterId,
  type Incarnation,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { startNats, type NatsServer } from '@concordat/testing';
import { randomBytes } from 'node:crypto';

export const CLUSTER = 'clustr01' as ClusterId;
export const EAST = 'ledger-east' as ParticipantName;
export const WEST = 'ledger-west' as ParticipantName;
export const OWNER = 'coordr01' as Incarnation;
export const FIRST = '1' as BranchId;

export const instanceId = (ordinal: number): InstanceId =>
  `inst${String(ordinal).padStart(4, '0')}` as InstanceId;

export const newTransaction = (owner: Incarnation = OWNER): TransactionId =>
  makeTransactionId(Date.now(), randomBytes(10), owner);

export class Stage {
  readonly subjects: Subjects;
  readonly incidents: ChannelIncident[] = [];
  private readonly connections: ChannelConnection[] = [];
  private readonly bare: NatsConnection[] = [];

  private constructor(
    readonly broker: NatsServer,
    readonly cluster: ClusterId,
  ) {
    this.subjects = new Subjects(cluster);
  }

  static async open(cluster: ClusterId = CLUSTER): Promise<Stage> {
    return new Stage(await startNats(), cluster);
  }

  async connection(
    name: string,
    options: Partial<ChannelOptions> = {},
  ): Promise<ChannelConnection> {
    const connection = await connectChannel({
      servers: this.broker.url,
      name,
      firstConnectMs: 5_000,
      reconnectWaitMs: 25,
      onIncident: (incident) => this.incidents.push(incident),
      ...options,
    });
    this.connections.push(connection);
    return connection;
  }

  /** A coordinator's channel to participants. */
  async commander(incarnation: Incarnation = OWNER): Promise<NatsParticipantChannel> {
    const connection = await this.connection(`commands-${incarnation}`);
    return new NatsParticipantChannel(connection, { cluster: this.cluster, incarnation });
  }

  /** A coordinator that answers. */
  async coordinator(
    handlers: Partial<CoordinatorHandlers> = {},
    incarnation = OWNER,
    options: Partial<ChannelOptions> = {},
  ) {
    const connection = await this.connection(`answers-${incarnation}`, options);
    const server = await serveCoordinator(connection, {
      cluster: this.cluster,
      incarnation,
      handlers: { ...knowsNothing, ...handlers },
    });
    return { connection, server };
  }

  /** A client that asks coordinators. */
  async asker(participant: ParticipantName = EAST, ordinal = 1, questionMs = 1_000) {
    const connection = await this.connection(`${participant}-${ordinal}`);
    return new NatsCoordinatorChannel(connection, {
      cluster: this.cluster,
      asker: { participant, instance: instanceId(ordinal) },
      questionMs,
    });
  }

  async participant(
    handlers: Partial<ParticipantHandlers> = {},
    options: Partial<ServeParticipantOptions> & {
      readonly ordinal?: number;
      readonly connect?: Partial<ChannelOptions>;
    } = {},
  ) {
    const { ordinal = 1, participant = EAST, connect: how, ...rest } = options;
    const connection = await this.connection(`${participant}-${ordinal}`, how);
    const instance = instanceId(ordinal);
    const server = await serveParticipant(connection, {
      cluster: this.cluster,
      participant,
      instance,
      version: '1.2.3',
      handlers: { ...obliging(instance), ...handlers },
      ...rest,
    });
    return { connection, server, instance };
  }

  /** A client that keeps no rules. */
  async stranger(): Promise<NatsConnection> {
    const nats = await connect({ servers: this.broker.url, noAsyncTraces: true });
    this.bare.push(nats);
    return nats;
  }

  count(kind: ChannelIncident['kind']): number {
    return this.incidents.filter((one) => one.kind === kind).length;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.bare.map((one) => one.close()));
    await Promise.allSettled(this.connections.map((one) => one.close()));
    await this.broker.dispose();
  }
}

/** A participant that does everything it is asked to. */
function obliging(instance: InstanceId): ParticipantHandlers {
  return {
    work: async () => ({ result: { kind: 'done', outputs: [] }, instance }),
    prepare: async () => ({ kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance }),
    finish: async ({ decision }) => ({
      kind: 'acknowledged',
      outcome: { kind: decision === 'commit' ? 'committed' : 'aborted' },
    }),
    inspect: async () => ({}),
  };
}

const knowsNothing: CoordinatorHandlers = {
  inquire: async () => ({ kind: 'undecided' }),
  reportHeuristic: async () => ({ recorded: true }),
  enlist: () => ({ kind: 'refused', code: 'unknown-transaction', reason: 'not here' }),
  isLive: () => false,
  lowWaterMark: async () => newTransaction(),
};

export function prepareRequest(over: Partial<PrepareRequest> = {}): PrepareRequest {
  return {
    to: { transaction: newTransaction(), branch: FIRST, participant: EAST },
    epoch: OWNER,
    operations: [{ name: 'debit', input: { account: 'alice', amount: 100 } }],
    participants: [EAST, WEST],
    timeLeftMs: 5_000,
    ...over,
  };
}

export function workRequest(over: Partial<WorkRequest> = {}): WorkRequest {
  return {
    to: { transaction: newTransaction(), branch: FIRST, participant: EAST },
    epoch: OWNER,
    call: 1,
    operations: [{ name: 'debit', input: { account: 'alice', amount: 100 } }],
    timeLeftMs: 5_000,
    idleLeaseMs: 1_000,
    ...over,
  };
}

export function finishRequest(over: Partial<FinishRequest> = {}): FinishRequest {
  return {
    to: { transaction: newTransaction(), branch: FIRST, participant: EAST },
    epoch: OWNER,
    decision: 'commit',
    timeLeftMs: 5_000,
    ...over,
  };
}

/** Something that happens later, and a promise that it has. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
