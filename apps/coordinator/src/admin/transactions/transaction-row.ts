/** A transaction as a row of a list: what somebody on call wants to see of it at a glance. */
import { blocksResource } from '../../waits/wait-resource.js';
import { etagOf } from './situation-tag.js';
import {
  blockedSessions,
  blocksOf,
  explain,
  hasEnded,
  inStatusSinceMs,
  type Situation,
  votelessBranches,
  waitingBranches,
} from '@concordat/diagnosis';
import type { TransactionRowResource } from '@concordat/api';
import { shortly } from '@concordat/words';

const instant = (ms: number): string => new Date(ms).toISOString();

export function rowOf(situation: Situation): TransactionRowResource {
  const { known, nowMs } = situation;
  const { label, principal, decision, decidedAtMs, endedAtMs, branches } = known;
  const waiting = waitingBranches(situation);
  const waitingOn = known.decision === undefined ? votelessBranches(situation) : waiting;
  const nextAttempts = waiting.flatMap((one) => one.nextAttemptAtMs ?? []);
  const lastError = waiting.find((one) => one.lastError !== undefined)?.lastError;
  const isDone = hasEnded(known);
  const blocked = blockedSessions(situation);
  const blocks = blocksOf(situation);
  return {
    transactionId: known.transaction,
    ...(label === undefined ? {} : { label }),
    ...(principal === undefined ? {} : { principal }),
    status: known.status,
    ...(decision ? { decision } : {}),
    begunAt: instant(known.begunAtMs),
    ...(decidedAtMs === undefined ? {} : { decidedAt: instant(decidedAtMs) }),
    ...(endedAtMs === undefined ? {} : { endedAt: instant(endedAtMs) }),
    inStatusMs: Math.max(0, Math.round(nowMs - inStatusSinceMs(situation))),
    branchesDone: isDone ? branches.length : branches.length - waiting.length,
    branchesTotal: branches.length,
    participants: [...new Set(branches.map((one) => one.participant))],
    waitingOn: isDone ? [] : [...new Set(waitingOn.map((one) => one.participant))],
    attempts: Math.max(0, ...branches.map((one) => one.attempts)),
    ...(nextAttempts.length === 0 ? {} : { nextAttemptAt: instant(Math.min(...nextAttempts)) }),
    ...(lastError === undefined ? {} : { lastError: shortly(lastError, 500) }),
    ...(blocked === undefined ? {} : { blockedSessions: blocked }),
    ...(blocks ? { blocks: blocksResource(blocks) } : {}),
    why: explain(situation).why,
    version: etagOf(situation),
  };
}
