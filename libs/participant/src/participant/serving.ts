/**
 * A participant that knows its cluster and listens: the engine's branch manager and resolver between
 * the wire and the database. Guards protocol §4 and §5 by wiring alone: what happens is the engine's.
 */
import {
  decidedAt,
  formatGid,
  parseGid,
  type BranchOutcome,
  type ClusterId,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
  type VoteAgainst,
} from '@concordat/protocol';
import {
  BranchManager,
  OwnerWatch,
  Resolver,
  WaitReporter,
  WaitsWithoutSession,
  type BranchKey,
  type BranchWait,
  type Clock,
  type CoordinatorChannel,
  type Look,
  type PrepareAnswer,
  type PrepareRequest,
  type WorkAnswer,
  type WorkRequest,
} from '@concordat/engine';
import {
  NatsCoordinatorChannel,
  serveParticipant,
  type ChannelConnection,
  type ServedParticipant,
} from '@concordat/channel';
import { durationText } from '@concordat/words';
import { BranchHooks } from '../branch/branch-hooks.js';
import type { BranchScope } from '../branch/branch-scope.js';
import { Branch, findBranch, runInBranch } from '../branch/current-branch.js';
import { runWithOutgoingContext } from '../branch/outgoing-context.js';
import { bounded } from '../postgres/bounded.js';
import {
  BranchEnded,
  type BranchMisuse,
  type PostgresSession,
} from '../postgres/branch-session.js';
import type { PostgresResource } from '../postgres/postgres-resource.js';
import { ABOUT_LEFT_PROBES, listLeftProbes, type LeftProbe } from '../postgres/probe.js';
import { Checkup } from '../inspection/checkup.js';
import { Inspector } from '../inspection/inspector.js';
import { RecentErrors } from '../inspection/recent-errors.js';
import { closerLook } from '../inspection/report.js';
import { Housekeeping } from './housekeeping.js';
import type { OperationTable } from './operation-table.js';
import type { ParticipantLog } from './participant-options.js';
import { PatientLog } from './patient-log.js';
import { traced } from './round-span.js';
import { withItsFailure } from './statement-failure.js';
import { VoteLog, describe } from './vote-log.js';

export interface ServingParts {
  readonly connection: ChannelConnection;
  readonly resource: PostgresResource;
  readonly operations: OperationTable;
  readonly clock: Clock;
  readonly log: ParticipantLog;
}

export interface ServingOptions {
  readonly cluster: ClusterId;
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  readonly version: string;
  readonly sessionsMax: number;
  readonly lockWaitersMax?: number;
  readonly inDoubtMax: number;
  readonly isPoolShared: boolean;
  readonly graceMs: number;
  readonly resolvePeriodMs: number;
  readonly resolveConcurrency: number;
  readonly retentionMs: number;
  readonly prunePeriodMs: number;
}

/** Messages that may wait for a session; beyond it they are turned away with a no. */
const WAITING_MAX = 4_096;
const LOCKS_SHOWN = 5;
const LOCKS_MS = 100;
const FORGOTTEN_SHOWN = 500;
const REPORT_BYTES_MAX = 1_000_000;
/** Answers on their way get this long, even where branches took the whole drain time to vote. */
const LAST_ANSWERS_MS = 250;

export class Serving {
  readonly manager: BranchManager<PostgresSession>;
  readonly resolver: Resolver<PostgresSession>;
  private readonly owners: OwnerWatch<PostgresSession>;
  private readonly hooks: BranchHooks;
  private readonly housekeeping: Housekeeping;
  private readonly branches = new WeakMap<PostgresSession, Branch>();
  private readonly coordinators: CoordinatorChannel;
  private readonly errors: RecentErrors;
  private readonly votes: VoteLog;
  private readonly inspector: Inspector;
  private readonly checkup: Checkup;
  private readonly waits: WaitReporter;
  private readonly waitingFor: WaitsWithoutSession;
  private served?: ServedParticipant;
  private forgetStatus?: () => void;

