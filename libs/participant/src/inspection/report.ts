/**
 * The report of one instance: the usual, and what was asked for besides. Guards "a report always
 * arrives": what cannot be looked at, or not in time, is named among the failures, and lists are cut,
 * and marked, until the whole fits into one message.
 */
import {
  nameOf,
  type BranchImpact,
  type Clock,
  type LockWait,
  type LockWaits,
  type Look,
  type RecalledWait,
} from '@concordat/engine';
import { bounded } from '../postgres/bounded.js';
import type { Blocking, Inspector } from './inspector.js';
import type { Checkup } from './checkup.js';

export interface ReportParts {
  readonly inspector: Inspector;
  readonly checkup: Checkup;
  readonly clock: Clock;
  /** What branches of this instance wait for whose session was recalled. */
  readonly recalledWaits: () => readonly RecalledWait[];
  /** Called with what could not be looked at. */
  readonly failed: (what: string, why: string) => void;
}

const BLOCKING_BRANCHES_MAX = 200;
const IMPACT_MAX = 200;
/** Kept free for what is not counted exactly: commas, names, the envelope. */
const SPARE_BYTES = 2_048;
/** A request to all participants waits half a second for answers, a closer look at one some seconds. */
const USUAL_MS = 200;
const CLOSER_MS = 4_500;

/** Adds to `usual` what `look` asks for. Never rejects. */
export async function closerLook(
  { inspector, checkup, clock, recalledWaits, failed }: ReportParts,
  usual: Readonly<Record<string, unknown>>,
  look: Look,
  bytesMax: number,
): Promise<Record<string, unknown>> {
  const report: Record<string, unknown> = { ...usual };
  const failures: string[] = [];
  const until = clock.now() + (Object.keys(look).length > 0 ? CLOSER_MS : USUAL_MS);
  const put = async (
    name: string,
    tell: () => Promise<unknown>,
    mayMiss = false,
  ): Promise<void> => {
    const told = await bounded(clock, until - clock.now(), tell());
    if (mayMiss && told.kind === 'timeout') return;
    if (told.kind === 'value') {
      if (told.value !== undefined) report[name] = told.value;
      return;
    }
    const why =
      told.kind === 'error' ? messageOf(told.error) : 'the database did not answer in time';
    failures.push(`${name}: ${why}`);
    failed(name, why);
  };
  const impactOf = async (
    wanted: { readonly gids?: readonly string[]; readonly oldest: number },
    blocking: Blocking = { byBranch: new Map(), sessions: 0, truncated: true },
  ): Promise<object> => {
    const impact = await inspector.impact(wanted, blocking);
    return impactWithin(impact.slice(0, IMPACT_MAX), bytesMax - bytesOf(report) - SPARE_BYTES);
  };
  const { prepared, gids, oldest, committed, checks } = look;
  await put('database', () => inspector.database());
  // Pages are asked for in long sequences, by a comparison; a database that is known to be unreachable adds
  // nothing.
  if (!prepared && !committed && !isAway(usual)) {
    // Where it takes too long it is left out, and so not known: a slow look is no fault of the service.
    await put(
      'lockWaits',
      async () => lockWaitsWithin(await inspector.lockWaits(), recalledWaits(), bytesMax / 3),
      true,
    );
  }
  if (prepared) {
    await put('page', async () => {
      const page = await inspector.preparedPage(prepared);
      const branches = page.branches.map(({ gid, heldMs }) => ({ gid, heldMs }));
      const kept = fitting(branches, bytesMax / 3);
      const next = kept.length < branches.length ? kept.at(-1)?.gid : page.next;
      return { branches: kept, ...(next === undefined ? {} : { next }) };
    });
  }
  if (committed) {
    await put('committed', async () => {
      const page = await inspector.committedPage(committed);
      const rows = fitting(page.rows, bytesMax / 2);
      const next = rows.length < page.rows.length ? rows.at(-1) : page.next;
      return { rows, ...(next === undefined ? {} : { next }) };
    });
  }
  if (gids) await put('fates', () => inspector.fates(gids));
  if (checks) await put('checks', () => checkup.run());
  const wanted = gids ? { gids, oldest: gids.length } : oldest ? { oldest } : undefined;
  const isBusy = Number((usual['prepared'] as { inDoubt?: unknown } | undefined)?.inDoubt) > 0;
  if (wanted || isBusy) {
    let blocking: Blocking | undefined;
    await put('blocked', async () => summary((blocking = await inspector.blocking(gids))));
    if (wanted) await put('impact', () => impactOf(wanted, blocking));
  }
  return failures.length > 0 ? { ...report, failures } : report;
}

