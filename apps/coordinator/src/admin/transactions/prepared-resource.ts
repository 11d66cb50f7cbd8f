/**
 * A prepared branch and what it holds, from a participant's report to what the admin API shows. Guards "no
 * list that denies what a newer report says": who waits for locks is also reported apart from inspections.
 */
import type { PreparedBranchResource } from '@concordat/api';
import type { WaitPicture } from '@concordat/diagnosis';
import type { BranchImpact } from '@concordat/engine';
import { parseGid } from '@concordat/protocol';

export function preparedResource(
  participant: string,
  impact: BranchImpact,
  picture?: WaitPicture,
): PreparedBranchResource | undefined {
  const parts = parseGid(impact.gid);
  if (!parts) return undefined;
  const reported = picture?.countBlockedBy(parts.transaction, parts.branch) ?? 0;
  const isCut = impact.truncated || impact.blockedSessions < reported;
  return {
    gid: impact.gid,
    transactionId: parts.transaction,
    branch: parts.branch,
    participant,
    heldMs: impact.heldMs,
    xidAge: impact.xidAge,
    locks: impact.locks.map(({ relation, mode, rows }) => ({
      relation,
      mode,
      ...(rows ? { rows: [...rows] } : {}),
    })),
    waiters: impact.waiters.map(({ pid, waitingMs, relation, row, mode, behind, ...told }) => ({
      pid,
      ...(waitingMs === undefined ? {} : { waitingMs }),
      ...(relation === undefined ? {} : { relation: row ? `${relation} ${row}` : relation }),
      ...(mode === undefined ? {} : { mode }),
      ...(behind === undefined ? {} : { behind }),
      ...told,
    })),
    ...(isCut ? { truncated: true as const } : {}),
  };
}
