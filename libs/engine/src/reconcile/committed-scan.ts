/**
 * From there to here, second half: outcome rows of committed branches, compared page by page with the
 * register. Guards protocol §6: a branch that was committed manually is found, also when its
 * coordinator died before it could notice.
 *
 * Rows appear late: a branch may be prepared for days before its row can be seen, below everything
 * that was scanned meanwhile. So a scan may be trusted below `candidate` only, and only together with
 * the watch list: at the moment the bounds were read no transaction below `candidate` was live, so
 * each of its branches was committed (the scan meets it), gone, or prepared; and those that the list
 * of prepared branches, read after the bounds and before the first page, shows below it are watched
 * until they are gone, and then looked up one by one. What remains is a prepare that arrives after its
 * transaction has ended and is committed manually before the next pass lists it.
 *
 * A commit in one phase that its dead owner has told no process is met here too, and put on record before the scan
 * ends above it (protocol §4.6): below its base the participant may forget. What is not below `candidate` is met again,
 * and holds nothing up: where its owner lives, the note of its end is on its way, and under load there always is one.
 *
 * Crash windows: branches are watched before the position moves on, so a crash in between leaves some watched
 * without need; two coordinators on one scan meet at `advance`, and the slower one has read its pages without
 * effect.
 */
import {
  decidedAt,
  formatGid,
  lowestTransactionIdAt,
  madeAtMs,
  parseGid,
  type BranchId,
  type ClusterId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { forEachAtMost } from '../pause.js';
import type {
  CommittedPage,
  OutcomeKey,
  ParticipantInspector,
  PreparedBranchReport,
  ReconciliationStore,
  ScanBounds,
  ScanState,
} from '../ports/index.js';
import type { TransactionManager } from '../transaction-manager.js';
import type { RecordedHeuristic } from './found-orphan.js';
import { settleCommitted } from './settle.js';

export interface ScanPorts {
  readonly inspector: ParticipantInspector;
  readonly store: ReconciliationStore;
  readonly manager: TransactionManager;
}

export interface ScanOptions {
  readonly cluster: ClusterId;
  readonly turnMs: number;
  /** Pages of a pass at most, for one participant. */
  readonly pagesMax: number;
  /** Contradictions of one page at most; with more, nothing is concluded from it. */
  readonly contradictedMax: number;
}

export interface ScanResult {
  readonly rows: number;
  readonly upToDate: boolean;
  readonly recorded: readonly RecordedHeuristic[];
  readonly why?: string;
}

const PAGE = 5_000;
const FATES_PAGE = 200;
const FATES_MAX = 2_000;
const WATCHED_MAX = 10_000;
/** With those whose decision was not known yet; so many are read at once. */
const WATCHED_IN_ALL_MAX = 20_000;
const SETTLED_AT_ONCE = 8;
/** How far behind the live floor a scan is trusted: more than a late prepare needs. */
const MARGIN_MS = 30_000;
/** Untold commits of one phase that a pass puts on record at most. */
const RECORDED_MAX = 500;
const FIRST = '1' as BranchId;
const OVERTAKEN = 'another coordinator goes on with it';

export class CommittedScan {
  private readonly recorded: RecordedHeuristic[] = [];
  private readonly disbelieved: OutcomeKey[] = [];
  /** Met committed by this pass, and not to be settled by it. */
  private readonly open: OutcomeKey[] = [];
  private notTold = 0;

  constructor(
    private readonly ports: ScanPorts,
    private readonly options: ScanOptions,
    private readonly participant: ParticipantName,
  ) {}

  /** Goes on with the scan, if it is this coordinator's turn. `bounds` were read before `prepared`. */
  async run(
    bounds: ScanBounds,
    prepared: readonly PreparedBranchReport[],
    regardless: boolean,
  ): Promise<ScanResult | undefined> {
    const { store } = this.ports;
    const { turnMs, pagesMax } = this.options;
    const taken = await store.takeTurn(this.participant, { forMs: turnMs, regardless });
    if (!taken) return undefined;
    const begun = await this.begun(taken, bounds, prepared);
    if (!begun) return this.result(0, false, OVERTAKEN);
    let state = begun;
    let rows = 0;
    for (let pages = 0; state.candidate !== undefined; pages++) {
      if (pages === pagesMax) return this.result(rows, false);
      const page = await this.page(state, bounds.born);
      if ('why' in page) return this.result(rows, false, page.why);
      rows += page.rows.length;
      const many = await this.compare(
        page.rows.filter(({ transaction }) => {
          // In one phase the row is the decision, and contradicts none.
          return transaction >= bounds.floor && decidedAt(transaction) === undefined;
        }),
      );
      if (many !== undefined) return this.result(rows, false, many);
      const { base, candidate } = state;
      const unknown = await this.record(page.rows, { from: bounds.born, below: candidate });
      if (unknown !== undefined) return this.result(rows, false, unknown);
      const next: ScanState = page.next
        ? { ...(base === undefined ? {} : { base }), position: page.next, candidate }
        : { base: candidate };
      if (!(await store.advance(this.participant, state, next))) {
        return this.result(rows, false, OVERTAKEN);
      }
      state = next;
    }
    return this.result(rows, true);
  }

  /**
   * Looks up the watched branches that are not prepared any more. By every coordinator in every pass:
   * they are few. Returns those that are committed there and not decided here yet, as far as it is known:
   * of those that could not be looked up, the ones whose rows this pass has met.
   */
  async lookUpWatched(prepared: readonly PreparedBranchReport[]): Promise<OutcomeKey[]> {
    const { store, inspector } = this.ports;
    const still = new Set<string>(prepared.map((one) => one.gid));
    const gone = (await store.watched(this.participant)).filter((gid) => !still.has(gid));
    const undecided: OutcomeKey[] = [];
    let at = 0;
    for (; at < Math.min(gone.length, FATES_MAX); at += FATES_PAGE) {
      const gids = gone.slice(at, at + FATES_PAGE);
      const answer = await inspector.look(this.participant, { gids });
      const fates = answer.kind === 'answered' ? answer.answer.details.fates : undefined;
      if (!fates) break; // No answer now: they stay watched.
      const committed = fates.flatMap(({ gid, fate }) =>
        fate === 'committed' ? (parseGid(gid) ?? []) : [],
      );
      const later = await this.settleAll(await store.contradicted(committed));
      undecided.push(...later);
      const kept = new Set(later.map((one) => this.gid(one)));
      const done = fates.filter(({ gid, fate }) => fate !== 'prepared' && !kept.has(gid));
      await store.unwatch(
        this.participant,
        done.map((one) => one.gid),
      );
    }
    const left = new Set(gone.slice(at));
    this.notTold = left.size;
    return [...undecided, ...this.open.filter((one) => left.has(this.gid(one)))];
  }

  /** Why not every watched branch was looked up, in one sentence for people; undefined when all were. */
  get unseen(): string | undefined {
    if (this.notTold === 0) return undefined;
    return `the outcome of ${this.notTold} watched branches is not known; they stay watched`;
  }

  /** What this scan has recorded so far. */
  get found(): readonly RecordedHeuristic[] {
    return this.recorded;
  }

  /** What this scan has met and not believed, in one sentence for people; undefined without any. */
  get disbelief(): string | undefined {
    const { length, 0: first } = this.disbelieved;
    if (!first) return undefined;
    return `${length} of its outcome rows are of branches that are not its own by what is on record here, the first is ${this.gid(first)}; they were not recorded. Do two participants share its database?`;
  }

  private async begun(
    state: ScanState,
    bounds: ScanBounds,
    prepared: readonly PreparedBranchReport[],
  ): Promise<ScanState | undefined> {
    const { store } = this.ports;
    const lower = (id: TransactionId, byMs = 0) =>
      lowestTransactionIdAt(Math.max(0, madeAtMs(id) - byMs));
    let candidate = state.candidate ?? lower(bounds.liveFloor, MARGIN_MS);
    const below = prepared
      .filter((one) => one.transaction < candidate)
      .sort((a, b) => (a.gid < b.gid ? -1 : 1));
    const first = below[WATCHED_MAX];
    if (first && state.candidate === undefined) candidate = lower(first.transaction);
    await store.watch(
      this.participant,
      below.slice(0, WATCHED_MAX).map((one) => one.gid),
    );
    if (state.candidate !== undefined) return state;
    const next = { ...state, candidate };
    return (await store.advance(this.participant, state, next)) ? next : undefined;
  }

  private async page(
    { base, position }: ScanState,
    born: TransactionId,
  ): Promise<CommittedPage | { readonly why: string }> {
    // Not from the pruning mark: what is committed in one phase may have been told to no process while no coordinator lived.
    const from = base !== undefined && base > born ? base : born;
    // The lowest id of a moment belongs to no transaction: everything made from then on sorts after it.
    const after = position ?? { transaction: from, branch: FIRST };
    const answer = await this.ports.inspector.look(this.participant, {
      committed: { after, limit: PAGE },
    });
    if (answer.kind === 'no-responders') return { why: 'no instance is connected' };
    if (answer.kind === 'no-answer') return { why: answer.why };
    const { committed, failures } = answer.answer.details;
    if (!committed) return { why: failures?.join('; ') ?? 'it does not list its outcome rows' };
    const { next } = committed;
    const isBackwards =
      next !== undefined &&
      (next.transaction < after.transaction ||
        (next.transaction === after.transaction && Number(next.branch) <= Number(after.branch)));
    return isBackwards ? { why: 'its pages of outcome rows do not go on' } : committed;
  }

  /** Says why, where it does nothing: so many cannot be manual changes, and evidence cannot be withdrawn. */
  private async compare(rows: readonly OutcomeKey[]): Promise<string | undefined> {
    const { store } = this.ports;
    const { contradictedMax } = this.options;
    const contradicted = await store.contradicted(rows);
    if (contradicted.length > contradictedMax) {
      return `${contradicted.length} of ${rows.length} branches that are committed there are not committed here, from ${contradicted[0]?.transaction ?? ''} on; nothing was recorded. Is its database a copy of another cluster's, or did the register lose decisions? See "Reconciliation" in docs/runbooks.md`;
    }
    const later = await this.settleAll(contradicted);
    if (later.length === 0) return undefined;
    this.open.push(...later);
    const watched = await store.watched(this.participant);
    if (watched.length + later.length > WATCHED_IN_ALL_MAX) {
      return `${watched.length} of its branches are watched already, and the outcome of ${later.length} more is not known now, from ${later[0]?.transaction ?? ''} on; it goes on when there are fewer`;
    }
    // Live at its owner: it may commit it yet. Watched, it is looked up until that is decided.
    await store.watch(
      this.participant,
      later.map((one) => this.gid(one)),
    );
    return undefined;
  }

  /**
   * In one phase the row is the decision, and its participant may forget it once it has been met here. So what its
   * owner has left untold is put on record before. Says why, where that is not done of what is `below`.
   */
  private async record(
    rows: readonly OutcomeKey[],
    { from, below }: { readonly from: TransactionId; readonly below: TransactionId },
  ): Promise<string | undefined> {
    const { store, manager } = this.ports;
    const alone = rows.filter(
      ({ transaction }) => decidedAt(transaction) === this.participant && transaction >= from,
    );
    if (alone.length === 0) return undefined;
    const untold = await store.unrecorded(alone);
    if (untold.length === 0) return undefined;
    const now = untold.slice(0, RECORDED_MAX);
    await forEachAtMost(SETTLED_AT_ONCE, now, async ({ transaction }) => {
      await manager.inquire({ transaction });
    });
    const due = untold.filter(({ transaction }) => transaction < below);
    const { length, 0: first } = await store.unrecorded(due);
    if (!first) return undefined;
    return `${length} of its commits in one phase are not on record here yet, from ${first.transaction} on; it goes on when they are`;
  }

  private async settleAll(contradicted: readonly OutcomeKey[]): Promise<OutcomeKey[]> {
    const later: OutcomeKey[] = [];
    await forEachAtMost(SETTLED_AT_ONCE, contradicted, async (key) => {
      const settled = await settleCommitted(this.ports.manager, key, this.participant);
      if (settled === 'later') later.push(key);
      if (settled === 'recorded') this.recorded.push({ ...key, participant: this.participant });
      if (settled === 'disbelieved') this.disbelieved.push(key);
    });
    return later;
  }

  private gid({ transaction, branch }: OutcomeKey): string {
    return formatGid({ cluster: this.options.cluster, transaction, branch });
  }

  private result(rows: number, upToDate: boolean, why?: string): ScanResult {
    const { recorded } = this;
    return { rows, upToDate, recorded, ...(why === undefined ? {} : { why }) };
  }
}
