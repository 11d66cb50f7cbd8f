/**
 * A participant without a framework: database, broker, engine, and one life from start to stop.
 * Guards "ready means ready": it says so only while it listens on the broker, knows its cluster, and
 * its primary answers. The Nest module is a thin coat over this.
 */
import {
  tokenFrom,
  type ClusterId,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
  type VoteAgainst,
} from '@concordat/protocol';
import { JoinRefused, type Clock, type Entropy, type Look } from '@concordat/engine';
import {
  SystemClock,
  SystemEntropy,
  clustersOn,
  discoverCluster,
  type ChannelConnection,
} from '@concordat/channel';
import { durationText } from '@concordat/words';
import type { Branch } from '../branch/current-branch.js';
import { bounded } from '../postgres/bounded.js';
import { assertFit, describeFinding, examineCluster, type Finding } from '../postgres/doctor.js';
import type { LockImpact } from '../postgres/inventory.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import { openBroker } from './broker.js';
import { DatabaseUnreachable, reasonOf } from './database-wait.js';
import { checkLimits, identityOf } from './identity.js';
import { OpenedDatabase } from './opened-database.js';
import { OperationTable } from './operation-table.js';
import { checkOptions } from './options-check.js';
import {
  DEFAULTS,
  SILENT,
  type ParticipantOptions,
  type ParticipantLog,
} from './participant-options.js';
import { PatientLog } from './patient-log.js';
import { Serving } from './serving.js';

export interface Readiness {
  readonly ready: boolean;
  /** What is missing, one sentence each; empty when ready. */
  readonly reasons: readonly string[];
}

/** The broker connection is closed permanently: nothing will reach this instance again. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/**
 * Makes a participant; nothing happens until `start`. The input of each operation has the type that its
 * schema yields.
 */
export function createParticipant<const Inputs extends readonly unknown[]>(
  options: ParticipantOptions<Inputs>,
): StandaloneParticipant;
export function createParticipant(options: ParticipantOptions): StandaloneParticipant {
  return new StandaloneParticipant(options);
}

const CONNECT_RETRY_MS = 2_000;
const ASK_CLUSTER_AGAIN_MS = 30_000;
const READINESS_WAIT_MS = 2_000;
const EXAMINE_MS = 15_000;

export class StandaloneParticipant {
  readonly name: ParticipantName;
  readonly instance: InstanceId;
  /**
   * Resolves when this participant takes no part any more: without a value after `stop`, with
   * {@link ConnectionLost} when its broker connection closed permanently. Never rejects. End the
   * process then, so that it is started again: here, only its database would still answer.
   */
  readonly closed: Promise<ConnectionLost | undefined>;
  private readonly clock: Clock;
  private readonly entropy: Entropy;
  private readonly log: ParticipantLog;
  private readonly operations: OperationTable;
  private readonly configuredCluster: ClusterId | undefined;
  private readonly stopping = new AbortController();
  private readonly listening: Promise<void>;
  private nowListening!: () => void;
  private nowClosed!: (lost: ConnectionLost | undefined) => void;
  private database?: OpenedDatabase;
  private connection?: ChannelConnection;
  private serving?: Serving;
  private connecting?: Promise<void>;
  private examining?: Promise<Finding[]>;
  private stopped?: Promise<void>;
  private waitingFor = 'the participant was not started';
  private slotsMax = 0;

  constructor(private readonly options: ParticipantOptions) {
    checkOptions(options);
    const { name, cluster } = identityOf(options);
    this.name = name;
    checkLimits(options);
    this.configuredCluster = cluster;
    this.clock = options.clock ?? new SystemClock();
    this.entropy = options.entropy ?? new SystemEntropy();
    this.log = options.log ?? SILENT;
    this.instance = tokenFrom(this.entropy.bytes(8));
    this.operations = new OperationTable(options.operations);
    this.listening = new Promise((resolve) => {
      this.nowListening = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.nowClosed = resolve;
    });
  }

