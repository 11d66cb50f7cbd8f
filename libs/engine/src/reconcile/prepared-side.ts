/**
 * From there to here: what is prepared at a participant, compared with the register. Guards "nothing is
 * called an orphan by mistake": a branch whose transaction may be live, or whose decision is being delivered,
 * is none. And "a list is only the participant's claim": branches of another cluster in it, or branches that
 * a commit on record names for another participant, belong to a service that shares its database, and are
 * left alone.
 */
import {
  formatGid,
  type ClusterId,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { durationText } from '@concordat/words';
import { forEachAtMost } from '../pause.js';
import type {
  ComparedBranch,
  ParticipantInspector,
  PreparedBranchReport,
  ReconciliationStore,
} from '../ports/index.js';
import type { TransactionManager } from '../transaction-manager.js';
import type { FoundOrphan } from './found-orphan.js';
import type { Owners } from './owners.js';

export interface PreparedSidePorts {
  readonly inspector: ParticipantInspector;
  readonly store: ReconciliationStore;
  readonly manager: TransactionManager;
}

export type Listing =
  | {
      readonly kind: 'listed';
      readonly branches: readonly PreparedBranchReport[];
      /** How many more it listed that are of another cluster. */
      readonly foreign: number;
    }
  | { readonly kind: 'silent' | 'unable'; readonly why: string };

const PAGE = 1_000;
/** Far above what a server can have prepared; only a peer that repeats itself gets there. */
const PAGES_MAX = 100;
const QUESTIONS_AT_ONCE = 16;

/** Every prepared branch of a participant in this cluster, in the order of transaction ids. */
export async function listPrepared(
  inspector: ParticipantInspector,
  cluster: ClusterId,
  participant: ParticipantName,
): Promise<Listing> {
  const branches: PreparedBranchReport[] = [];
  let foreign = 0;
  let after: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const prepared = { ...(after === undefined ? {} : { after }), limit: PAGE };
    const answer = await inspector.look(participant, { prepared });
    if (answer.kind === 'no-responders') return { kind: 'silent', why: 'no instance is connected' };
    if (answer.kind === 'no-answer') return { kind: 'silent', why: answer.why };
    const { page, failures } = answer.answer.details;
    if (!page) {
      const why = failures?.join('; ') ?? 'it does not list its prepared branches';
      return { kind: 'unable', why };
    }
    const own = page.branches.filter((one) => one.gid === formatGid({ cluster, ...keyOf(one) }));
    branches.push(...own);
    foreign += page.branches.length - own.length;
    if (page.next === undefined || (after !== undefined && page.next <= after)) {
      return { kind: 'listed', branches, foreign };
    }
    after = page.next;
  }
  return { kind: 'unable', why: `it listed more than ${PAGE * PAGES_MAX} prepared branches` };
}

function keyOf({ transaction, branch }: PreparedBranchReport) {
  return { transaction, branch };
}

export interface PreparedOrphans {
  readonly orphans: readonly FoundOrphan[];
  /** Listed branches that a commit on record names for another participant. */
  readonly ofOthers: readonly PreparedBranchReport[];
}

/** Of the branches prepared at a participant for at least `graceMs`, the orphans. */
export async function orphansAmong(
  { store, manager }: PreparedSidePorts,
  owners: Owners,
  participant: ParticipantName,
  branches: readonly PreparedBranchReport[],
  graceMs: number,
): Promise<PreparedOrphans> {
  const old = branches.filter((one) => one.heldMs >= graceMs);
  const orphans: FoundOrphan[] = [];
  const ofOthers: PreparedBranchReport[] = [];
  for (let at = 0; at < old.length; at += PAGE) {
    const part = old.slice(at, at + PAGE);
    const compared = new Map<string, ComparedBranch>();
    for (const one of await store.compare(part)) {
      compared.set(`${one.transaction}:${one.branch}`, one);
    }
    const live = new Map<TransactionId, boolean>();
    await forEachAtMost(QUESTIONS_AT_ONCE, part, async (branch) => {
      const known = compared.get(`${branch.transaction}:${branch.branch}`);
      if (!known) return;
      if ((known.participant ?? participant) !== participant) {
        ofOthers.push(branch);
        return;
      }
      const found = await judge(known, branch, owners, manager, live);
      if (found) orphans.push({ ...found, ...aboutBranch(branch), participant });
    });
  }
  return { orphans: orphans.sort((a, b) => (a.gid < b.gid ? -1 : 1)), ofOthers };
}

type Judged = Pick<FoundOrphan, 'kind' | 'verdict' | 'evidence'>;

async function judge(
  known: ComparedBranch,
  branch: PreparedBranchReport,
  owners: Owners,
  manager: TransactionManager,
  live: Map<TransactionId, boolean>,
): Promise<Judged | undefined> {
  const { transaction, verdict, ended, finisher, forgotten } = known;
  const held = `prepared for ${durationText(branch.heldMs)}`;
  if (forgotten) {
    const evidence = `It is ${held}; its transaction is past retention, so that what was decided is no longer known.`;
    return { kind: 'prepared-forgotten', evidence };
  }
  if (verdict !== undefined) {
    // The coordinator that delivers it shows why it waits; an abort, or what has ended, is not delivered for
    // long.
    const delivering = !ended && finisher !== undefined && (await owners.mayBeAlive(finisher));
    if (delivering || manager.isLive(transaction)) return undefined;
    const evidence = `It is ${held}; ${verdict} is on record, and no coordinator delivers it any more.`;
    return { kind: 'prepared-decided', verdict, evidence };
  }
  const isLive = live.get(transaction) ?? (await owners.mayBeLive(transaction));
  live.set(transaction, isLive);
  if (isLive) return undefined;
  const evidence = `It is ${held}; nothing was decided, and no coordinator has its transaction.`;
  return { kind: 'prepared-unknown', evidence };
}

function aboutBranch({ gid, transaction, branch, heldMs }: PreparedBranchReport) {
  return { gid, transaction, branch, heldMs };
}
