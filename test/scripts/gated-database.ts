/**
 * One participant's simulated database behind a gate that the story opens and shuts: away, holding a
 * statement back, or losing its answer with or without its effect. Also what a DBA can do to it
 * without the product. What a statement does is up to the simulated resource.
 */
import {
  Resource,
  type Begun,
  type BranchKey,
  type BranchWait,
  type PreparedInventory,
} from '@concordat/engine';
import {
  NoCode,
  decidedAt,
  formatGid,
  voteNo,
  type AbortResult,
  type ClusterId,
  type CommitResult,
  type PrepareResult,
  type VoteAgainst,
} from '@concordat/protocol';
import { DatabaseStore } from '../simulation/database-store.js';
import type { Host } from '../simulation/host.js';
import { SimulatedResource, type SimulatedSession } from '../simulation/simulated-resource.js';
import { RowLocks, type Locker } from '../simulation/row-locks.js';
import type { Timeline } from '../simulation/timeline.js';
import type { SteadyRandom } from './steady.js';
import type { Trace } from './trace.js';

export const STATEMENTS = ['operation', 'prepare', 'commit', 'abort'] as const;
export type Statement = (typeof STATEMENTS)[number];

interface Held {
  readonly land: () => void;
  readonly lose: () => void;
}

export class Database {
  readonly store: DatabaseStore;
  private waits = 0;
  /** A DBA's session, while it holds the row. */
  private dba?: Locker;
  isDown = false;
  readonly holding = new Set<Statement>();
  held: Held[] = [];
  nextAnswerLost?: { readonly statement: Statement; readonly landed: boolean };
  /** gids that were changed manually, or that a restored backup brought back or lost. */
  readonly tampered = new Set<string>();
  private backup?: DatabaseStore;

  constructor(
    readonly name: string,
    readonly timeline: Timeline,
    readonly random: SteadyRandom,
    readonly trace: Trace,
  ) {
    const locks = new RowLocks(timeline, () => ++this.waits);
    this.store = new DatabaseStore(undefined, undefined, locks);
    this.store.balances.set('money', 0);
  }

  get balance(): number {
    return this.store.balances.get('money') ?? 0;
  }

  say(line: string): void {
    this.trace.say(`${this.name} db: ${line}`);
  }

  release(how: 'land' | 'lose'): number {
    const { held } = this;
    this.held = [];
    this.holding.clear();
    for (const one of held) one[how]();
    return held.length;
  }

  /** What the database holds of a transaction, in words. */
  state(gid: string): string {
    const { prepared, outcome } = this.store;
    const row = outcome.get(gid);
    if (prepared.has(gid)) return 'prepared';
    if (row === 'tombstone') return 'tombstone';
    return row === 'branch' ? 'committed' : 'nothing';
  }

  /** Retention is over for all that is there, and what was decided there is closed before it is forgotten. */
  forget(): void {
    this.store.prune('~', Infinity, 0, '~');
    this.say('everything there is past retention and forgotten');
  }

  /** A DBA's session takes the row, and keeps it until it lets go. */
  lockByHand(): void {
    this.dba = { gid: 'psql', isGone: () => false };
    void this.store.locks?.lock('money', this.dba);
  }

  letGo(): void {
    if (this.dba) this.store.locks?.release(this.dba);
  }

  rollbackByHand(gid: string): void {
    if (!this.store.rollbackPrepared(gid)) throw new Error(`${this.name} has nothing prepared`);
    this.tampered.add(gid);
  }

  commitByHand(gid: string): void {
    if (!this.store.commitPrepared(gid, true)) throw new Error(`${this.name} has nothing prepared`);
    this.tampered.add(gid);
  }

  backUp(): void {
    this.backup = copyOf(this.store);
  }

  restoreBackup(): void {
    if (!this.backup) throw new Error(`${this.name} has no backup`);
    const { store, backup, tampered } = this;
    const gids = [store, backup].flatMap((one) => [...one.prepared.keys(), ...one.outcome.keys()]);
    for (const gid of gids) {
      if (store.outcome.get(gid) !== backup.outcome.get(gid)) tampered.add(gid);
      if (store.prepared.has(gid) !== backup.prepared.has(gid)) tampered.add(gid);
    }
    replace(store.balances, backup.balances);
    replace(store.prepared, backup.prepared);
    replace(store.outcome, backup.outcome);
  }
}

