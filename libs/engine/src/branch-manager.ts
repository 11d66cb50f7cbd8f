/**
 * The branch manager: the participant's side of both rounds. It admits, runs operations in a
 * session, prepares, finishes, and lets direct calls join. Guards protocol §4.2 (order of work,
 * outcome row and PREPARE; admission before any work) and §4.4 (any instance can finish, repeats are
 * answered alike).
 */
import {
  NoCode,
  PeerViolation,
  formatGid,
  voteNo,
  type BranchId,
  type BranchOutcome,
  type ClusterId,
  type InstanceId,
  type ParticipantName,
  type TransactionId,
  type Vote,
  type VoteAgainst,
} from '@concordat/protocol';
import { JoinRefused, VoteNoError } from './errors.js';
import { LocalBranch } from './local-branch.js';
import { within } from './pause.js';
import { BranchPerformer } from './perform-branch.js';
import type {
  BranchKey,
  Clock,
  CoordinatorChannel,
  Entropy,
  FinishAnswer,
  FinishRequest,
  OperationCall,
  PrepareAnswer,
  PrepareRequest,
  Resource,
  WorkAnswer,
  WorkRequest,
} from './ports/index.js';

export interface BranchManagerPorts<Session> {
  readonly resource: Resource<Session>;
  readonly coordinators: CoordinatorChannel;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

export interface BranchManagerOptions {
  readonly cluster: ClusterId;
  readonly participant: ParticipantName;
  readonly instance: InstanceId;
  /** Prepared branches this instance may have open at once; below the server's prepared slots. */
  readonly inDoubtMax: number;
  /** Branches with an open session at once. */
  readonly sessionsMax: number;
}

/** Runs one operation in the branch's session. Throws {@link VoteNoError} to refuse. */
export type RunOperation<Session> = (
  session: Session,
  call: OperationCall,
  branch: BranchKey,
) => Promise<unknown>;

/** Validates a call before any database transaction begins. */
export type CheckOperation = (call: OperationCall) => OperationCall | VoteAgainst;

export interface Operations<Session> {
  readonly check: CheckOperation;
  readonly run: RunOperation<Session>;
  /** Hears of failures that are not refusals; the vote itself carries no internals. */
  readonly failed?: (error: unknown, call: OperationCall | undefined, branch: BranchKey) => void;
}

export interface BranchManagerSnapshot {
  /** Branches with an open session here. */
  readonly working: number;
  /** Branches prepared here whose decision has not been carried out here. */
  readonly inDoubt: number;
}

type Work = { readonly outputs: readonly unknown[] } | { readonly vote: VoteAgainst };

export class BranchManager<Session> {
  private readonly branches = new Map<string, LocalBranch<Session>>();
  private readonly joining = new Map<TransactionId, Promise<LocalBranch<Session>>>();
  private readonly listeners = new Set<(branch: BranchKey, outcome: BranchOutcome) => void>();
  private readonly performer: BranchPerformer<Session>;
  private admitting = true;
  private wakeDrain?: () => void;

  constructor(
    private readonly ports: BranchManagerPorts<Session>,
    private readonly options: BranchManagerOptions,
    private readonly operations: Operations<Session>,
  ) {
    this.performer = new BranchPerformer(ports.resource, ports.clock, {
      finished: (local, outcome) => this.tellFinished(local, outcome),
      settled: (local) => this.settle(local),
      leaseExpired: (local) => this.expire(local, NoCode.leaseExpired, 'It lay idle too long.'),
    });
  }

  /** Round one: operations and prepare in one message, or the prepare of open work. */
  async prepare(request: PrepareRequest): Promise<PrepareAnswer> {
    const vote = request.operations
      ? await this.prepareBundled(request, request.operations)
      : { vote: await this.prepareOpen(request), outputs: [] };
    if ('refused' in vote) return { kind: 'refused', code: 'duplicate', reason: vote.refused };
    const { instance } = this.options;
    return { kind: 'vote', vote: vote.vote, outputs: vote.outputs, instance };
  }

