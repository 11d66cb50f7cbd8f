/**
 * Recovery before a service opens its ORM. A branch that an earlier process left in doubt locks tables, and
 * a migration at the start would wait for it forever, since recovery starts only afterwards. Guards protocol
 * §5: it asks and carries out the decision on record, never decides, and leaves a branch whose decision is no
 * longer known.
 *
 * Crash anywhere: each branch is finished or still prepared, and the next look continues.
 */
import {
  BranchManager,
  Resolver,
  type BranchManagerPorts,
  type Clock,
  type Operations,
  type PreparedInventory,
} from '@concordat/engine';
import {
  BrokerUnreachable,
  ClusterNotFound,
  NatsCoordinatorChannel,
  SystemClock,
  SystemEntropy,
  discoverCluster,
  type ChannelConnection,
} from '@concordat/channel';
import {
  InvariantViolation,
  NoCode,
  formatGid,
  gidPrefix,
  parseGid,
  tokenFrom,
  voteNo,
  type ClusterId,
  type InstanceId,
  type PreparedEntry,
} from '@concordat/protocol';
import { PREPARED_CLUSTERS } from '../postgres/in-doubt.sql.js';
import { StandbyServer } from '../postgres/inventory.js';
import type { PostgresSession } from '../postgres/branch-session.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import { openBroker } from './broker.js';
import { DatabasePatience, reasonOf } from './database-wait.js';
import { identityOf, type ParticipantIdentity } from './identity.js';
import { OpenedDatabase } from './opened-database.js';
import { checkOptions } from './options-check.js';
import { ParticipantMisconfigured } from './operation-table.js';
import {
  DEFAULTS,
  SILENT,
  type ParticipantLog,
  type ParticipantOptions,
} from './participant-options.js';

/** As the participant itself is configured. */
export type SettleOptions = Pick<
  ParticipantOptions,
  | 'name'
  | 'natsUrl'
  | 'nats'
  | 'cluster'
  | 'database'
  | 'schema'
  | 'log'
  | 'clock'
  | 'entropy'
  | 'connect'
>;

export interface SettleLimits {
  /**
   * Milliseconds for all of it, 30 seconds unless given: a database, a broker and a coordinator that are
   * away are waited for. The coordinators are asked once at least, and given time to answer.
   */
  readonly waitMs?: number;
}

/** A branch that is still prepared. */
export interface LeftInDoubt {
  readonly gid: string;
  /** By the database's clock, when it was listed. */
  readonly heldMs: number;
  readonly why: string;
}

export interface Settlement {
  /** Branches of this service that were prepared when it looked. */
  readonly found: number;
  /** Of these, finished meanwhile, here or by another instance. */
  readonly settled: number;
  readonly left: readonly LeftInDoubt[];
}

const ASK_AGAIN_MS = 300;
const CONCURRENCY = 64;

/**
 * Settles what is prepared of this service in its database: asks the coordinators what became of each
 * branch and finishes it, until none of those it found is left or the time is over. Branches that other
 * instances prepare meanwhile are theirs. Returns at once, without a broker, when nothing is prepared.
 *
 * Rejects with {@link DatabaseUnreachable} or {@link StandbyServer} when it cannot look, with
 * {@link ParticipantMisconfigured} for options that cannot be; a coordinator or broker that is away is
 * no error, but the reason why a branch is left.
 */
export async function settleInDoubt(
  options: SettleOptions,
  { waitMs = DEFAULTS.databaseWaitMs }: SettleLimits = {},
): Promise<Settlement> {
  checkOptions(options);
  const identity = identityOf(options);
  if (!Number.isFinite(waitMs) || waitMs < 0) {
    throw new ParticipantMisconfigured(
      `waitMs ${waitMs} is refused: give milliseconds from 0 upwards`,
    );
  }
  const { clock = new SystemClock(), log = SILENT } = options;
  const database = new OpenedDatabase(options, clock, log);
  const patience = new DatabasePatience({ name: options.name, waitMs, clock, log });
  try {
    const found = await patience.step(() => preparedHere(database.resource));
    if (found.length === 0) return { found: 0, settled: 0, left: [] };
    log.log(
      `${found.length} branches of ${options.name} are in doubt: asking what was decided before the start goes on`,
    );
    const settling = new Settling(options, identity, database.resource, patience, found);
    const left = await settling.run(clock, log);
    return { found: found.length, settled: found.length - left.length, left };
  } finally {
    await database.close();
  }
}

/** Own branches of any cluster, oldest first. */
async function preparedHere(resource: PostgresResource): Promise<PreparedEntry[]> {
  const { rows } = await resource.secondPhasePool.query<{
    standby: boolean;
    cluster: ClusterId | null;
  }>(PREPARED_CLUSTERS);
  if (rows.length === 0 || rows.some((row) => row.standby)) throw new StandbyServer();
  const entries: PreparedEntry[] = [];
  for (const { cluster } of rows) {
    if (cluster !== null) entries.push(...(await resource.listPrepared(cluster)).entries);
  }
  return entries
    .filter(({ gid }) => parseGid(gid) !== undefined)
    .sort((one, other) => other.ageMs - one.ageMs);
}