/** One process's connection to its database. */
export class GatedResource extends Resource<SimulatedSession> {
  private readonly inner: SimulatedResource;
  private readonly names = new WeakMap<SimulatedSession, string>();

  constructor(
    private readonly database: Database,
    private readonly owner: Host,
  ) {
    super();
    const { store, timeline, random } = database;
    const faults = () => ({ lostAnswer: 0, refusal: 0, slow: 0, delayMsMax: 0 });
    // What was sent has its effect, also when its process died meanwhile; only its caller is gone.
    this.inner = new SimulatedResource(store, timeline, random, faults, () => true);
  }

  async begin(branch: BranchKey): Promise<Begun<SimulatedSession>> {
    if (this.database.isDown) return { kind: 'no', vote: away() };
    const begun = await this.inner.begin(branch);
    if (begun.kind === 'begun') this.names.set(begun.session, this.name(branch));
    return begun;
  }

  /** One operation: `add` to the balance, `change` it and so lock it, `look` at it, or wait for the story. */
  async operate(session: SimulatedSession, operation: string): Promise<number> {
    const name = this.names.get(session) ?? 'somebody';
    if (this.database.holding.has('operation')) {
      this.database.say(`${operation} of ${name} (held)`);
      await new Promise<void>((resolve) => {
        this.database.held.push({ land: resolve, lose: () => undefined });
      });
    }
    if (!this.owner.alive()) return never();
    if (this.database.isDown || session.ended) throw new Error(LOST);
    this.database.say(`${operation} of ${name} runs`);
    const delta = operation === 'look' ? 0 : 1;
    return this.inner.operate(session, 'money', delta, operation === 'change');
  }

  async prepare(branch: BranchKey, session: SimulatedSession): Promise<PrepareResult> {
    const { database } = this;
    const { store } = database;
    const gid = formatGid(branch);
    const name = this.name(branch);
    const statement = decidedAt(branch.transaction) === undefined ? 'PREPARE' : 'COMMIT';
    if (database.isDown) return { kind: 'rolled-back', vote: away() };
    if (database.holding.has('prepare')) {
      database.say(`${statement} of ${name} (held, its outcome row is inserted)`);
      store.inserting.add(gid);
      const lands = await this.held();
      store.inserting.delete(gid);
      if (!lands) {
        database.say(`${statement} of ${name} never arrives`);
        return this.owner.alive() ? { kind: 'unknown', reason: LOST } : never();
      }
    }
    const lost = this.takeLost('prepare');
    if (lost && !lost.landed) {
      database.say(`${statement} of ${name} never arrives, without an answer`);
      return { kind: 'unknown', reason: LOST };
    }
    const answer = await this.inner.prepare(branch, session);
    database.say(`${name} ${prepareText(answer, store.outcome.get(gid))}${this.unheard()}`);
    if (!this.owner.alive()) return never();
    if (!lost) return answer;
    database.say(`the answer to ${statement} of ${name} is lost`);
    return { kind: 'unknown', reason: LOST };
  }

  async rollback(session: SimulatedSession): Promise<void> {
    this.database.say(`${this.names.get(session) ?? 'work'} rolled back before PREPARE`);
    await this.inner.rollback(session);
  }

  voteOf(error: unknown): VoteAgainst | undefined {
    return error instanceof Error && error.message === LOST ? away() : undefined;
  }

  commit(branch: BranchKey): Promise<CommitResult> {
    return this.finish('commit', branch, () => this.inner.commit(branch));
  }

  abort(branch: BranchKey): Promise<AbortResult> {
    return this.finish('abort', branch, () => this.inner.abort(branch));
  }

  override lockWaits(sessions: readonly SimulatedSession[]) {
    return this.inner.lockWaits(sessions);
  }

