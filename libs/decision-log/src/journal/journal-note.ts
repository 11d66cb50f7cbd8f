/**
 * A view as the journal's row. What Postgres text cannot hold is replaced, because a curious label must
 * not cost other transactions their lines.
 */
import type { TransactionView } from '@concordat/engine';
import { writeBranches, writeTimeline } from './story.js';

/** The statement's parameter: JSON of one row per note. Throws a TypeError for what is no JSON. */
export function rowsOf(views: readonly TransactionView[]): string {
  return JSON.stringify(views.map(noteOf));
}

/** The part of a view that another failed attempt does not change. */
export function gistOf({ status, decision, outcome, branches }: TransactionView): string {
  const gists = branches.map(
    ({ branch, participant, operations, vote, outcome: found, lastError }) =>
      [branch, participant, operations.length, vote?.kind, found?.kind, lastError].join(' '),
  );
  return [status, decision, outcome, ...gists].join('\n');
}

function noteOf(view: TransactionView): Record<string, unknown> {
  const { transaction, takenOver = false } = view;
  const branches = writeBranches(view.branches);
  const timeline = writeTimeline(transaction, view.branches, view.timeline);
  return {
    transaction,
    principal: view.principal && storable(view.principal),
    label: view.label && storable(view.label),
    status: view.status,
    decision: view.decision,
    unregistered: isUnregistered(view),
    cause: view.cause && JSON.stringify(view.cause),
    participants: [...new Set(view.branches.map((one) => one.participant))].join(','),
    timeout_ms: view.timeoutMs,
    begun_at_ms: view.begunAtMs,
    decided_at_ms: view.decidedAtMs,
    ended_at_ms: view.endedAtMs,
    branches,
    // Who took it over is in the takeover's own timeline; the owner is in the id.
    timeline: takenOver ? '[]' : timeline,
    takeover: takenOver
      ? `{"by":"${view.owner}","branches":${branches},"timeline":${timeline}}`
      : null,
    version: view.version,
  };
}

/** Every commit that wrote has a row in the register, which says whose it is. */
function isUnregistered({ decision, branches }: TransactionView): boolean {
  return decision !== 'commit' || branches.every((one) => one.vote?.kind === 'read-only');
}

/** What neither Postgres' text nor its JSON can hold as a character. */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

function storable(text: string): string {
  return text.replace(UNSTORABLE, '\uFFFD');
}
