/** From waits as they are known here to what the REST API shows. */
import type { Blocker, Blocks, BranchWaits, PictureWait } from '@concordat/diagnosis';
import type {
  BlockerResource,
  BlocksResource,
  BranchWaitsResource,
  LockHolderResource,
  LockWaitResource,
  SessionWaitResource,
} from '@concordat/api';
import type { BranchView, WaitHolder } from '@concordat/engine';
import type { TransactionId } from '@concordat/protocol';

/** What a branch waits for, where that was asked. */
export type WaitsOf = (branch: BranchView) => BranchWaitsResource | undefined;

export interface ShowOptions {
  /** Whether processes, applications, users and gids of others may be shown. */
  readonly isOperator: boolean;
  readonly statusOf?: (transaction: TransactionId) => string | undefined;
}

const OPERATOR: ShowOptions = { isOperator: true };

const instant = (ms: number): string => new Date(ms).toISOString();

export function branchWaitsResource(
  { isKnown, asOfMs, waits }: BranchWaits,
  options: ShowOptions = OPERATOR,
): BranchWaitsResource {
  return {
    known: isKnown,
    ...(asOfMs === undefined ? {} : { asOf: instant(asOfMs) }),
    waits: waits.map((one) => lockWaitResource(one, options)),
  };
}

export function lockWaitResource(
  { on, sinceMs, holders, ahead, withoutSession }: PictureWait,
  options: ShowOptions = OPERATOR,
): LockWaitResource {
  return {
    for: { ...on },
    since: instant(sinceMs),
    heldBy: holders.map((one) => holderResource(one, options)),
    ...(ahead === undefined ? {} : { ahead }),
    ...(withoutSession ? { withoutSession } : {}),
  };
}

export function sessionWaitResource(wait: PictureWait): SessionWaitResource {
  const { participant, waiter } = wait;
  return { ...lockWaitResource(wait), participant, waiter: holderResource(waiter) };
}

export function blocksResource(blocks: Blocks): BlocksResource {
  const participants = [...new Set(blocks.waits.map((one) => one.participant))];
  return { ...countsOf(blocks), participants };
}

export function blockerResource(blocker: Blocker): BlockerResource {
  const { participant, holder } = blocker;
  return { ...countsOf(blocker), participant, holder: holderResource(holder) };
}

function countsOf({
  waits,
  sinceMs,
}: Blocks): Pick<BlocksResource, 'sessions' | 'transactions' | 'since' | 'asOf'> {
  const transactions = waits.flatMap(({ waiter }) =>
    waiter.kind === 'branch' ? [waiter.transaction] : [],
  );
  return {
    sessions: waits.length,
    transactions: [...new Set(transactions)],
    since: instant(sinceMs),
    asOf: instant(Math.max(...waits.map((one) => one.heardAtMs))),
  };
}

export function holderResource(
  holder: WaitHolder,
  { isOperator, statusOf }: ShowOptions = OPERATOR,
): LockHolderResource {
  const { kind } = holder;
  const session = isOperator ? sessionOf(holder) : {};
  if (holder.kind !== 'branch') {
    const gid = isOperator && holder.kind === 'prepared' ? { gid: holder.gid } : {};
    return { kind, ...session, ...gid };
  }
  const { transaction, branch, isPrepared } = holder;
  const status = statusOf?.(transaction);
  return {
    ...{ kind, transactionId: transaction, branch, prepared: isPrepared },
    ...(status === undefined ? {} : { status }),
    ...session,
  };
}

function sessionOf(holder: WaitHolder): Pick<LockHolderResource, 'pid' | 'application' | 'user'> {
  if (holder.kind === 'prepared') return {};
  const { pid, application } = holder;
  const user = holder.kind === 'session' ? holder.user : undefined;
  return {
    ...(pid === undefined ? {} : { pid }),
    ...(application === undefined ? {} : { application }),
    ...(user === undefined ? {} : { user }),
  };
}
