/**
 * The decision log: everything of the coordinator that lives in the decision database. Opening it
 * refuses a database that could forget (preflight), brings its schema up to date under a lock, and
 * learns the cluster id; from then on register, history and reader each have connections of their
 * own, so that a slow list never delays a decision.
 */
import type { Clock } from '@concordat/engine';
import { tokenFrom, type ClusterId } from '@concordat/protocol';
import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { AuditTrail } from './audit/audit-trail.js';
import {
  HISTORY_DEFAULTS,
  PostgresHistoryWriter,
  type HistoryCounters,
  type HistoryLoad,
} from './history/postgres-history-writer.js';
import { PostgresHistory } from './history/postgres-history.js';
import { checkup, type RegisterCheck } from './checkup/checkup.js';
import { migrate, type Installation } from './migrate.js';
import { OperationStore } from './operations/operation-store.js';
import { ParticipantStore } from './participants/participant-store.js';
import { checkServer, type Server } from './preflight.js';
import { TransactionReader } from './reader/transaction.reader.js';
import { PostgresReconciliationStore } from './reconciliation/postgres-reconciliation-store.js';
import {
  PostgresDecisionRegister,
  type RegisterCounters,
} from './register/postgres-decision-register.js';
import type { RegisterClock } from './register-clock.js';
import { EndedSessionStore } from './sessions/ended-session-store.js';
import { findProblems, openPool, type SessionOptions } from './session.js';
import { HmacPrincipalMarks } from './principals/hmac-principal-marks.js';
import { isAway, unreachable } from './unreachable.js';

/** One failure is no state: only failures over so long are. */
const IN_VAIN_MS = 1_000;
/** Longer than a decide waits for its answer and then before it asks again. */
const FRESH_MS = 10_000;

export interface DecisionLogOptions {
  readonly url: string;
  /** Connections for questions to the register, besides one each for decisions and the history. */
  readonly poolMax?: number;
  readonly clock: Clock;
  /** Called with the time of the database's clock, at the opening and whenever health is asked for. */
  readonly time?: RegisterClock;
  /** Why nothing may be forgotten now, or undefined when it may: nothing is pruned meanwhile. */
  readonly mayForget?: () => string | undefined;
  /** Why nothing may be answered from this register now, or undefined when it may. */
  readonly mayAnswer?: () => string | undefined;
  /** The principals whose transactions an abort of others is written for, if it is theirs. */
  readonly principals?: readonly string[];
  /** Without an answer for so long, a call is unknown. */
  readonly answerWithinMs?: number;
  /** Decisions per flush at most; 1 turns group commit off. */
  readonly batchRowsMax?: number;
  /** How far the low-water mark stays behind the database's now at least. */
  readonly horizonMs?: number;
  /** Memory for what waits to be written to the history. */
  readonly historyBytesMax?: number;
  /** An unended commit, or a transaction past its time-out, is stuck after so long. */
  readonly stuckAfterMs?: number;
}

export interface DecisionLogHealth {
  /** Whether decisions can be made now. */
  readonly ready: boolean;
  /** What is wrong, each with its remedy. */
  readonly problems: readonly string[];
  readonly roundTripMs?: number;
  readonly server: string;
  readonly register: RegisterCounters;
  readonly history: HistoryCounters & HistoryLoad;
  /** Why a decide was last unknown, whether or not it is over. */
  readonly lastUnknown?: string;
}

export class DecisionLog {
  constructor(
    readonly clusterId: ClusterId,
    readonly register: PostgresDecisionRegister,
    readonly historyWriter: PostgresHistoryWriter,
    readonly history: PostgresHistory,
    readonly reader: TransactionReader,
    readonly audit: AuditTrail,
    readonly operations: OperationStore,
    readonly reconciliation: PostgresReconciliationStore,
    readonly participants: ParticipantStore,
    readonly endedSessions: EndedSessionStore,
    readonly marks: HmacPrincipalMarks,
    /** Seals sessions of the admin view; the same at every coordinator of the cluster. */
    readonly sessionSecret: Uint8Array,
    private readonly server: string,
    private readonly clock: Clock,
    private readonly pools: readonly [questions: pg.Pool, ...others: pg.Pool[]],
    private readonly time?: RegisterClock,
  ) {}