/** One attempt to settle the branches that were found. */
class Settling {
  private readonly left: Map<string, { readonly heldMs: number; why: string }>;

  constructor(
    private readonly options: SettleOptions,
    private readonly identity: ParticipantIdentity,
    private readonly resource: PostgresResource,
    private readonly patience: DatabasePatience,
    found: readonly PreparedEntry[],
  ) {
    this.left = new Map(
      found.map(({ gid, ageMs }) => [gid, { heldMs: ageMs, why: 'it was not asked about yet' }]),
    );
  }

  /** Resolves with what is left when no more answers can come, or the time is over. */
  async run(clock: Clock, log: ParticipantLog): Promise<LeftInDoubt[]> {
    const { entropy = new SystemEntropy() } = this.options;
    let connection: ChannelConnection | undefined;
    try {
      const waitMs = this.patience.leftMs;
      connection = await openBroker(this.options, { clock, entropy, log, waitMs });
      const cluster =
        this.identity.cluster ??
        (await discoverCluster(connection, { waitMs: this.patience.leftMs }));
      this.leaveOthers(cluster);
      const asker = { participant: this.identity.name, instance: tokenFrom(entropy.bytes(8)) };
      const coordinators = new NatsCoordinatorChannel(connection, { cluster, asker });
      await this.ask(cluster, asker.instance, { coordinators, clock }, log);
    } catch (error) {
      const isAway = error instanceof BrokerUnreachable || error instanceof ClusterNotFound;
      if (!isAway) throw error;
      for (const one of this.left.values()) one.why = reasonOf(error);
    } finally {
      await connection?.close();
    }
    return [...this.left].map(([gid, one]) => ({ gid, ...one }));
  }

  private leaveOthers(cluster: ClusterId): void {
    for (const [gid, one] of this.left) {
      if (gid.startsWith(gidPrefix(cluster))) continue;
      one.why = `it belongs to another cluster; this service is in ${cluster}, whose coordinators know nothing of it`;
    }
  }

  private async ask(
    cluster: ClusterId,
    instance: InstanceId,
    ports: Omit<BranchManagerPorts<PostgresSession>, 'resource'>,
    log: ParticipantLog,
  ): Promise<void> {
    const participant = this.identity.name;
    const manager = new BranchManager<PostgresSession>(
      { ...ports, resource: this.resource },
      { cluster, participant, instance, inDoubtMax: 0, sessionsMax: 0 },
      NO_OPERATIONS,
    );
    manager.onFinished((branch, outcome) => {
      this.left.delete(formatGid(branch));
      if (outcome.kind !== 'heuristic') return;
      log.error(`heuristic outcome of ${formatGid(branch)}: ${outcome.evidence.explanation}`);
    });
    const listPrepared = (): Promise<PreparedInventory> => this.stillPrepared(cluster);
    const resolver = new Resolver<PostgresSession>(
      { ...ports, resource: { listPrepared } },
      manager,
      {
        cluster,
        participant,
        periodMs: ASK_AGAIN_MS,
        graceMs: 0, // The process that prepared them may be dead, and asking too early does no harm.
        concurrency: CONCURRENCY,
        onFailure: (why) => this.ofCluster(cluster).forEach(([, one]) => (one.why = why)),
        onWaiting: (branch, why) => this.waits(formatGid(branch), why),
      },
    );
    for (;;) {
      await resolver.pass(0);
      const forgotten = new Set(resolver.report().forgotten);
      const waiting = this.ofCluster(cluster).filter(([gid]) => !forgotten.has(gid));
      if (waiting.length === 0 || this.patience.leftMs === 0) return;
      const pauseMs = Math.min(ASK_AGAIN_MS, this.patience.leftMs);
      await new Promise<void>((resolve) => ports.clock.after(pauseMs, resolve));
    }
  }

  /** Of those that were found, the ones that are still prepared, whichever process finished the others. */
  private async stillPrepared(cluster: ClusterId): Promise<PreparedInventory> {
    const inventory = await this.resource.listPrepared(cluster);
    const listed = new Set(inventory.entries.map(({ gid }) => gid));
    for (const [gid] of this.ofCluster(cluster)) if (!listed.has(gid)) this.left.delete(gid);
    return { ...inventory, entries: inventory.entries.filter(({ gid }) => this.left.has(gid)) };
  }

  private waits(gid: string, why: string): void {
    const one = this.left.get(gid);
    if (one) one.why = why;
  }

  private ofCluster(cluster: ClusterId) {
    return [...this.left].filter(([gid]) => gid.startsWith(gidPrefix(cluster)));
  }
}

/** Nothing is prepared here, only finished. */
const NO_OPERATIONS: Operations<PostgresSession> = {
  check: () => voteNo(NoCode.shuttingDown, 'This process only settles what is in doubt.'),
  run: () => Promise.reject(new InvariantViolation('an operation ran where none can begin')),
};