  /** A call of open work: the first one opens the branch on this instance. */
  async work(request: WorkRequest): Promise<WorkAnswer> {
    const { instance } = this.options;
    const checked = this.check(request.operations);
    if ('vote' in checked) return { result: checked.vote, instance };
    const key = this.keyOf(request.to.transaction, request.to.branch);
    let local = this.branches.get(formatGid(key));
    if (!local && request.to.instance !== undefined) {
      const vote = voteNo(NoCode.branchLost, 'The open work of this branch is gone.', {
        retryable: true,
      });
      return { result: vote, instance };
    }
    local ??= await this.open(key, 'open', request);
    const opened = local;
    if (opened.doomed) return { result: opened.doomed, instance };
    const done = await this.inTurn(opened, () =>
      this.run(opened, (session) => this.runAll(session, checked.calls, key)),
    );
    if ('vote' in done) return { result: done.vote, instance };
    return { result: { kind: 'done', outputs: done.outputs as readonly unknown[] }, instance };
  }

  /** Round two. Idempotent; any instance can do it for any branch of this participant. */
  async finish(request: FinishRequest): Promise<FinishAnswer> {
    const key = this.keyOf(request.to.transaction, request.to.branch);
    return this.carryOut(key, request.decision);
  }

  /** Carries out a decision that was learned by inquiry or by message. */
  async carryOut(key: BranchKey, decision: 'commit' | 'abort'): Promise<FinishAnswer> {
    const gid = formatGid(key);
    let local = this.branches.get(gid);
    if (!local) {
      local = new LocalBranch<Session>(key);
      this.branches.set(gid, local);
    }
    const answer = local.awaitFinish();
    const type = decision === 'commit' ? 'commit-received' : 'abort-received';
    try {
      await this.performer.apply(local, { type });
    } catch (error) {
      if (!(error instanceof PeerViolation)) throw error;
      return { kind: 'refused', code: 'out-of-order', reason: error.message };
    }
    return answer;
  }

  /**
   * Lets a direct call take part: enlists at the owner before any work, then runs `body` in the
   * branch's session. Several calls of one transaction share the branch and run one after another.
   * Throws {@link JoinRefused} when the call may not take part, and whatever `body` throws; after
   * that the branch votes no.
   */
  async join<T>(
    transaction: TransactionId,
    body: (session: Session, branch: BranchKey) => Promise<T>,
  ): Promise<T> {
    const local = await this.joined(transaction);
    let result: { value: T } | undefined;
    let thrown: { error: unknown } | undefined;
    const done = await this.inTurn(local, () =>
      this.run(local, async (session) => {
        try {
          result = { value: await body(session, local.key) };
          return [];
        } catch (error) {
          thrown = { error };
          throw error;
        }
      }),
    );
    if (thrown) throw thrown.error;
    if (result && !('vote' in done)) return result.value;
    const vote = 'vote' in done ? done.vote : local.doomed;
    throw new JoinRefused(vote?.code ?? NoCode.branchLost, vote?.reason ?? 'The branch has ended.');
  }