/** Whether the last look at the prepared branches has failed. */
function isAway({ prepared }: Readonly<Record<string, unknown>>): boolean {
  return prepared !== undefined && (prepared as { inDoubt?: unknown }).inDoubt === undefined;
}

/**
 * With those that wait without a session: the database does not show them. For what each waited for, a holder
 * that is seen to block something is reported; where there is none, it may only wait for its turn.
 */
function lockWaitsWithin(
  { waits, sessions, truncated }: LockWaits,
  recalled: readonly RecalledWait[],
  bytesMax: number,
): LockWaits {
  const seen = new Set(waits.flatMap(({ holders }) => holders.map(nameOf)));
  const still = recalled.map(({ branch: key, id, waitingMs, wait }): LockWait => {
    const { transaction, branch } = key;
    const waiter = { kind: 'branch', transaction, branch, isPrepared: false } as const;
    const holders = (wait?.holders ?? []).filter((one) => seen.has(nameOf(one)));
    const on = wait?.on ?? { kind: 'session' };
    const told = { id, waiter, waitingMs: Math.round(waitingMs), on, holders, ahead: 0 };
    return { ...told, withoutSession: true };
  });
  const listed = fitting([...waits, ...still], bytesMax);
  const isCut = truncated === true || listed.length < waits.length + still.length;
  return { sessions, waits: listed, ...(isCut ? { truncated: true } : {}) };
}

function summary({ byBranch, sessions, truncated }: Blocking): object {
  const branches = [...byBranch]
    .map(([gid, waiters]) => ({ gid, sessions: waiters.length }))
    .sort((a, b) => b.sessions - a.sessions);
  const cut = truncated || branches.length > BLOCKING_BRANCHES_MAX;
  return {
    sessions,
    branches: branches.slice(0, BLOCKING_BRANCHES_MAX),
    ...(cut ? { truncated: true } : {}),
  };
}

/** As many branches as fit; one that does not fit whole is tried with few waiters first. */
function impactWithin(
  branches: readonly BranchImpact[],
  bytesMax: number,
): { branches: BranchImpact[]; truncated?: boolean } {
  const kept: BranchImpact[] = [];
  let left = bytesMax;
  for (const [at, branch] of branches.entries()) {
    // Each gets a fair share of what is left, so that the oldest does not take it all.
    const share = Math.max(left / (branches.length - at), Math.min(left, 2_000));
    const fits = [branch, shortened(branch, 10), shortened(branch, 0)].find(
      (one) => bytesOf(one) <= share,
    );
    if (!fits) return { branches: kept, truncated: true };
    left -= bytesOf(fits) + 1;
    kept.push(fits);
  }
  return { branches: kept };
}

function shortened(branch: BranchImpact, waiters: number): BranchImpact {
  if (branch.waiters.length <= waiters) return branch;
  return { ...branch, waiters: branch.waiters.slice(0, waiters), truncated: true };
}

function fitting<T>(items: readonly T[], bytesMax: number): T[] {
  let left = bytesMax;
  const kept: T[] = [];
  for (const item of items) {
    left -= bytesOf(item) + 1;
    if (left < 0) break;
    kept.push(item);
  }
  return kept;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
