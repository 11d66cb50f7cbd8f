/**
 * The reconciler: compares participants' databases with the register, both ways, in passes of bounded work.
 * Any coordinator, any number of them, at any time; a pass repeats safely. Guards protocol §6: a branch that
 * was finished manually, and that no message would ever report, is found by its outcome row; everything else
 * is only reported, with what was seen.
 */
import {
  InvariantViolation,
  formatGid,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import type { Liveness } from '../liveness.js';
import { forEachAtMost, within } from '../pause.js';
import type {
  Clock,
  OutcomeKey,
  ParticipantInspector,
  ReconciliationStore,
  ScanBounds,
  UnfinishedCommit,
} from '../ports/index.js';
import type { OrphanBranch } from '../orphan-settler.js';
import type { TransactionManager } from '../transaction-manager.js';
import { CommittedScan } from './committed-scan.js';
import type {
  FoundOrphan,
  ReconciledParticipant,
  ReconcileReport,
  RecordedHeuristic,
} from './found-orphan.js';
import { lostCommits } from './lost-commits.js';
import { Owners } from './owners.js';
import { listPrepared, orphansAmong } from './prepared-side.js';
import { settleCommitted } from './settle.js';

export interface ReconcilerPorts {
  readonly inspector: ParticipantInspector;
  readonly store: ReconciliationStore;
  readonly manager: TransactionManager;
  readonly liveness: Liveness;
  readonly clock: Clock;
}

export interface ReconcilerOptions {
  readonly cluster: ClusterId;
  readonly incarnation: Incarnation;
  /** Between the end of a pass and the next one. */
  readonly periodMs: number;
  /** How long the usual ways are given to finish a branch before it may be called an orphan. */
  readonly graceMs?: number;
  /** Pages of 5,000 outcome rows that a pass compares at most, for each participant. */
  readonly pagesMax?: number;
  /** Branches of one page that may contradict the register; more need a person's look first. */
  readonly contradictedMax?: number;
}

export type RecordResult =
  /** An abort is on record, and the committed branch is recorded as heuristic. */
  | { readonly kind: 'recorded' }
  /**
   * Nothing to record: a commit is on record, the decision is no longer known, or it is not committed there.
   */
  | { readonly kind: 'nothing-to-record'; readonly why: string }
  /** Its owner is alive and has not decided, or a participant could not be asked. */
  | { readonly kind: 'not-now'; readonly why: string };

const GRACE_MS = 15_000;
const PAGES_MAX = 20;
const CONTRADICTED_MAX = 500;
/** A pass that is under way is not awaited for long: closing what it asks ends it. */
const STOP_MS = 1_000;
const UNFINISHED_MAX = 500;
const PARTICIPANTS_AT_ONCE = 4;
const ORPHANS_MAX = 20_000;
const EMPTY: ReconcileReport = {
  orphans: [],
  truncated: false,
  participants: [],
  silent: [],
  recorded: [],
};

/** What all comparisons of a pass go by. */
interface Pass {
  readonly bounds: ScanBounds;
  readonly unfinished: readonly UnfinishedCommit[];
  readonly owners: Owners;
  readonly regardless: boolean;
}

/** What one participant adds to the report of a pass. */
interface Part {
  readonly about: ReconciledParticipant;
  readonly orphans: readonly FoundOrphan[];
  readonly recorded: readonly RecordedHeuristic[];
}

export class Reconciler {
  private last = EMPTY;
  private running?: Promise<ReconcileReport>;
  private cancel?: () => void;
  private stopped = true;
  private readonly listeners = new Set<(report: ReconcileReport) => void>();

  constructor(
    private readonly ports: ReconcilerPorts,
    private readonly options: ReconcilerOptions,
  ) {}

  /** The first pass comes after a period: a start has better things to do. */
  start(): void {
    this.stopped = false;
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    if (this.running) await within(this.ports.clock, STOP_MS, this.running, undefined);
  }

  /** What the last pass found. */
  report(): ReconcileReport {
    return this.last;
  }

  /**
   * One pass now; a caller during a pass gets the report of that pass. Never rejects: what could not be asked
   * is in the report. `regardless`: continues the scans though it is another one's turn.
   */
  pass({ regardless = false }: { readonly regardless?: boolean } = {}): Promise<ReconcileReport> {
    this.running ??= this.passOnce(regardless).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Calls the listener when a pass found other orphans than the one before, or recorded something. */
  onChange(listener: (report: ReconcileReport) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Records a branch that is committed there and not decided here, if that is still so. */
  async recordCommitted(orphan: OrphanBranch): Promise<RecordResult> {
    const { inspector, manager } = this.ports;
    const { transaction, branch, participant } = orphan;
    const gid = formatGid({ cluster: this.options.cluster, transaction, branch });
    const answer = await inspector.look(participant, { gids: [gid] });
    const fates = answer.kind === 'answered' ? answer.answer.details.fates : undefined;
    const fate = fates?.find((one) => one.gid === gid)?.fate;
    if (fate === undefined) {
      return { kind: 'not-now', why: `${participant} could not be asked what became of it` };
    }
    if (fate !== 'committed') {
      return { kind: 'nothing-to-record', why: `${participant} says that it is ${fate}` };
    }
    const settled = await settleCommitted(manager, { transaction, branch }, participant, {
      byOperator: true,
    });
    switch (settled) {
      case 'recorded':
        return { kind: 'recorded' };
      case 'disbelieved':
      case 'fine':
        return {
          kind: 'nothing-to-record',
          why: 'its commit is on record, or it is past retention',
        };
      case 'later':
        return { kind: 'not-now', why: 'its owner lives and decides, or the register is away' };
    }
  }

  private schedule(): void {
    if (this.stopped) return;
    this.cancel = this.ports.clock.after(this.options.periodMs, () => {
      void this.pass().then(() => this.schedule());
    });
  }

  private async passOnce(regardless: boolean): Promise<ReconcileReport> {
    const { clock } = this.ports;
    const began = clock.now();
    try {
      const found = await this.compareAll(regardless);
      const durationMs = clock.now() - began;
      this.publish({ ...found, comparedAtMs: clock.wallNow(), durationMs });
    } catch (error) {
      // Most often the register does not answer: nothing is known, so what was found before stays valid.
      const lastError = error instanceof Error ? error.message : String(error);
      this.last = { ...this.last, lastError };
    }
    return this.last;
  }

  private async compareAll(regardless: boolean): Promise<ReconcileReport> {
    const { inspector, store, liveness, manager } = this.ports;
    const known = await store.participants();
    // Before anything is listed: see committed-scan.ts.
    const bounds = await store.bounds();
    const unfinished = await store.unfinished(this.graceMs, UNFINISHED_MAX);
    const answering = new Set((await inspector.roll()).map((one) => one.participant));
    const owners = new Owners(liveness, manager, this.options.incarnation);
    const names = [...new Set([...answering, ...known])].sort();
    const parts: Part[] = [];
    await forEachAtMost(PARTICIPANTS_AT_ONCE, names, async (name) => {
      parts.push(
        answering.has(name)
          ? await this.compareOne(name, { bounds, unfinished, owners, regardless })
          : notCompared(name, 'silent', inspector.away ?? 'no instance has answered'),
      );
    });
    throwIfAllFailed(parts);
    parts.sort((a, b) => (a.about.participant < b.about.participant ? -1 : 1));
    const orphans = parts.flatMap((one) => one.orphans);
    return {
      orphans: orphans.slice(0, ORPHANS_MAX),
      truncated: orphans.length > ORPHANS_MAX,
      participants: parts.map((one) => one.about),
      silent: parts.flatMap(({ about }) => (about.state === 'silent' ? [about.participant] : [])),
      recorded: parts.flatMap((one) => one.recorded),
    };
  }

  /** One participant's trouble is its own: the others are compared all the same. */
  private async compareOne(participant: ParticipantName, pass: Pass): Promise<Part> {
    const {
      cluster,
      periodMs,
      pagesMax = PAGES_MAX,
      contradictedMax = CONTRADICTED_MAX,
    } = this.options;
    const scan = new CommittedScan(
      this.ports,
      { cluster, turnMs: periodMs / 2, pagesMax, contradictedMax },
      participant,
    );
    try {
      return await this.compareWith(scan, participant, pass);
    } catch (error) {
      if (error instanceof InvariantViolation) throw error;
      const why = error instanceof Error ? error.message : String(error);
      return { ...notCompared(participant, 'failed', why), recorded: scan.found };
    }
  }

  private async compareWith(
    scan: CommittedScan,
    participant: ParticipantName,
    pass: Pass,
  ): Promise<Part> {
    const { inspector } = this.ports;
    const { cluster } = this.options;
    const listing = await listPrepared(inspector, cluster, participant);
    if (listing.kind !== 'listed') return notCompared(participant, listing.kind, listing.why);
    const { branches, foreign } = listing;
    const held = await orphansAmong(this.ports, pass.owners, participant, branches, this.graceMs);
    const scanned = await scan.run(pass.bounds, branches, pass.regardless);
    const undecided = await scan.lookUpWatched(branches);
    const lost = await lostCommits(inspector, cluster, participant, pass.unfinished, branches);
    const others = foreign + held.ofOthers.length;
    const toOthers = others > 0 ? leftToOthers(others) : undefined;
    const whys = [toOthers, scanned?.why, scan.unseen, scan.disbelief];
    const why = whys.filter((one) => one !== undefined).join('; ');
    return {
      about: {
        participant,
        state: 'compared',
        prepared: branches.length,
        rows: scanned?.rows ?? 0,
        upToDate: (scanned?.upToDate ?? false) && scan.unseen === undefined,
        ...(why === '' ? {} : { why }),
      },
      orphans: [
        ...held.orphans,
        ...undecided.map((one) => this.undecided(one, participant)),
        ...lost,
      ],
      recorded: scan.found,
    };
  }

  private undecided(key: OutcomeKey, participant: ParticipantName): FoundOrphan {
    const gid = formatGid({ cluster: this.options.cluster, ...key });
    const evidence =
      'It was committed there manually, and is not recorded here yet: its owner lives or could not be asked, or it is not known now whose branch it is.';
    return { ...key, gid, participant, kind: 'committed-undecided', evidence };
  }

  private get graceMs(): number {
    return this.options.graceMs ?? GRACE_MS;
  }

  private publish(report: ReconcileReport): void {
    const before = signature(this.last);
    this.last = report;
    if (signature(report) === before && report.recorded.length === 0) return;
    for (const listener of this.listeners) listener(report);
  }
}

function leftToOthers(count: number): string {
  return `${count} of the prepared branches that it lists are of another cluster or another participant; they were left to their owners. Does it share its database?`;
}

/** If no participant could be compared, the register does not answer: the pass is not complete. */
function throwIfAllFailed(parts: readonly Part[]): void {
  const answering = parts.filter(({ about }) => about.state !== 'silent');
  const [first, ...rest] = answering.filter(({ about }) => about.state === 'failed');
  if (first && rest.length + 1 === answering.length) throw new Error(first.about.why);
}

function notCompared(
  participant: ParticipantName,
  state: 'silent' | 'unable' | 'failed',
  why: string,
): Part {
  const about = { participant, state, prepared: 0, rows: 0, upToDate: false, why } as const;
  return { about, orphans: [], recorded: [] };
}

function signature({ orphans, participants }: ReconcileReport): string {
  const missed = participants.filter((one) => one.state !== 'compared');
  return [
    ...orphans.map((one) => `${one.gid} ${one.kind}`),
    ...missed.map((one) => `${one.participant} ${one.state}`),
  ].join('\n');
}