  /**
   * Checks and migrates the database, then connects and listens in the background: a broker or a
   * coordinator that comes up later is waited for. Rejects when the database is unfit.
   */
  async start(): Promise<this> {
    this.waitingFor = 'the database';
    const database = new OpenedDatabase(this.options, this.clock, this.log);
    this.database = database;
    try {
      this.slotsMax = (await database.open(this.stopping.signal)).slotsMax;
    } catch (error) {
      this.database = undefined;
      await database.close();
      throw error;
    }
    this.connecting = this.connectUntilListening(database);
    return this;
  }

  /** Resolves once this participant listens for the first time. */
  ready(): Promise<void> {
    return this.listening;
  }

  /** Whether transactions can use this instance now, and if not, why. Asks the database. */
  async readiness(): Promise<Readiness> {
    const { serving, connection, database } = this;
    if (this.stopping.signal.aborted) return { ready: false, reasons: ['it is shutting down'] };
    if (!serving || !connection || !database) {
      return { ready: false, reasons: [`waiting for ${this.waitingFor}`] };
    }
    const reasons: string[] = [];
    if (connection.unusable) reasons.push(connection.unusable);
    const cluster = this.cluster as ClusterId;
    const fault = await database.fault(READINESS_WAIT_MS, () =>
      database.resource.listPrepared(cluster),
    );
    if (fault) reasons.push(fault);
    const { failing, lastError } = serving.resolver.report();
    // Once may be a moment of the database's; a second time, what is in doubt here stays in doubt.
    if (failing && failing.passes > 1) {
      const since = new Date(failing.sinceMs).toISOString();
      reasons.push(`recovery has failed since ${since}: ${lastError}`);
    }
    return { ready: reasons.length === 0, reasons };
  }

  /** The cluster this participant belongs to, once it is known. */
  cluster: ClusterId | undefined;

  /**
   * Runs `body` in the branch of a transaction that a direct call named. Enlists before any work;
   * throws {@link JoinRefused} when it may not take part, and anything that `body` throws.
   */
  join<T>(transaction: TransactionId, body: (branch: Branch) => Promise<T>): Promise<T> {
    if (!this.serving) {
      throw new JoinRefused(
        'not-ready',
        `${this.name} cannot take part yet, it waits for ${this.waitingFor}; try again in a moment`,
      );
    }
    return this.serving.join(transaction, body);
  }

  /** What an error of the database means as a vote; undefined when it is none of the database's. */
  voteOf(error: unknown): VoteAgainst | undefined {
    return this.database?.resource.voteOf(error);
  }

  /** What operators see of this instance. */
  async inspect(look?: Look): Promise<Record<string, unknown>> {
    return this.serving ? this.serving.inspect(look) : { waitingFor: this.waitingFor };
  }

  /** The oldest prepared branches here, what they lock and who waits. */
  async lockImpact(limit?: number): Promise<LockImpact[]> {
    if (!this.database || !this.cluster) return [];
    return this.database.resource.lockImpact(this.cluster, limit);
  }

  /** Looks for branches in doubt now, instead of at the next period. */
  async resolveNow(): Promise<void> {
    await this.serving?.resolver.pass(0);
  }

  /** Stops admitting, lets branches vote, drains the broker, closes what it opened. Once. */
  stop(): Promise<void> {
    this.stopped ??= this.stopOnce();
    return this.stopped;
  }

  private async stopOnce(): Promise<void> {
    this.stopping.abort();
    const { drainMs = DEFAULTS.drainMs } = this.options;
    await this.serving?.stop(drainMs);
    await this.connection?.drain(drainMs);
    await this.connecting;
    await this.database?.close();
    this.nowClosed(undefined);
  }

  private async connectUntilListening(database: OpenedDatabase): Promise<void> {
    const { signal } = this.stopping;
    const complaints = new PatientLog(this.clock, (message) => this.log.error(message));
    while (!signal.aborted) {
      try {
        await this.connect(database);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const why = reasonOf(error);
        this.waitingFor = `${this.waitingFor} (${why})`;
        complaints.say(`${this.name} does not listen yet: ${why}`);
        await this.connection?.close();
        this.connection = undefined;
        await this.pause(CONNECT_RETRY_MS);
      }
    }
  }