  constructor(
    private readonly parts: ServingParts,
    private readonly options: ServingOptions,
  ) {
    const { connection, resource, operations, clock, log } = parts;
    const { cluster, participant, instance } = options;
    this.errors = new RecentErrors(clock);
    this.votes = new VoteLog(log, this.errors, clock);
    resource.onRefused((refusal) => this.votes.refused(refusal));
    this.inspector = new Inspector(resource, {
      cluster,
      participant,
      onConnectionError: (error) => this.errors.note('database', error.message),
    });
    this.checkup = new Checkup({ resource, inspector: this.inspector, clock }, options);
    this.coordinators = new NatsCoordinatorChannel(connection, {
      cluster,
      asker: { participant, instance },
    });
    this.hooks = new BranchHooks(clock, (error, branch) =>
      log.error(`a hook of ${formatGid(branch)} failed: ${describe(error)}`),
    );
    const ports = { resource, coordinators: this.coordinators, clock };
    const patient = new PatientLog(clock, (message) => log.error(message));
    this.waitingFor = new WaitsWithoutSession(resource, () => this.manager.room);
    const waitPorts = { ...ports, resource: this.waitingFor };
    this.waits = new WaitReporter(waitPorts, {
      participant,
      instance,
      isBusy: () => this.manager.snapshot().working > 0,
      onFailure: (error) => this.errors.note('waits', describe(error)),
    });
    this.manager = new BranchManager<PostgresSession>(ports, options, {
      begun: () => this.waits.nudge(),
      check: (call) => operations.check(call),
      run: (session, call, key) => {
        const scope = this.scopeOf(session, key, `operation ${call.name}`);
        const run = () => runInBranch(scope, () => operations.run(call, scope.branch));
        return this.unlessEnded(scope, () => withItsFailure(resource, session, run));
      },
      mayRunAgain: (calls) => operations.mayRunAgain(calls),
      undone: (branch) => this.hooks.forget(branch),
      failed: (error, _call, branch) =>
        this.votes.operationFailed(branch, error, resource.voteOf(error)),
      broke: (error, branch) => this.votes.libraryFailed(branch, error),
      expired: (vote, branch) => this.votes.expired(branch, vote),
    });
    this.manager.onFinished((branch, outcome) => this.finished(branch, outcome));
    this.resolver = new Resolver<PostgresSession>(ports, this.manager, {
      cluster,
      participant,
      periodMs: options.resolvePeriodMs,
      graceMs: options.graceMs,
      concurrency: options.resolveConcurrency,
      onFailure: (why) => {
        this.errors.note('recovery', why);
        patient.say(`branches in doubt wait, for recovery fails: ${why}`, 'recovery');
      },
    });
    this.owners = new OwnerWatch(ports, this.manager, {
      concurrency: options.resolveConcurrency,
      onFreed: (branch) => this.votes.freed(branch),
    });
    this.housekeeping = new Housekeeping(
      { ...ports, manager: this.manager, hooks: this.hooks, log, errors: this.errors },
      { ...options, hookPatienceMs: options.graceMs + options.resolvePeriodMs },
    );
  }

  /** Listens, then looks for branches that an earlier process left in doubt. */
  async start(): Promise<void> {
    const { connection } = this.parts;
    const { cluster, participant, instance, version, sessionsMax } = this.options;
    this.served = await serveParticipant(connection, {
      cluster,
      participant,
      instance,
      version,
      handlers: {
        work: (request) => traced('work', request, () => this.work(request)),
        prepare: (request) => traced('prepare', request, () => this.prepare(request)),
        finish: (request) => traced(request.decision, request, () => this.manager.finish(request)),
        inspect: (look, bytesMax) => this.inspect(look, bytesMax),
      },
      onCoordinatorUp: () => {
        this.resolver.nudge();
        void this.owners.pass();
      },
      // Branches wait for their session in the manager, all in one queue; none of them waits here.
      limits: { opening: { running: sessionsMax + WAITING_MAX, waiting: 0 } },
    });
    this.forgetStatus = connection.onStatus((status) => {
      if (status.kind === 'connected') this.resolver.nudge();
      else this.errors.note('broker', status.why);
    });
    this.resolver.start();
    this.owners.start();
    this.housekeeping.start();
  }

