/**
 * A view as the history's row, written out once, when it is noted: what waits is text, not the objects of a
 * transaction that is over. What Postgres text cannot hold is replaced, because a curious label must not cost
 * other transactions their lines.
 */
import type { TransactionView } from '@concordat/engine';
import { decidedAt, type TransactionId } from '@concordat/protocol';
import { withoutOutputs, writeBranches, writeTimeline } from './story.js';

export interface Note {
  readonly transaction: TransactionId;
  readonly version: number;
  readonly begunAtMs: number;
  readonly hasEnded: boolean;
  /** See {@link gistOf}; of what has not ended. */
  readonly gist?: string;
  /** The row, as JSON; of a large one without timeline and outputs. */
  readonly row: string;
  /** What a large one has besides. It is put in when it is written: another copy of it in memory is spared. */
  readonly detail?: Detail;
}

/** JSON as text. */
interface Detail {
  readonly branches: string;
  readonly timeline: string;
}

/** Characters of branches from which a note is large: of most, the whole row is written at once. */
const LARGE = 65_536;

/** As the statement names its columns; branches, timeline and takeover are JSON as text. */
interface Row {
  readonly branches: string;
  readonly takeover: string | null;
  readonly [column: string]: unknown;
}

/** Throws a TypeError for what is no JSON. */
export function noteOf(view: TransactionView): Note {
  const { transaction, version, begunAtMs, endedAtMs } = view;
  const hasEnded = endedAtMs !== undefined;
  const branches = writeBranches(view.branches);
  const timeline = writeTimeline(transaction, view.branches, view.timeline);
  const detail = { branches, timeline };
  const isLarge = branches.length > LARGE;
  return {
    ...{ transaction, version, begunAtMs, hasEnded },
    row: JSON.stringify(rowOf(view, isLarge ? bareOf(view) : detail)),
    ...(isLarge ? { detail } : {}),
    ...(hasEnded ? {} : { gist: gistOf(view) }),
  };
}

function bareOf(view: TransactionView): Detail {
  const branches = view.branches.map(({ outputs: _, ...rest }) => rest);
  return { branches: writeBranches(branches), timeline: '[]' };
}

/** Without what takes most of its room: timeline and outputs. */
export function strippedNote({ detail, ...note }: Note): Note {
  if (detail) return note;
  const row = JSON.parse(note.row) as Row;
  const bare = { branches: withoutOutputs(row.branches), timeline: '[]' };
  return { ...note, row: JSON.stringify(withDetail(row, bare)) };
}

/** The statement's parameter: JSON of one row per note. */
export function rowsOf(notes: readonly Note[]): string {
  const rows = notes.map(({ row, detail }) =>
    detail ? JSON.stringify(withDetail(JSON.parse(row) as Row, detail)) : row,
  );
  return `[${rows.join()}]`;
}

/** The row with other branches and another timeline. */
function withDetail(row: Row, { branches, timeline }: Detail): Row {
  return row.takeover === null
    ? { ...row, branches, timeline }
    : { ...row, branches, takeover: takeoverOf(byOf(row.takeover), branches, timeline) };
}

/** The part of a view that another failed attempt does not change. */
export function gistOf({ status, decision, outcome, branches }: TransactionView): string {
  const gists = branches.map(
    ({ branch, participant, operations, vote, outcome: found, lastError }) =>
      [branch, participant, operations.length, vote?.kind, found?.kind, lastError].join(' '),
  );
  return [status, decision, outcome, ...gists].join('\n');
}

function rowOf(view: TransactionView, { branches, timeline }: Detail): Row {
  const { transaction, takenOver = false } = view;
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
    takeover: takenOver ? takeoverOf(view.owner, branches, timeline) : null,
    version: view.version,
  };
}

function takeoverOf(by: string, branches: string, timeline: string): string {
  return `{"by":"${by}","branches":${branches},"timeline":${timeline}}`;
}

function byOf(takeover: string): string {
  return (JSON.parse(takeover) as { readonly by: string }).by;
}

/** Every commit that wrote has a row in the register, which says whose it is. */
function isUnregistered({ transaction, decision, branches }: TransactionView): boolean {
  if (decidedAt(transaction) !== undefined) return true;
  return decision !== 'commit' || branches.every((one) => one.vote?.kind === 'read-only');
}

/** What neither Postgres' text nor its JSON can hold as a character. */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

function storable(text: string): string {
  return text.replace(UNSTORABLE, '\uFFFD');
}