  private async connect(database: OpenedDatabase): Promise<void> {
    this.waitingFor = 'the broker';
    const { options, clock, entropy, log, operations } = this;
    const { signal } = this.stopping;
    const connection = await openBroker(options, { clock, entropy, log, signal });
    this.connection = connection;
    if (this.stopping.signal.aborted) return connection.close();
    this.waitingFor = 'a coordinator on the broker';
    const cluster = this.configuredCluster ?? (await discoverCluster(connection));
    this.waitingFor = 'the database';
    const { resource, sessionsMax } = database;
    const findings = await this.examine(resource, cluster);
    for (const warning of assertFit(findings)) this.log.warn(describeFinding(warning));
    const serving = new Serving(
      { connection, resource, operations, clock, log },
      {
        ...DEFAULTS,
        ...given(options),
        cluster,
        participant: this.name,
        instance: this.instance,
        version: options.version ?? '0.0.0',
        sessionsMax,
        isPoolShared: database.isPoolShared,
        inDoubtMax:
          options.inDoubtMax ?? Math.max(1, Math.floor(this.slotsMax * DEFAULTS.slotShare)),
      },
    );
    this.waitingFor = 'the broker';
    await serving.start();
    // Stopped meanwhile: `stop` found nothing that serves yet, and waits for this.
    if (this.stopping.signal.aborted) return serving.stop(0);
    this.cluster = cluster;
    this.serving = serving;
    this.log.log(
      `${this.name}.${this.instance} takes part in cluster ${cluster} with ${operations.names.join(', ')}`,
    );
    this.nowListening();
    if (this.configuredCluster) void this.tellStrangeCluster(connection, cluster);
    void connection.closed.then((error) => {
      if (this.stopping.signal.aborted) return;
      const why = error?.message ?? 'closed';
      const lost = new ConnectionLost(
        `${this.name} lost its broker connection permanently (${why}): restart it`,
        { cause: error },
      );
      this.log.error(lost.message);
      this.nowClosed(lost);
    });
  }

  /**
   * Until a coordinator of the configured cluster answers, tells when only those of others do: nothing would
   * ever reach this participant. Answers of none mean nothing: its coordinators may come up later.
   */
  private async tellStrangeCluster(
    connection: ChannelConnection,
    cluster: ClusterId,
  ): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted && connection.status.kind !== 'closed') {
      const found = await clustersOn(connection, { signal }).catch((): readonly ClusterId[] => []);
      if (found.includes(cluster) || signal.aborted) return;
      if (found.length > 0) {
        this.log.error(
          `${this.name} is configured for cluster ${cluster}, but only coordinators of ${found.join(' and ')} answer on this broker: correct the cluster, or leave it out to have it discovered`,
        );
      }
      await this.pause(ASK_CLUSTER_AGAIN_MS);
    }
  }

  /** A pool of the service's own may have no time-outs: one examination at a time, however long it hangs. */
  private async examine(resource: PostgresResource, cluster: ClusterId): Promise<Finding[]> {
    this.examining ??= examineCluster(resource, { cluster, instance: this.instance }).finally(
      () => (this.examining = undefined),
    );
    const answer = await bounded(this.clock, EXAMINE_MS, this.examining);
    if (answer.kind === 'value') return answer.value;
    if (answer.kind === 'error') throw answer.error;
    throw new DatabaseUnreachable(
      `it has not answered the start-up check for ${durationText(EXAMINE_MS)}`,
    );
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.stopping;
      const wake = (): void => {
        cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.clock.after(ms, wake);
      signal.addEventListener('abort', wake);
    });
  }
}

/** The limits that were given, without the absent ones that would hide defaults. */
function given(
  options: ParticipantOptions,
): Partial<Record<keyof typeof DEFAULTS | 'lockWaitersMax', number>> {
  const names = [
    'lockWaitersMax',
    'graceMs',
    'resolvePeriodMs',
    'resolveConcurrency',
    'retentionMs',
    'prunePeriodMs',
  ] as const;
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}
