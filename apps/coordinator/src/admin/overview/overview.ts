/**
 * Makes the overview, once for all viewers. Guards "looking costs the databases nothing": it is made at most
 * once a second, from indexes and from what is known already; and "what is not known is absent": a register
 * that does not answer leaves its part out, and participants whose databases are not seen are named beside
 * the numbers of the others.
 */
import type { ABORT_KINDS, AdminOverviewResource } from '@concordat/api';
import { PostgresDecisionRegister, TransactionReader, type InDoubt } from '@concordat/decision-log';
import { TransactionManager } from '@concordat/engine';
import { madeAtMs, parseGid, type TransactionId } from '@concordat/protocol';
import { Injectable } from '@nestjs/common';
import { Readiness } from '../../health/readiness.js';
import { Identity } from '../../platform/identity.js';
import { OrphanList } from '../orphans/orphan-list.js';
import { isSeen, participantSummary } from '../participants/participant-resource.js';
import { ParticipantsWatch, type SeenParticipant } from '../../known/participants-watch.js';
import { AdminLists } from '../transactions/admin-lists.js';
import { Pulse } from './pulse.js';

const KEPT_MS = 1_000;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Where the buckets of the age histogram begin. */
export const AGES_MS = [
  0,
  10 * SECOND,
  MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  60 * MINUTE,
  1_440 * MINUTE,
];
const ABORTS_SINCE_MS = 10 * MINUTE;
/** A coordinator without a heartbeat for so long is taken for gone. */
const SILENT_MS = 30_000;

type AbortKind = (typeof ABORT_KINDS)[number];

/** The part from the decision database; empty while that does not answer. */
type Standing = Partial<
  Pick<AdminOverviewResource, 'inDoubt' | 'stuck' | 'heuristic' | 'abortReasons' | 'coordinators'>
> & { readonly recovery?: { readonly backlog: number } };

@Injectable()
export class Overview {
  private kept:
    | { readonly atMs: number; readonly asked: Promise<AdminOverviewResource> }
    | undefined;

  constructor(
    private readonly register: PostgresDecisionRegister,
    private readonly reader: TransactionReader,
    private readonly manager: TransactionManager,
    private readonly readiness: Readiness,
    private readonly watch: ParticipantsWatch,
    private readonly lists: AdminLists,
    private readonly orphans: OrphanList,
    private readonly pulse: Pulse,
    private readonly identity: Identity,
  ) {}

  now(): Promise<AdminOverviewResource> {
    const now = this.identity.clock.now();
    if (this.kept && now - this.kept.atMs < KEPT_MS) return this.kept.asked;
    const asked = this.make();
    this.kept = { atMs: now, asked };
    asked.catch(() => (this.kept = undefined));
    return asked;
  }

  private async make(): Promise<AdminOverviewResource> {
    const seen = await this.watch.look();
    const nowMs = this.identity.clock.wallNow();
    const register = this.state('register');
    const stands = register.up ? await this.standing(seen, nowMs) : {};
    const undelivered = await this.watch.undelivered(seen);
    const { orphans, notCompared, comparedAtMs } = this.orphans.report();
    const areAllCompared = comparedAtMs !== undefined && notCompared.length === 0;
    const { committed, aborted, windowMs } = this.pulse.now();
    const latency = this.pulse.latency();
    return {
      ...stands,
      preparedBranches: sumOfKnown(seen.map((one) => one.inDoubt)),
      orphans: orphans.length > 0 || areAllCompared ? orphans.length : undefined,
      blockedSessions: sumOfKnown(seen.map((one) => one.blockedSessions)),
      notSeen: seen.filter((one) => !isSeen(one)).map((one) => one.participant),
      notCompared: notCompared.map((one) => one.participant),
      throughput: {
        committedPerSecond: committed,
        abortedPerSecond: aborted,
        windowMs,
        history: this.pulse.history().map(({ atMs, ...rates }) => ({
          at: new Date(atMs).toISOString(),
          ...rates,
        })),
      },
      ...(latency ? { decisionLatency: latency } : {}),
      recovery: { ...stands.recovery, live: this.manager.liveCount() },
      participants: seen.map((one) => participantSummary(one, undelivered)),
      register,
      broker: this.state('broker'),
      serverTime: new Date(nowMs).toISOString(),
    };
  }

  /** What the decision database contributes. */
  private async standing(seen: readonly SeenParticipant[], nowMs: number): Promise<Standing> {
    const coordinators = await this.register.coordinators();
    const living = coordinators.filter((one) => one.seenAgoMs < SILENT_MS);
    const alive = living.map((one) => one.incarnation);
    const prepared = preparedElsewhere(seen);
    const [inDoubt, stuck, heuristic, aborts] = await Promise.all([
      this.reader.inDoubt({ agesMs: AGES_MS, alive, others: [...prepared.keys()] }),
      this.lists.count({ view: 'stuck' }),
      this.lists.count({ view: 'heuristic' }),
      this.reader.abortKinds(ABORTS_SINCE_MS),
    ]);
    return {
      inDoubt: this.inDoubt(inDoubt, nowMs),
      stuck: stuck.value,
      heuristic: heuristic.value,
      abortReasons: aborts.map(({ kind, count }) => ({ kind: kind as AbortKind, count })),
      recovery: { backlog: inDoubt.abandoned },
      coordinators: coordinators.map(({ incarnation, startedAtMs, seenAgoMs }) => ({
        incarnation,
        self: incarnation === this.identity.incarnation,
        startedAt: new Date(startedAtMs).toISOString(),
        seenMsAgo: seenAgoMs,
      })),
    };
  }

  private inDoubt(
    { transactions, histogram, oldest, undecided }: InDoubt,
    nowMs: number,
  ): NonNullable<AdminOverviewResource['inDoubt']> {
    const oldestMs = oldest === undefined ? undefined : Math.max(0, nowMs - madeAtMs(oldest));
    return {
      transactions: transactions + undecided,
      ...(oldestMs === undefined ? {} : { oldestMs, oldestTransactionId: oldest }),
      histogram: AGES_MS.map((fromMs, at) => ({ fromMs, count: histogram[at] ?? 0 })),
    };
  }

  private state(name: 'register' | 'broker'): { up: boolean; lastError?: string } {
    const { ok, detail } = this.readiness.known(name);
    return ok ? { up: true } : { up: false, lastError: detail };
  }
}

/** What is known of it; undefined, not 0, where only nothing is known and some are not known. */
function sumOfKnown(counts: readonly (number | undefined)[]): number | undefined {
  const sum = counts.reduce<number>((all, one) => all + (one ?? 0), 0);
  return sum === 0 && counts.includes(undefined) ? undefined : sum;
}

/** Transactions that block sessions: they wait, whatever the register says of them. */
function preparedElsewhere(seen: readonly SeenParticipant[]): Map<TransactionId, number> {
  const found = new Map<TransactionId, number>();
  for (const [gid, sessions] of seen.flatMap((one) => [...one.blockedBy])) {
    const transaction = parseGid(gid)?.transaction;
    if (transaction) found.set(transaction, (found.get(transaction) ?? 0) + sessions);
  }
  return found;
}
