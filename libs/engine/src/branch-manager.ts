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
  protocolNo,
  type BranchId,
  type BranchOutcome,
  type PreparedEntry,
  type TransactionId,
  type Vote,
  type VoteAgainst,
} from '@concordat/protocol';
import { Admission } from './admission.js';
import { abortedMeanwhile, branchLost, overtaken } from './branch-refusals.js';
import type {
  BranchManagerOptions,
  BranchManagerPorts,
  BranchManagerSnapshot,
  Operations,
} from './branch-options.js';
import { BranchWork, type Work } from './branch-work.js';
import { JoinRefused } from './errors.js';
import { LocalBranch } from './local-branch.js';
import { LockRoom } from './lock-room.js';
import { within } from './pause.js';
import { BranchPerformer } from './perform-branch.js';
import type {
  BranchKey,
  FinishAnswer,
  FinishRequest,
  OperationCall,
  PrepareAnswer,
  PrepareRequest,
  WorkAnswer,
  WorkRequest,
} from './ports/index.js';

export class BranchManager<Session> {
  private readonly branches = new Map<string, LocalBranch<Session>>();
  private readonly joining = new Map<TransactionId, Promise<LocalBranch<Session>>>();
  private readonly listeners = new Set<(branch: BranchKey, outcome: BranchOutcome) => void>();
  private readonly performer: BranchPerformer<Session>;
  private readonly admission: Admission;
  private readonly operating: BranchWork<Session>;
  /** What branches wait for in a statement, or without a session since it was recalled. */
  readonly room: LockRoom<Session>;
  private arrivals = 0;
  /** Prepared before this process began, as of the last look: they hold slots like our own. */
  private readonly inherited = new Set<string>();
  private readonly startedAt: number;
  private wakeDrain?: () => void;

  constructor(
    private readonly ports: BranchManagerPorts<Session>,
    private readonly options: BranchManagerOptions,
    private readonly operations: Operations<Session>,
  ) {
    this.startedAt = ports.clock.now();
    this.performer = new BranchPerformer(ports, options, {
      finished: (local, outcome) => this.tellFinished(local, outcome),
      settled: (local) => this.settle(local),
      leaseExpired: (local) => this.expire(local, NoCode.leaseExpired, 'It was idle for too long.'),
      broke: (local, error) => this.operations.broke?.(error, local.key),
    });
    this.operating = new BranchWork(ports.resource, operations, this.performer, ports.clock);
    this.room = new LockRoom<Session>(
      {
        ...ports,
        branches: () => this.branches.values(),
        demand: () => ({ ...this.admission.demand(), waiting: this.admission.waiting }),
        changed: () => this.admission.freed(),
      },
      options,
    );
    const load = () => {
      const { working, inDoubt } = this.snapshot();
      return { working, inDoubt: inDoubt + this.inherited.size };
    };
    this.admission = new Admission(ports.clock, options, load, this.room);
  }

  /**
   * Round one: operations and prepare in one message, or the prepare of open work. A duplicate of a
   * prepare that is or was at work here gets the answer of the first: nothing runs twice.
   */
  async prepare(request: PrepareRequest): Promise<PrepareAnswer> {
    const key = this.keyOf(request.to.transaction, request.to.branch);
    const known = this.branches.get(formatGid(key));
    if (known?.voting) return known.voting;
    const { operations } = request;
    if (!operations) {
      if (!known) return this.voted(branchLost());
      known.voting = this.prepareOpen(known, request.calls ?? 0);
      return known.voting;
    }
    if (known) {
      return { kind: 'refused', code: 'duplicate', reason: 'This branch has already begun here.' };
    }
    const checked = this.operating.check(operations);
    if ('vote' in checked) return this.voted(checked.vote);
    const local = new LocalBranch<Session>(key, checked.calls);
    local.voting = this.prepareBundled(local, checked.calls, request);
    return local.voting;
  }