  /** Runs a direct call in its transaction's branch; inside of that branch it runs as it is. */
  join<T>(transaction: TransactionId, body: (branch: Branch) => Promise<T>): Promise<T> {
    const here = findBranch();
    const isHere = here?.transaction === transaction && here.session.isOpen;
    // Calls of a branch run one after another: it would wait for the call that it is a part of.
    if (isHere && here.participant === this.options.participant) return body(here);
    return this.manager.join(transaction, (session, key) => {
      const scope = this.scopeOf(session, key, 'a joined call');
      // What it calls in turn may join the same transaction.
      return this.unlessEnded(scope, () =>
        runWithOutgoingContext(transaction, () => runInBranch(scope, () => body(scope.branch))),
      );
    });
  }

  /**
   * First no new branches, then the open ones vote, then nothing is received any more. What is prepared
   * by then stays prepared: other instances, or the next start, finish it. What has not voted by then
   * is undone, and an operation that hangs is left behind.
   */
  async stop(waitMs: number): Promise<void> {
    const { clock, log, resource } = this.parts;
    const endsAt = clock.now() + waitMs;
    await this.served?.stopAdmitting();
    await this.manager.drain(waitMs);
    this.forgetStatus?.();
    await this.resolver.stop();
    await this.owners.stop();
    await this.housekeeping.stop();
    this.waits.stop();
    const undone = await resource.endSessions();
    await this.inspector.close();
    if (undone > 0)
      log.warn(`${undone} branches had not voted within ${durationText(waitMs)}: rolled back`);
    await this.served?.stop(Math.max(LAST_ANSWERS_MS, endsAt - clock.now()));
  }

  /**
   * What operators see of this instance, and what they ask for besides. Rejects only where asked about
   * waits.
   */
  async inspect(look: Look = {}, bytesMax = REPORT_BYTES_MAX): Promise<Record<string, unknown>> {
    const { inspector, checkup, errors } = this;
    if (look.waits) return { waits: await this.waitsOf(look.waits) };
    const failed = (what: string, why: string): void => errors.note(`inspection, ${what}`, why);
    const recalledWaits = () => this.manager.room.recalledWaits();
    const parts = { inspector, checkup, clock: this.parts.clock, recalledWaits, failed };
    return closerLook(parts, await this.usual(), look, bytesMax);
  }

  /** Rejects when the database cannot be asked: then it is not known whether they wait. */
  private waitsOf(gids: readonly string[]): Promise<readonly BranchWait[]> {
    const { cluster, participant } = this.options;
    const asked = gids.flatMap((gid) => {
      const parts = parseGid(gid);
      return parts?.cluster === cluster ? [{ ...parts, participant }] : [];
    });
    return this.waitingFor.lookAgain(asked);
  }

  private async usual(): Promise<Record<string, unknown>> {
    const { sessionsMax, inDoubtMax, cluster } = this.options;
    const { lastError, ...looked } = this.resolver.report();
    // Before the first look, and while looks fail, nothing is known: a count would be a claim.
    const isSeen = looked.lookedAtMs !== undefined && looked.failing === undefined;
    const { lookedAtMs, failing } = looked;
    const prepared = isSeen
      ? { ...looked, forgotten: looked.forgotten.slice(0, FORGOTTEN_SHOWN) }
      : { lookedAtMs, failing };
    const report = {
      ...this.manager.snapshot(),
      onePhase: true,
      limits: { sessionsMax, inDoubtMax },
      operations: this.parts.operations.names,
      prepared,
      waiting: { ...this.served?.waiting(), opening: this.manager.waiting },
      incidents: this.parts.connection.incidents.snapshot(),
      errors: this.errors.list(),
      ...(lastError ? { lastError } : {}),
    };
    if (!isSeen) return report;
    const { resource } = this.parts;
    const [locks, probes] = await Promise.all([
      looked.inDoubt === 0 ? [] : this.inTime(resource.lockImpact(cluster, LOCKS_SHOWN)),
      looked.slotsUsed === 0 ? [] : this.inTime(listLeftProbes(resource.secondPhasePool, cluster)),
    ]);
    return {
      ...report,
      ...(typeof locks === 'string' ? { lastError: locks } : { locks }),
      ...(typeof probes === 'string' || probes.length === 0 ? {} : { probes: probes.map(shown) }),
    };
  }