  override async endLockWaits(sessions: readonly SimulatedSession[]): Promise<void> {
    for (const one of sessions) {
      this.database.say(`the wait of ${this.names.get(one) ?? 'somebody'} is ended`);
    }
    await this.inner.endLockWaits(sessions);
  }

  override isRecalled(session: SimulatedSession): boolean {
    return this.inner.isRecalled(session);
  }

  waits(among?: readonly BranchKey[]): Promise<readonly BranchWait[]> {
    return this.inner.waits(among);
  }

  listPrepared(cluster: ClusterId): Promise<PreparedInventory> {
    if (this.database.isDown) return Promise.reject(new Error('the database is away'));
    return this.inner.listPrepared(cluster);
  }

  private async finish<Result extends CommitResult | AbortResult>(
    statement: 'commit' | 'abort',
    branch: BranchKey,
    perform: () => Promise<Result>,
  ): Promise<Result | { kind: 'unknown'; reason: string }> {
    const { database } = this;
    const gid = formatGid(branch);
    const what = `${statement === 'commit' ? 'COMMIT PREPARED' : 'ROLLBACK PREPARED'} of ${this.name(branch)}`;
    if (database.isDown) return { kind: 'unknown', reason: 'the database is away' };
    if (database.holding.has(statement)) {
      database.say(`${what} (held)`);
      if (!(await this.held())) {
        database.say(`${what} never arrives`);
        return this.owner.alive() ? { kind: 'unknown', reason: LOST } : never();
      }
    }
    const lost = this.takeLost(statement);
    if (lost && !lost.landed) {
      database.say(`${what} never arrives, without an answer`);
      return { kind: 'unknown', reason: LOST };
    }
    const before = database.state(gid);
    const answer = await perform();
    database.say(`${this.name(branch)} ${this.finishText(before, gid, answer)}${this.unheard()}`);
    if (!this.owner.alive()) return never();
    if (!lost) return answer;
    database.say(`the answer to ${what} is lost`);
    return { kind: 'unknown', reason: LOST };
  }

  private finishText(before: string, gid: string, answer: CommitResult | AbortResult): string {
    if (answer.kind === 'busy') return `is busy: ${answer.reason}`;
    const after = this.database.state(gid);
    if (before === after) return `unchanged: ${after}`;
    if (after === 'committed') return `committed, balance ${this.database.balance}`;
    return before === 'prepared' ? 'rolled back, tombstone written' : 'tombstone written';
  }

  private unheard(): string {
    return this.owner.alive() ? '' : ', its caller is gone';
  }

  private held(): Promise<boolean> {
    return new Promise((resolve) => {
      this.database.held.push({ land: () => resolve(true), lose: () => resolve(false) });
    });
  }

  private takeLost(statement: Statement): { landed: boolean } | undefined {
    const { nextAnswerLost } = this.database;
    if (nextAnswerLost?.statement !== statement) return undefined;
    this.database.nextAnswerLost = undefined;
    return nextAnswerLost;
  }

  private name(branch: BranchKey): string {
    return this.database.trace.name(branch.transaction);
  }
}

const LOST = 'the connection was lost';

function away(): VoteAgainst {
  return voteNo(NoCode.resourceUnavailable, 'the database is away', { retryable: true });
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

function prepareText(result: PrepareResult, row: 'branch' | 'tombstone' | undefined): string {
  switch (result.kind) {
    case 'prepared':
      return 'prepared';
    case 'committed':
      return 'committed';
    case 'read-only':
      return 'wrote nothing, committed locally';
    case 'rolled-back':
      if (row === 'tombstone') return 'cannot prepare: a tombstone is there';
      return row === 'branch' ? 'cannot prepare: it committed already' : 'cannot prepare';
    case 'unknown':
      return 'is unknown';
  }
}

function copyOf(store: DatabaseStore): DatabaseStore {
  const copy = new DatabaseStore();
  replace(copy.balances, store.balances);
  replace(copy.prepared, store.prepared);
  replace(copy.outcome, store.outcome);
  return copy;
}

function replace<K, V>(target: Map<K, V>, source: ReadonlyMap<K, V>): void {
  target.clear();
  for (const [key, value] of source) target.set(key, value);
}