  /**
   * A call of open work: the first one opens the branch on this instance. A repeated call gets the
   * first one's answer, one that skipped a call finds its branch lost.
   */
  async work(request: WorkRequest): Promise<WorkAnswer> {
    const { instance } = this.options;
    const key = this.keyOf(request.to.transaction, request.to.branch);
    let local = this.branches.get(formatGid(key));
    const last = local?.lastCall;
    if (last && request.call <= last.call) return last.answer;
    if (request.call !== (local?.calls ?? 0) + 1) {
      if (local) await this.doom(local, branchLost());
      return { result: branchLost(), instance };
    }
    const checked = this.operating.check(request.operations);
    if ('vote' in checked) {
      if (local) await this.doom(local, checked.vote);
      return { result: checked.vote, instance };
    }
    const opening = local === undefined;
    local ??= new LocalBranch<Session>(key, checked.calls);
    local.heardAt = this.ports.clock.now();
    const answer = this.workOnce(local, opening, checked.calls, request);
    local.lastCall = { call: request.call, answer };
    local.calls = request.call;
    return answer;
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
      this.inherited.delete(gid);
    }
    const answer = local.awaitFinish();
    const isUnready = local.state.phase === 'working' || local.state.phase === 'absent';
    if (decision === 'abort' && isUnready) local.doomed ??= abortedMeanwhile();
    local.stopWaiting?.(local.doomed ?? overtaken());
    const type = decision === 'commit' ? 'commit-received' : 'abort-received';
    try {
      await this.performer.apply(local, { type });
    } catch (error) {
      if (!(error instanceof PeerViolation)) throw error;
      return { kind: 'refused', code: 'out-of-order', reason: error.message };
    } finally {
      this.freed();
    }
    return answer;
  }

  /**
   * Lets a direct call take part: enlists at the owner before any work, then runs `body` in the
   * branch's session. Several calls of one transaction share the branch and run one after another.
   * Throws {@link JoinRefused} when the call may not take part, and anything that `body` throws; after
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
      this.operating.runOnce(local, async (session) => {
        try {
          result = { value: await body(session, local.key) };
          return [];
        } catch (error) {
          thrown = { error };
          this.operating.noteFailure(error, undefined, local.key);
          throw error;
        }
      }),
    );
    if (thrown) throw thrown.error;
    if (result && !('vote' in done)) return result.value;
    throw JoinRefused.by('vote' in done ? done.vote : (local.doomed ?? branchLost()));
  }

  /** Calls the listener when a branch was finished on this instance. */
  onFinished(listener: (branch: BranchKey, outcome: BranchOutcome) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Branches at work here that have not voted. */
  unvoted(): LocalBranch<Session>[] {
    return [...this.branches.values()].filter(({ state }) => state.phase === 'working');
  }

  /** Rolls back a branch whose transaction is aborted; one that has voted meanwhile is left alone. */
  async giveUp(local: LocalBranch<Session>): Promise<void> {
    local.stopWaiting?.(abortedMeanwhile());
    if (local.state.phase === 'working') await this.doom(local, abortedMeanwhile());
  }

  /** Gids that this instance is working on right now; the resolver leaves them alone. */
  busy(): ReadonlySet<string> {
    const gids = new Set<string>();
    for (const [gid, { state }] of this.branches) {
      if (state.phase !== 'prepared' && state.phase !== 'ended') gids.add(gid);
    }
    return gids;
  }

  /**
   * Takes over what the database listed when it was looked at `lookedAt`: forgets branches that were
   * prepared here before and are listed no longer, since others finished them, and counts as inherited
   * those that are older than this process. Ages are the database's, elapsed time is ours.
   */
  reconcile(entries: readonly PreparedEntry[], lookedAt: number): void {
    const listed = new Set(entries.map((one) => one.gid));
    for (const [gid, local] of this.branches) {
      if (local.state.phase !== 'prepared' || listed.has(gid)) continue;
      if (local.preparedAt === undefined || local.preparedAt >= lookedAt) continue;
      this.branches.delete(gid);
      this.joining.delete(local.key.transaction);
    }
    this.inherited.clear();
    for (const { gid, ageMs } of entries) {
      if (ageMs >= lookedAt - this.startedAt && !this.branches.has(gid)) this.inherited.add(gid);
    }
    this.freed();
  }

  /** Branches that wait here to begin. */
  get waiting(): number {
    return this.admission.waiting;
  }

  snapshot(): BranchManagerSnapshot {
    const counts = { working: 0, inDoubt: 0, recalled: 0 };
    for (const local of this.branches.values()) {
      const { phase } = local.state;
      if (phase === 'working' && local.recalled) counts.recalled += 1;
      else if (phase === 'working' || phase === 'preparing') counts.working += 1;
      else if (phase !== 'ended' && phase !== 'absent') counts.inDoubt += 1;
    }
    return counts;
  }

  /** Stops admitting; resolves when no session is open here, or when `waitMs` is over. */
  async drain(waitMs: number): Promise<void> {
    this.admission.close();
    const idle = new Promise<void>((resolve) => {
      this.wakeDrain = () => {
        if (this.snapshot().working === 0) resolve();
      };
      this.wakeDrain();
    });
    await within(this.ports.clock, waitMs, idle, undefined);
  }

  private async workOnce(
    local: LocalBranch<Session>,
    opening: boolean,
    calls: readonly OperationCall[],
    limits: WorkRequest,
  ): Promise<WorkAnswer> {
    const { instance } = this.options;
    if (opening) await this.open(local, 'open', limits);
    if (local.doomed) return { result: local.doomed, instance };
    const done = await this.inTurn(local, () =>
      opening
        ? this.runFirst(local, calls, limits.idleLeaseMs)
        : this.operating.runNext(local, calls),
    );
    if ('vote' in done) return { result: done.vote, instance };
    this.room.worked(local);
    return { result: { kind: 'done', outputs: done.outputs }, instance };
  }

  private async prepareBundled(
    local: LocalBranch<Session>,
    calls: readonly OperationCall[],
    limits: PrepareRequest,
  ): Promise<PrepareAnswer> {
    await this.open(local, 'bundled', limits);
    if (local.doomed) return this.voted(local.doomed);
    const done = await this.inTurn(local, () => this.runFirst(local, calls));
    if ('vote' in done) return this.voted(done.vote);
    return this.voted(await this.prepareWorked(local), done.outputs);
  }

  private async prepareOpen(local: LocalBranch<Session>, calls: number): Promise<PrepareAnswer> {
    await local.tail;
    if (local.calls < calls) await this.doom(local, branchLost());
    return this.voted(await this.prepareWorked(local));
  }

  private voted(vote: Vote, outputs: readonly unknown[] = []): PrepareAnswer {
    return { kind: 'vote', vote, outputs, instance: this.options.instance };
  }

  private async prepareWorked(local: LocalBranch<Session>): Promise<Vote> {
    local.cancelDeadline?.();
    if (local.state.phase !== 'working') return local.doomed ?? overtaken();
    const voting = this.performer.apply(local, { type: 'prepare-due' });
    this.room.worked(local); // The next of its crowd begins meanwhile.
    const vote = await voting;
    this.room.voted(local);
    this.freed();
    return vote ?? overtaken();
  }

  /** Admits a branch and begins its session; a refused one is `doomed` afterwards. */
  private async open(
    local: LocalBranch<Session>,
    work: 'bundled' | 'open',
    limits: { readonly timeLeftMs: number; readonly idleLeaseMs?: number; readonly ageMs?: number },
  ): Promise<void> {
    const { clock } = this.ports;
    local.endsAt = clock.now() + limits.timeLeftMs;
    local.heardAt = clock.now();
    local.arrival = ++this.arrivals;
    local.place = clock.now() - (limits.ageMs ?? 0);
    // Known from here on, also while it waits: a repeat finds it, an abort ends its wait.
    this.branches.set(local.gid, local);
    const checked = this.admission.check();
    const isWaiting = checked === 'wait';
    if (isWaiting) this.room.watch();
    const refused = isWaiting ? await this.admission.wait(local, limits.timeLeftMs) : checked;
    // From here to its `begun` nothing may come between, or two would take the same session.
    if (isWaiting && !refused) this.admission.seated();
    const isUntouched = local.state.phase === 'absent';
    if (refused || !isUntouched) {
      local.doomed ??= refused ?? overtaken();
      if (isUntouched) this.forget(local);
      return;
    }
    const timeLeftMs = Math.max(1, local.endsAt - clock.now());
    local.idleLeaseMs = limits.idleLeaseMs ?? timeLeftMs;
    local.opened = work === 'open';
    await this.performer.apply(local, { type: 'begun', work });
    local.cancelDeadline = clock.after(timeLeftMs, () =>
      this.expire(local, NoCode.deadline, 'The time for this transaction is over.'),
    );
    if (!this.room.holdsBack(local)) await this.begin(local, limits.idleLeaseMs);
  }

  /** Begins the session of a branch that was admitted; one that gets none is `doomed` afterwards. */
  private async begin(local: LocalBranch<Session>, idleLeaseMs?: number): Promise<void> {
    const timeLeftMs = Math.max(1, local.endsAt - this.ports.clock.now());
    const begun = await this.performer.begin(local, { timeLeftMs, idleLeaseMs });
    if (begun.kind === 'no') {
      await this.doom(local, begun.vote);
      return;
    }
    local.session = begun.session;
    this.operations.begun?.(local.key);
    // An abort or the deadline came while the connection was being opened: the work never starts.
    if (local.state.phase !== 'working') {
      const session = local.takeSession();
      if (session !== undefined) await this.ports.resource.rollback(session);
      local.doomed ??= overtaken();
    }
  }

  /** Runs the first operations of a branch in its turn; as often as it was recalled, from the beginning. */
  private async runFirst(
    local: LocalBranch<Session>,
    calls: readonly OperationCall[],
    idleLeaseMs?: number,
  ): Promise<Work> {
    for (;;) {
      if (local.recalled) await this.waitAgain(local, idleLeaseMs);
      if (local.doomed) return { vote: local.doomed };
      const done = await this.operating.runFirst(local, calls);
      if (!('recalled' in done)) return done;
    }
  }

  /** Waits without a session until a branch may run, and begins one; or it is `doomed` afterwards. */
  private async waitAgain(local: LocalBranch<Session>, idleLeaseMs?: number): Promise<void> {
    const { clock } = this.ports;
    // An abort or the deadline came while its session was given back.
    if (local.state.phase !== 'working') return this.doom(local, overtaken());
    this.room.watch();
    const timeLeftMs = Math.max(1, local.endsAt - clock.now());
    const refused = await this.admission.wait(local, timeLeftMs, this.room.turnOf(local));
    if (!refused) this.admission.seated();
    local.recalled = undefined;
    if (!refused && local.state.phase === 'working') return this.begin(local, idleLeaseMs);
    await this.doom(local, refused ?? overtaken());
  }

  private async doom(local: LocalBranch<Session>, vote: VoteAgainst): Promise<void> {
    local.doomed ??= vote;
    await this.performer.apply(local, { type: 'refused', vote });
  }

  /** Runs `work` after what is already under way in the branch. */
  private inTurn(local: LocalBranch<Session>, work: () => Promise<Work>): Promise<Work> {
    const mine = local.tail.then(work);
    local.tail = mine.catch(() => undefined);
    return mine;
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
    let local = this.branches.get(formatGid(key));
    if (!local) {
      if (said.rejoined) throw JoinRefused.by(branchLost());
      local = new LocalBranch<Session>(key);
      local.calls = 1;
      await this.open(local, 'open', said);
    }
    if (local.doomed) throw JoinRefused.by(local.doomed);
    return local;
  }

  /** Time is over: ends the session, also while it is working, and votes no. */
  private expire(local: LocalBranch<Session>, code: NoCode, reason: string): void {
    const vote = protocolNo(code, reason);
    if (local.state.phase === 'working') this.operations.expired?.(vote, local.key);
    local.stopWaiting?.(vote);
    void this.doom(local, vote);
  }

  /** Somebody may go on: a drain that waits, or a branch that waits for a session. */
  private freed(): void {
    this.wakeDrain?.();
    this.admission.freed();
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
    this.freed();
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