  /** Asks the database now. Never rejects. */
  async health(): Promise<DecisionLogHealth> {
    const began = this.clock.now();
    const problems: string[] = [];
    try {
      const told = (databaseMs: number): void =>
        this.time?.heard({ databaseMs, askedAt: began, answeredAt: this.clock.now() });
      for (const one of await findProblems(this.pools[0], this.clusterId, told)) {
        problems.push(one.message);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message || String(error) : String(error);
      problems.push(`the decision database does not answer: ${why}. Decisions wait until it does`);
    }
    const inVain = problems.length === 0 ? this.decidingInVain() : undefined;
    if (inVain !== undefined) problems.push(inVain);
    const lastUnknown = this.register.lastUnknown()?.message;
    return {
      ready: problems.length === 0,
      problems,
      ...(problems.length === 0 ? { roundTripMs: this.clock.now() - began } : {}),
      server: this.server,
      register: this.register.counters(),
      history: this.historyWriter.statistics(),
      ...(lastUnknown !== undefined ? { lastUnknown } : {}),
    };
  }

  /**
   * A database may answer and still take no decision, most often with a full disk. Waiting calls ask every
   * second, so recent failures that go on mean that any transaction begun now would end in doubt too. Old
   * ones prove nothing any more: the next decision is the test.
   */
  private decidingInVain(): string | undefined {
    const failing = this.register.failing();
    if (!failing || failing.lastMs - failing.sinceMs < IN_VAIN_MS) return undefined;
    if (this.clock.now() - failing.lastMs > FRESH_MS) return undefined;
    return `${failing.error.message}. Decisions wait until it takes them: look at its log and its disk`;
  }

  /** Every setting and guard that decisions depend on, now. Never rejects. */
  checkup(retentionMs: number): Promise<RegisterCheck[]> {
    const { pools, audit, clock } = this;
    return checkup({ pools, audit, clock }, retentionMs);
  }

  /** Settles what is under way, writes what is noted, and closes every connection. */
  async close(): Promise<void> {
    await this.register.close();
    await this.historyWriter.close();
    await Promise.all(this.pools.map((pool) => pool.end()));
  }
}

/**
 * Opens the decision log, or rejects with {@link DecisionDatabaseUnusable} and the remedy: `unreachable`
 * when the database is away or was lost in the middle. Then it may be tried again: what was migrated is
 * there, and nothing of it is done twice.
 */
export async function openDecisionLog(options: DecisionLogOptions): Promise<DecisionLog> {
  const { clock, poolMax = 4, answerWithinMs = 5_000 } = options;
  const session: SessionOptions = { url: options.url, answerWithinMs };
  const { server, cluster, sessionSecret } = await checkedAndMigrated(session);
  const marks = new HmacPrincipalMarks(sessionSecret, options.principals ?? []);
  const questions = openPool(session, 'register', poolMax, 'keyed');
  const historyPool = openPool(session, 'history', 1);
  const readerPool = openPool({ ...session, answerWithinMs: 20_000 }, 'reader', 4, 'reading');
  const operatorPool = openPool(session, 'operators', 2);
  const comparingPool = openPool(session, 'reconciliation', 1, 'keyed');
  const register = new PostgresDecisionRegister(questions, clock, {
    ...session,
    cluster,
    batch: { rowsMax: options.batchRowsMax ?? 256, bytesMax: 4_000_000 },
    horizonMs: options.horizonMs ?? 10 * 60_000,
    mayForget: options.mayForget,
    mayAnswer: options.mayAnswer,
    whose: (transaction) => marks.whose(transaction),
  });
  const { historyBytesMax: bytesMax = HISTORY_DEFAULTS.bytesMax } = options;
  const historyWriter = new PostgresHistoryWriter(historyPool, clock, {
    ...HISTORY_DEFAULTS,
    bytesMax,
  });
  const reader = new TransactionReader(readerPool, clock, options.stuckAfterMs ?? 10_000);
  const audit = new AuditTrail(operatorPool, readerPool, clock);
  const operations = new OperationStore(operatorPool);
  const log = new DecisionLog(
    cluster,
    register,
    historyWriter,
    new PostgresHistory(questions),
    reader,
    audit,
    operations,
    new PostgresReconciliationStore(comparingPool),
    new ParticipantStore(operatorPool, readerPool),
    new EndedSessionStore(operatorPool, clock),
    marks,
    sessionSecret,
    server.version,
    clock,
    [questions, historyPool, readerPool, operatorPool, comparingPool],
    options.time,
  );
  if (options.time) await log.health(); // What time it is is known before anything is written.
  return log;
}

async function checkedAndMigrated(
  session: SessionOptions,
): Promise<Installation & { server: Server }> {
  const candidate = { cluster: tokenFrom(randomBytes(8)), sessionSecret: randomBytes(32) };
  try {
    const server = await checkServer(session);
    return { server, ...(await migrate(session, candidate)) };
  } catch (error) {
    throw isAway(error) ? unreachable(session.url, error) : error;
  }
}
