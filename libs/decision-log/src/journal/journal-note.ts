/**
 * A view as the journal's row. A NUL, which Postgres text cannot hold, is replaced, because a curious
 * label must not cost other transactions their lines.
 */
import type { TransactionView } from '@concordat/engine';
import { ownerOf } from '@concordat/protocol';

/** One value per column, in the order of the statement's parameters. */
export function columnsOf(views: readonly TransactionView[]): unknown[][] {
  const notes = views.map(noteOf);
  const width = notes[0]?.length ?? 0;
  return Array.from({ length: width }, (_, column) => notes.map((note) => note[column]));
}

/** All of a view that another attempt in vain does not change. */
export function gistOf({ status, decision, outcome, branches }: TransactionView): string {
  const gists = branches.map(
    ({ branch, participant, operations, vote, outcome: found, lastError }) =>
      [branch, participant, operations.length, vote?.kind, found?.kind, lastError].join(' '),
  );
  return [status, decision, outcome, ...gists].join('\n');
}

function noteOf(view: TransactionView): unknown[] {
  const takenOver = view.takenOver === true;
  const participants = [...new Set(view.branches.map((one) => one.participant))];
  return [
    view.transaction,
    // Who took it over is in the takeover's own timeline; the owner is in the id.
    ownerOf(view.transaction),
    view.principal === undefined ? null : storable(view.principal),
    view.label === undefined ? null : storable(view.label),
    view.status,
    view.decision ?? null,
    view.outcome ?? null,
    view.cause === undefined ? null : JSON.stringify(view.cause),
    participants.join(','),
    view.timeoutMs,
    view.begunAtMs,
    view.decidedAtMs ?? null,
    view.endedAtMs ?? null,
    JSON.stringify(view.branches),
    takenOver ? '[]' : JSON.stringify(view.timeline),
    takenOver
      ? JSON.stringify({ by: view.owner, branches: view.branches, timeline: view.timeline })
      : null,
    view.version,
  ];
}

function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}
