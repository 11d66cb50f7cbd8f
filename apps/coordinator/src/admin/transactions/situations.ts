/**
 * Brings together what is known of a transaction: this coordinator's memory, register and history, what
 * participants report, who still lives. Guards "nothing is claimed that is not known": a source that does
 * not answer leaves its part absent.
 */
import { Inject, Injectable } from '@nestjs/common';
import {
  type Blocker,
  type Delivery,
  hasEnded,
  type KnownTransaction,
  mayWait,
  type Situation,
  traceless,
  type WaitPicture,
} from '@concordat/diagnosis';
import type { Status } from '@concordat/api';
import {
  PostgresDecisionRegister,
  TransactionReader,
  type TransactionSummary,
} from '@concordat/decision-log';
import { Liveness, TransactionManager, type BranchImpact } from '@concordat/engine';
import {
  BRANCHES_MAX,
  formatGid,
  madeAtMs,
  makeBranchId,
  ownerOf,
  parseGid,
  type BranchId,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { CONFIG, type CoordinatorConfig } from '../../platform/coordinator.config.js';
import { fromRecord, takenOver } from '../../known/known-transaction.js';
import { TransactionLookup, unknownTransaction } from '../../transactions/transaction-lookup.js';
import { TransactionRecords } from '../../transactions/transaction-records.js';
import { WaitsSeen } from '../../waits/waits-seen.js';
import { Identity } from '../../platform/identity.js';
import { ParticipantsWatch, type SeenParticipant } from '../../known/participants-watch.js';

/** Branch numbers that are looked for when no record names them. */
const ORDINALS = Array.from({ length: BRANCHES_MAX }, (_, at) => makeBranchId(at + 1));

type Seen = ReadonlyMap<ParticipantName, SeenParticipant>;

@Injectable()
export class Situations {
  constructor(
    private readonly manager: TransactionManager,
    private readonly lookup: TransactionLookup,
    private readonly records: TransactionRecords,
    private readonly liveness: Liveness,
    private readonly register: PostgresDecisionRegister,
    private readonly watch: ParticipantsWatch,
    private readonly identity: Identity,
    private readonly reader: TransactionReader,
    private readonly waits: WaitsSeen,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
  ) {}

  /** One transaction with everything. Throws the problem of an unknown id. */
  async of(id: TransactionId): Promise<Situation> {
    const seen = await this.seen();
    const found = await this.lookup.find(id);
    if (!found) return this.ofBranchesOnly(id, seen);
    const known = await this.withResolution(found);
    const [{ prepared, lying }, ownerAlive, delivery, asked] = await Promise.all([
      this.prepared(known, seen),
      this.ownerAlive(known),
      this.delivery(known),
      mayWait(known) ? this.waits.toldToOwner(known) : undefined,
    ]);
    const waits = this.waits.picture(seen.values(), asked);
    const plain = this.plain(known, seen, waits);
    return {
      ...plain,
      prepared,
      lying,
      statuses: await this.statuses(plain),
      broken: this.waits.brokenWith(id),
      isAsked: true,
      ...(ownerAlive === undefined ? {} : { ownerAlive }),
      ...(delivery === undefined ? {} : { delivery }),
    };
  }

  /** Many, from what is known without asking anybody about one of them. */
  async ofSummaries(summaries: readonly TransactionSummary[]): Promise<Situation[]> {
    const seen = await this.seen();
    const waits = this.waits.picture(seen.values());
    return summaries.map((one) => this.plain(this.newest(one), seen, waits));
  }

  /** All that have blocked something for long enough to be looked at, the longest first. */
  async blockers(): Promise<Blocker[]> {
    const waits = this.waits.picture((await this.seen()).values());
    const before = this.identity.clock.wallNow() - this.config.blockingAfterMs;
    return waits.blockers().filter((one) => one.sinceMs <= before);
  }

  /** Transactions that hold up sessions, the most of them first. */
  async harmful(): Promise<TransactionId[]> {
    const seen = await this.seen();
    const blocked = new Map<TransactionId, number>();
    for (const { holder, waits } of this.waits.picture(seen.values()).blockers()) {
      if (holder.kind !== 'branch' || holder.isPrepared) continue;
      const { transaction } = holder;
      blocked.set(transaction, (blocked.get(transaction) ?? 0) + waits.length);
    }
    for (const { blockedBy } of seen.values()) {
      for (const [gid, sessions] of blockedBy) {
        const transaction = parseGid(gid)?.transaction;
        if (transaction) blocked.set(transaction, (blocked.get(transaction) ?? 0) + sessions);
      }
    }
    const worst = [...blocked].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return worst.map(([transaction]) => transaction);
  }

  /** The summary, or what this coordinator's memory knows better. */
  private newest(summary: TransactionSummary): KnownTransaction {
    const recorded = fromRecord(summary);
    const live = this.manager.view(summary.transaction);
    if (!live) return recorded;
    if (live.takenOver) return takenOver(live, recorded);
    const { resolved, finisher } = recorded;
    return { ...live, ...(resolved ? { resolved } : {}), ...(finisher ? { finisher } : {}) };
  }

  /** How a heuristic outcome was settled is in the register only, not in any process's memory. */
  private async withResolution(known: KnownTransaction): Promise<KnownTransaction> {
    if (!known.status.startsWith('heuristic') || known.resolved) return known;
    const recorded = await this.records.find(known.transaction);
    return recorded?.resolved ? { ...known, resolved: recorded.resolved } : known;
  }

  private plain(
    known: KnownTransaction,
    seen: Seen,
    waits: WaitPicture = this.waits.picture(seen.values()),
  ): Situation {
    const { cluster, incarnation, clock } = this.identity;
    const { blockingAfterMs } = this.config;
    const areNamesUnread = !this.watch.hasReadNames;
    const nowMs = clock.wallNow();
    const self = incarnation;
    return { known, cluster, self, nowMs, seen, areNamesUnread, waits, blockingAfterMs };
  }

  /** Of who holds what it waits for. */
  private async statuses({ known, waits }: Situation): Promise<ReadonlyMap<TransactionId, Status>> {
    const holders = waits.of(known.transaction).flatMap((one) => one.holders);
    const ids = new Set(holders.flatMap((one) => (one.kind === 'branch' ? [one.transaction] : [])));
    const found = await this.reader.some([...ids]);
    return new Map(found.map((one) => [one.transaction, this.newest(one).status]));
  }

  private async seen(): Promise<Seen> {
    return new Map((await this.watch.look()).map((one) => [one.participant, one]));
  }

  /** What its branches hold now, of those that may be prepared and whose participant answers. */
  private async prepared(
    known: KnownTransaction,
    seen: Seen,
  ): Promise<Required<Pick<Situation, 'prepared' | 'lying'>>> {
    const prepared = new Map<BranchId, BranchImpact>();
    const lying = new Map<BranchId, boolean>();
    const { cluster } = this.identity;
    const { transaction } = known;
    await Promise.all(
      known.branches.map(async ({ branch, participant, outcome }) => {
        const there = seen.get(participant);
        if (!there || there.state === 'silent') return;
        if (outcome && outcome.kind !== 'heuristic') return;
        const gid = formatGid({ cluster, transaction, branch });
        const { impact, fates } = await this.watch.branches(participant, [gid]);
        const found = impact?.find((one) => one.gid === gid);
        if (found) prepared.set(branch, found);
        const fate = fates.get(gid);
        if (fate !== undefined || impact) {
          lying.set(branch, fate === 'prepared' || found !== undefined);
        }
      }),
    );
    return { prepared, lying };
  }

  /** Nothing is known here; perhaps a participant holds branches of it all the same. */
  private async ofBranchesOnly(id: TransactionId, seen: Seen): Promise<Situation> {
    const found: { branch: BranchId; participant: ParticipantName }[] = [];
    const prepared = new Map<BranchId, BranchImpact>();
    const lying = new Map<BranchId, boolean>();
    const { cluster } = this.identity;
    const gids = ORDINALS.map((branch) => formatGid({ cluster, transaction: id, branch }));
    await Promise.all(
      [...seen.values()].map(async ({ participant, state }) => {
        // Also where the last report has nothing in doubt: the branch may have been prepared since.
        if (state === 'silent') return;
        const { impact } = await this.watch.branches(participant, gids);
        for (const one of impact ?? []) {
          const branch = parseGid(one.gid)?.branch;
          if (!branch) continue;
          found.push({ branch, participant });
          prepared.set(branch, one);
          lying.set(branch, true);
        }
      }),
    );
    if (found.length === 0) throw unknownTransaction(id);
    const known = traceless(id, ownerOf(id), madeAtMs(id), found);
    const isForgotten = await this.register.isForgotten(id);
    return { ...this.plain(known, seen), prepared, lying, isTraceless: true, isForgotten };
  }

  private async ownerAlive(known: KnownTransaction): Promise<boolean | undefined> {
    if (hasEnded(known)) return undefined;
    return this.isAlive(known.owner);
  }

  /** A delivery is claimed only of a coordinator that says that it has the transaction. */
  private async delivery(known: KnownTransaction): Promise<Delivery | undefined> {
    const { transaction, decision, finisher, owner } = known;
    if (decision === undefined || hasEnded(known)) return undefined;
    if (this.manager.isLive(transaction)) return 'under-way';
    const who = finisher ?? owner;
    if (who === this.identity.incarnation) return 'not-live';
    const sign = await this.liveness.at(who, transaction);
    switch (sign.kind) {
      case 'live':
        return 'under-way';
      case 'not-live':
        return 'not-live';
      case 'gone':
        return 'gone';
      case 'silent':
        return 'not-known';
    }
  }

  /** Undefined when it is silent, which proves nothing. */
  private async isAlive(incarnation: Incarnation): Promise<boolean | undefined> {
    const sign = await this.liveness.of(incarnation);
    return sign.kind === 'silent' ? undefined : sign.kind === 'alive';
  }
}
