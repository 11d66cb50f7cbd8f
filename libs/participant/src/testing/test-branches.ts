/**
 * Real branches for tests of a service, without a broker or a coordinator: the test decides. Guards
 * "what a test shows holds in production": sessions, gates, guards, closing and PREPARE TRANSACTION are
 * those of the product, and so is the outcome table.
 */
import { SystemClock, SystemEntropy } from '@concordat/channel';
import type { BranchKey } from '@concordat/engine';
import {
  makeBranchId,
  makeTransactionId,
  tokenFrom,
  type Incarnation,
  type VoteAgainst,
} from '@concordat/protocol';
import { BranchHooks } from '../branch/branch-hooks.js';
import { Branch, runInBranch } from '../branch/current-branch.js';
import { identityOf } from '../participant/identity.js';
import { OpenedDatabase } from '../participant/opened-database.js';
import {
  SILENT,
  type ParticipantLog,
  type ParticipantOptions,
} from '../participant/participant-options.js';
import type { PostgresSession } from '../postgres/branch-session.js';

export interface TestBranchOptions extends Pick<
  ParticipantOptions,
  'database' | 'schema' | 'migrate' | 'isolation' | 'namedStatements'
> {
  /** What `branch.participant` is. Default `tests`; the name of the service, where it is looked at. */
  readonly name?: string;
  /** How long each branch has, in milliseconds. Default 10 000. */
  readonly timeLeftMs?: number;
  /** Called with what a participant would write to its log: misuse, failed hooks. */
  readonly log?: ParticipantLog;
}

/** What became of a branch that a test ran. */
export interface TestedBranch<Output> {
  /** What the operation returned. */
  readonly output: Output;
  /** `read-only`: it wrote nothing, and no decision reaches it. */
  readonly vote: 'prepared' | 'read-only';
}

/** The operation returned, and its branch votes no all the same; `vote` says why. */
export class BranchVotedNo extends Error {
  override readonly name = 'BranchVotedNo';

  constructor(readonly vote: VoteAgainst) {
    super(`the branch votes no, ${vote.code}: ${vote.reason}`);
  }
}

/**
 * Opens the database of a service for tests, with its outcome table. Give what the participant is given:
 * the same pool or data source. Close it at the end of the suite.
 */
export async function openTestBranches(options: TestBranchOptions): Promise<TestBranches> {
  const branches = new TestBranches(options);
  await branches.open();
  return branches;
}

const TIME_LEFT_MS = 10_000;
const ASK_AGAIN_MS = 20;

export class TestBranches {
  private readonly clock = new SystemClock();
  private readonly entropy = new SystemEntropy();
  private readonly cluster = tokenFrom(this.entropy.bytes(8));
  private readonly database: OpenedDatabase;
  private readonly hooks: BranchHooks;
  private readonly log: ParticipantLog;
  private readonly name;

  /** See {@link openTestBranches}. */
  constructor(private readonly options: TestBranchOptions) {
    const { name = 'tests', log = SILENT } = options;
    this.name = identityOf({ name }).name;
    this.log = log;
    this.hooks = new BranchHooks(this.clock, (error) =>
      log.error(`a hook failed: ${String(error)}`),
    );
    this.database = new OpenedDatabase({ ...options, name }, this.clock, log);
  }

  /** Checks the database and makes the outcome table. Once, before anything else. */
  async open(): Promise<void> {
    await this.database.open();
  }

  /**
   * Runs `operation` in a branch of its own, prepares it and commits it. Throws what the operation throws
   * (then nothing is left of it), and {@link BranchVotedNo} where the branch cannot be prepared. Hooks
   * have been started when it returns.
   */
  commit<Output>(
    operation: (branch: Branch) => Output | Promise<Output>,
  ): Promise<TestedBranch<Output>> {
    return this.run(operation, 'commit');
  }

  /** The same, but the transaction is aborted after the branch was prepared. */
  rollback<Output>(
    operation: (branch: Branch) => Output | Promise<Output>,
  ): Promise<TestedBranch<Output>> {
    return this.run(operation, 'abort');
  }

  /** Ends what it has opened. The pool or data source of the service stays open. */
  async close(): Promise<void> {
    await this.database.resource.endSessions();
    await this.database.close();
  }

  private async run<Output>(
    operation: (branch: Branch) => Output | Promise<Output>,
    decision: 'commit' | 'abort',
  ): Promise<TestedBranch<Output>> {
    const { resource } = this.database;
    const key = this.newKey();
    const timeLeftMs = this.options.timeLeftMs ?? TIME_LEFT_MS;
    const begun = await resource.begin(key, { timeLeftMs });
    if (begun.kind === 'no') throw new BranchVotedNo(begun.vote);
    const { session } = begun;
    const output = await this.work(key, session, operation);
    const answer = await resource.prepare(key, session);
    switch (answer.kind) {
      case 'rolled-back':
        this.hooks.ended(key, 'aborted');
        throw new BranchVotedNo(answer.vote);
      case 'unknown':
        await resource.abort(key);
        throw new Error(
          `the database did not say whether the branch is prepared: ${answer.reason}`,
        );
      case 'committed': // Of an id that no test makes.
      case 'read-only':
        this.hooks.forget(key);
        return { output, vote: 'read-only' };
      case 'prepared':
        await this.finish(key, decision);
        return { output, vote: 'prepared' };
    }
  }

  private async work<Output>(
    key: BranchKey,
    session: PostgresSession,
    operation: (branch: Branch) => Output | Promise<Output>,
  ): Promise<Output> {
    const { resource } = this.database;
    const branch = new Branch(key, session, this.hooks, resource.sessions);
    const refused = (misuse: Error): void => this.log.error(misuse.message);
    try {
      const scope = { branch, work: 'a tested operation', refused };
      return await runInBranch(scope, () => operation(branch));
    } catch (error) {
      await resource.rollback(session);
      this.hooks.ended(key, 'aborted');
      throw error;
    }
  }

  private async finish(key: BranchKey, decision: 'commit' | 'abort'): Promise<void> {
    const { resource } = this.database;
    const wanted = decision === 'commit' ? 'committed' : 'aborted';
    const endsAt = this.clock.now() + (this.options.timeLeftMs ?? TIME_LEFT_MS);
    for (;;) {
      const result = await (decision === 'commit' ? resource.commit(key) : resource.abort(key));
      if (result.kind === wanted) return this.hooks.ended(key, wanted);
      if (result.kind === 'heuristic' || this.clock.now() > endsAt) {
        throw new Error(`the branch was to be ${wanted} and is not: ${JSON.stringify(result)}`);
      }
      // Busy, or not answered: asked again, as a coordinator would.
      await new Promise<void>((resolve) => this.clock.after(ASK_AGAIN_MS, resolve));
    }
  }

  private newKey(): BranchKey {
    const owner = '00000000' as Incarnation;
    return {
      cluster: this.cluster,
      transaction: makeTransactionId(this.clock.now(), this.entropy.bytes(10), owner),
      branch: makeBranchId(1),
      participant: this.name,
    };
  }
}