  /** What the database answers in time, or why it did not. */
  private async inTime<T>(asked: Promise<readonly T[]>): Promise<readonly T[] | string> {
    const answer = await bounded(this.parts.clock, LOCKS_MS, asked);
    if (answer.kind === 'value') return answer.value;
    return answer.kind === 'error' ? describe(answer.error) : 'the database did not answer in time';
  }

  private async prepare(request: PrepareRequest): Promise<PrepareAnswer> {
    const answer = await this.manager.prepare(request);
    if (answer.kind === 'vote') {
      if (answer.vote.kind === 'read-only') this.hooks.forget(this.keyOf(request));
      if (answer.vote.kind === 'no') {
        // In one phase a no is not the end: another copy, or this one, may have committed.
        if (decidedAt(request.to.transaction) === undefined) this.saidNo(request, answer.vote);
        else this.votes.voted(answer.vote);
      }
    }
    return answer;
  }

  private async work(request: WorkRequest): Promise<WorkAnswer> {
    const answer = await this.manager.work(request);
    if (answer.result.kind === 'no') this.saidNo(request, answer.result);
    return answer;
  }

  private saidNo(request: PrepareRequest | WorkRequest, vote: VoteAgainst): void {
    this.votes.voted(vote);
    this.hooks.ended(this.keyOf(request), 'aborted');
  }

  /**
   * Runs code of the service. Where it fails because its branch was ended under it, by time, by an abort
   * or with its connection, it is not to blame, and what it threw is only how it noticed.
   */
  private async unlessEnded<T>(
    { branch, work }: { readonly branch: Branch; readonly work: string },
    body: () => Promise<T>,
  ): Promise<T> {
    try {
      return await body();
    } catch (error) {
      const because = branch.session.endedBy;
      if (!because) throw error;
      this.votes.stopped(branch.session.branch, work, because);
      throw new BranchEnded(because, { cause: error });
    }
  }

  private finished(branch: BranchKey, outcome: BranchOutcome): void {
    if (outcome.kind !== 'heuristic') {
      this.hooks.ended(branch, outcome.kind);
      return;
    }
    const { found, explanation } = outcome.evidence;
    this.parts.log.error(`heuristic outcome of ${formatGid(branch)}: ${explanation}`);
    this.errors.note('heuristic', `${formatGid(branch)}: ${explanation}`);
    this.hooks.ended(branch, found === 'committed' ? 'committed' : 'aborted');
  }

  private scopeOf(
    session: PostgresSession,
    key: BranchKey,
    work: string,
  ): { readonly branch: Branch } & Pick<BranchScope, 'work' | 'refused'> {
    const refused = (misuse: BranchMisuse): void => this.votes.misused(misuse);
    return { branch: this.branchOf(session, key), work, refused };
  }

  private branchOf(session: PostgresSession, key: BranchKey): Branch {
    let branch = this.branches.get(session);
    if (!branch) {
      branch = new Branch(key, session, this.hooks, this.parts.resource.sessions);
      this.branches.set(session, branch);
    }
    return branch;
  }

  private keyOf({ to }: PrepareRequest | WorkRequest): BranchKey {
    const { cluster, participant } = this.options;
    return { cluster, participant, transaction: to.transaction, branch: to.branch };
  }
}

function shown(probe: LeftProbe): object {
  return { ...probe, about: ABOUT_LEFT_PROBES };
}