  /** Calls the listener when a branch was finished on this instance. */
  onFinished(listener: (branch: BranchKey, outcome: BranchOutcome) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Gids that this instance is working on right now; the resolver leaves them alone. */
  busy(): ReadonlySet<string> {
    const gids = new Set<string>();
    for (const [gid, { state }] of this.branches) {
      if (state.phase !== 'prepared' && state.phase !== 'ended') gids.add(gid);
    }
    return gids;
  }

  /** Forgets branches prepared before `since` that the database no longer lists: others finished them. */
  reconcile(listed: ReadonlySet<string>, since: number): void {
    for (const [gid, local] of this.branches) {
      if (local.state.phase !== 'prepared' || listed.has(gid)) continue;
      if (local.preparedAt !== undefined && local.preparedAt < since) this.branches.delete(gid);
    }
  }

  snapshot(): BranchManagerSnapshot {
    let working = 0;
    let inDoubt = 0;
    for (const { state } of this.branches.values()) {
      if (state.phase === 'working' || state.phase === 'preparing') working += 1;
      else if (state.phase !== 'ended') inDoubt += 1;
    }
    return { working, inDoubt };
  }

  /** Stops admitting; resolves when no session is open here, or when `waitMs` is over. */
  async drain(waitMs: number): Promise<void> {
    this.admitting = false;
    const idle = new Promise<void>((resolve) => {
      this.wakeDrain = () => {
        if (this.snapshot().working === 0) resolve();
      };
      this.wakeDrain();
    });
    await within(this.ports.clock, waitMs, idle, undefined);
  }

  private async prepareBundled(
    request: PrepareRequest,
    operations: readonly OperationCall[],
  ): Promise<{ vote: Vote; outputs: readonly unknown[] } | { refused: string }> {
    const key = this.keyOf(request.to.transaction, request.to.branch);
    if (this.branches.has(formatGid(key)))
      return { refused: 'This branch has already begun here.' };
    const checked = this.check(operations);
    if ('vote' in checked) return { vote: checked.vote, outputs: [] };
    const local = await this.open(key, 'bundled', request);
    if (local.doomed) return { vote: local.doomed, outputs: [] };
    const done = await this.inTurn(local, () =>
      this.run(local, (session) => this.runAll(session, checked.calls, key)),
    );
    if ('vote' in done) return { vote: done.vote, outputs: [] };
    return { vote: await this.prepareWorked(local), outputs: done.outputs };
  }

  private async prepareOpen(request: PrepareRequest): Promise<Vote> {
    const local = this.branches.get(
      formatGid(this.keyOf(request.to.transaction, request.to.branch)),
    );
    if (!local) {
      return voteNo(NoCode.branchLost, 'The open work of this branch is gone.', {
        retryable: true,
      });
    }
    await local.tail;
    if (local.state.phase !== 'working') return local.doomed ?? overtaken();
    return this.prepareWorked(local);
  }

  private async prepareWorked(local: LocalBranch<Session>): Promise<Vote> {
    local.cancelDeadline?.();
    if (local.state.phase !== 'working') return local.doomed ?? overtaken();
    return (await this.performer.apply(local, { type: 'prepare-due' })) ?? overtaken();
  }

  /** Admits a branch and begins its session; a refused one comes back `doomed` and forgotten. */
  private async open(
    key: BranchKey,
    work: 'bundled' | 'open',
    limits: { readonly timeLeftMs: number; readonly idleLeaseMs?: number },
  ): Promise<LocalBranch<Session>> {
    const local = new LocalBranch<Session>(key);
    const refused = this.admit();
    if (refused) {
      local.doomed = refused;
      return local;
    }
    const { timeLeftMs, idleLeaseMs } = limits;
    local.idleLeaseMs = idleLeaseMs ?? timeLeftMs;
    local.opened = work === 'open';
    this.branches.set(local.gid, local);
    await this.performer.apply(local, { type: 'begun', work });
    local.cancelDeadline = this.ports.clock.after(timeLeftMs, () =>
      this.expire(local, NoCode.deadline, 'The time for this transaction is over.'),
    );
    const begun = await this.ports.resource.begin(key, { timeLeftMs, idleLeaseMs });
    if (begun.kind === 'no') {
      await this.performer.apply(local, { type: 'refused', vote: begun.vote });
      local.doomed ??= begun.vote;
      return local;
    }
    local.session = begun.session;
    // An abort or the deadline came while the connection was being opened: the work never starts.
    if (local.state.phase !== 'working') {
      const session = local.takeSession();
      if (session !== undefined) await this.ports.resource.rollback(session);
      local.doomed ??= overtaken();
    }
    return local;
  }

  private admit(): VoteAgainst | undefined {
    if (!this.admitting) {
      const reason = 'This instance is shutting down.';
      return voteNo(NoCode.shuttingDown, reason, { retryable: true });
    }
    const { working, inDoubt } = this.snapshot();
    const { inDoubtMax, sessionsMax } = this.options;
    if (working + inDoubt < inDoubtMax && working < sessionsMax) return undefined;
    const reason = `${working} branches are at work and ${inDoubt} in doubt here; limits are ${sessionsMax} and ${inDoubtMax}.`;
    return voteNo(NoCode.inDoubtLimit, reason, { retryable: true });
  }

  /** Runs `work` after what is already under way in the branch. */
  private inTurn(local: LocalBranch<Session>, work: () => Promise<Work>): Promise<Work> {
    const mine = local.tail.then(work);
    local.tail = mine.catch(() => undefined);
    return mine;
  }

  /** Runs work in the session; whatever goes wrong ends the branch with a no. */
  private async run(
    local: LocalBranch<Session>,
    work: (session: Session) => Promise<readonly unknown[]>,
  ): Promise<Work> {
    const { session } = local;
    if (session === undefined || local.state.phase !== 'working') {
      return { vote: local.doomed ?? overtaken() };
    }
    local.cancelLease?.();
    try {
      const outputs = await untilSessionEnds(local, work(session));
      if (outputs === undefined) return { vote: local.doomed ?? overtaken() };
      if (local.state.phase === 'working' && local.state.work === 'open') {
        await this.performer.apply(local, { type: 'work-continued' });
      }
      return { outputs };
    } catch (error) {
      const vote = this.voteOf(error, local.key);
      await this.performer.apply(local, { type: 'refused', vote });
      return { vote: local.doomed ?? vote };
    }
  }

  private async runAll(
    session: Session,
    calls: readonly OperationCall[],
    key: BranchKey,
  ): Promise<readonly unknown[]> {
    const outputs: unknown[] = [];
    for (const call of calls) {
      outputs.push((await this.operations.run(session, call, key)) ?? null);
    }
    return outputs;
  }

  private voteOf(error: unknown, key: BranchKey): VoteAgainst {
    if (error instanceof VoteNoError) return error.vote;
    this.operations.failed?.(error, undefined, key);
    const known = this.ports.resource.voteOf(error);
    return known ?? voteNo(NoCode.handlerFailed, 'The operation failed; see the service’s log.');
  }

  private check(
    operations: readonly OperationCall[],
  ): { calls: OperationCall[] } | { vote: VoteAgainst } {
    const calls: OperationCall[] = [];
    for (const call of operations) {
      const checked = this.operations.check(call);
      if ('kind' in checked) return { vote: checked };
      calls.push(checked);
    }
    return { calls };
  }

  private joined(transaction: TransactionId): Promise<LocalBranch<Session>> {
    const pending = this.joining.get(transaction);
    if (pending) return pending;
    const joining = this.enlist(transaction);
    this.joining.set(transaction, joining);
    const forget = () => this.joining.delete(transaction);
    joining.then((local) => {
      if (local.doomed || local.state.phase !== 'working') forget();
    }, forget);
    return joining;
  }

  private async enlist(transaction: TransactionId): Promise<LocalBranch<Session>> {
    const { participant, instance } = this.options;
    // Crash after this: the owner knows a branch that never prepares, so it votes no by silence.
    const answer = await this.ports.coordinators.enlist({ transaction, participant, instance });
    if (answer.kind !== 'answered') {
      throw new JoinRefused(
        'coordinator-unreachable',
        `The owner of transaction ${transaction} does not answer: nothing was done. Begin again.`,
      );
    }
    const said = answer.answer;
    if (said.kind === 'refused') throw new JoinRefused(said.code, said.reason);
    const key = this.keyOf(transaction, said.branch);
    const local = this.branches.get(formatGid(key)) ?? (await this.open(key, 'open', said));
    if (local.doomed) throw new JoinRefused(local.doomed.code, local.doomed.reason);
    return local;
  }

  /** Time is over: end the session, whatever it is doing, and vote no. */
  private expire(local: LocalBranch<Session>, code: string, reason: string): void {
    const vote = voteNo(code, reason, { retryable: true });
    local.doomed ??= vote;
    void this.performer.apply(local, { type: 'refused', vote });
  }

  private tellFinished(local: LocalBranch<Session>, outcome: BranchOutcome): void {
    local.opened = false;
    for (const listener of this.listeners) listener(local.key, outcome);
  }

  private settle(local: LocalBranch<Session>): void {
    local.cancelLease?.();
    local.cancelDeadline?.();
    this.joining.delete(local.key.transaction);
    const { state } = local;
    this.wakeDrain?.();
    // A doomed open branch is remembered until its transaction says abort, or for a while, so that
    // the prepare that may still come is answered with the true cause.
    if (local.opened && local.doomed && state.phase === 'ended' && state.how.kind === 'aborted') {
      const wait = Math.max(1_000, local.idleLeaseMs);
      local.cancelDeadline = this.ports.clock.after(wait, () => this.forget(local));
      return;
    }
    this.forget(local);
  }

  private forget(local: LocalBranch<Session>): void {
    local.cancelDeadline?.();
    if (this.branches.get(local.gid) === local) this.branches.delete(local.gid);
  }

  private keyOf(transaction: TransactionId, branch: BranchId): BranchKey {
    const { cluster, participant } = this.options;
    return { cluster, transaction, branch, participant };
  }
}

function overtaken(): VoteAgainst {
  return voteNo(NoCode.alreadyFinished, 'The transaction was over before this branch was ready.');
}

/** The work's outputs, or undefined when its session ended under it (deadline, lease, abort). */
function untilSessionEnds<Session>(
  local: LocalBranch<Session>,
  work: Promise<readonly unknown[]>,
): Promise<readonly unknown[] | undefined> {
  return new Promise((resolve, reject) => {
    const unsubscribe = local.whenSessionEnds(() => resolve(undefined));
    work.then(
      (outputs) => {
        unsubscribe();
        resolve(outputs);
      },
      (error: unknown) => {
        unsubscribe();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
