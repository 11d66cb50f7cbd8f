/**
 * A transaction's timeline as swim lanes: one per branch, with what each did and when. Guards "the
 * picture is the history": every mark is an event, and what is not known is not drawn.
 */
import type { AdminTransaction, BranchState, TimelineEvent } from '@concordat/client';
import { plural } from '../wording/format.js';
import { timeScale, type Era, type Piece } from './time-scale.js';

export type SpanKind = 'work' | 'prepared' | 'owed';
export type MarkKind =
  | 'asked'
  | 'yes'
  | 'no'
  | 'read-only'
  | 'attempt'
  | 'trouble'
  | 'done'
  | 'undone'
  | 'heuristic';

export interface Span {
  readonly kind: SpanKind;
  readonly x0: number;
  readonly x1: number;
}

export interface Mark {
  readonly kind: MarkKind;
  readonly x: number;
  readonly atMs: number;
  readonly says: string;
}

export interface Lane {
  readonly branch: string;
  readonly participant: string;
  readonly spans: readonly Span[];
  readonly marks: readonly Mark[];
  /** One sentence for those who do not see the picture. */
  readonly says: string;
}

export interface Lanes {
  readonly lanes: readonly Lane[];
  readonly eras: readonly Era[];
  readonly gaps: readonly Piece[];
  readonly decisionX?: number;
  /** Where now is, while it is not over. */
  readonly nowX?: number;
}

type Drawn = Pick<AdminTransaction, 'events' | 'transaction'>;

export function layoutLanes({ events, transaction }: Drawn, nowMs: number, width: number): Lanes {
  const { begunAt, decidedAt, endedAt } = transaction;
  const timed = events.map((event) => ({ ...event, ms: Date.parse(event.at) }));
  const first = Math.min(...timed.map(({ ms }) => ms), begunAt ? Date.parse(begunAt) : nowMs);
  const decidedMs = decidedAt ? Date.parse(decidedAt) : undefined;
  const lastEvent = Math.max(first, ...timed.map(({ ms }) => ms));
  const endMs = endedAt ? Math.max(Date.parse(endedAt), lastEvent) : Math.max(nowMs, lastEvent);
  const scale = timeScale({
    instants: timed.map(({ ms }) => ms),
    startMs: first,
    endMs,
    decidedMs,
    width,
  });
  const toX = scale.x;
  return {
    eras: scale.eras,
    gaps: scale.pieces.filter((piece) => piece.isGap),
    ...(decidedMs === undefined ? {} : { decisionX: toX(decidedMs) }),
    ...(endedAt ? {} : { nowX: toX(endMs) }),
    lanes: transaction.branches.map((branch) => {
      const own = timed.filter((event) => event.branch === branch.branch);
      const marks = own.flatMap((event) => markOf(event, toX(event.ms), decidedMs));
      return {
        branch: branch.branch,
        participant: branch.participant,
        spans: spansOf(marks, { startMs: first, endMs, decidedMs, branch }, toX),
        marks,
        says: laneWords(branch),
      };
    }),
  };
}

type Timed = TimelineEvent & { readonly ms: number };

function markOf(event: Timed, x: number, decidedMs: number | undefined): Mark[] {
  const kind = kindOf(event);
  if (!kind) return [];
  const why = event.detail?.['why'] ?? event.detail?.['reason'] ?? event.detail?.['explanation'];
  const after = decidedMs !== undefined && event.ms > decidedMs ? 'after the decision' : '';
  const says = [event.type.replaceAll('-', ' '), why, after].filter(Boolean).join(', ');
  return [{ kind, x, atMs: event.ms, says }];
}

/** Whether an event is one more attempt to send a branch something, or that it did not answer. */
export function isAttempt(event: TimelineEvent): boolean {
  const kind = kindOf(event);
  return kind === 'attempt' || kind === 'trouble';
}

function kindOf({ type, detail }: TimelineEvent): MarkKind | undefined {
  switch (type) {
    case 'prepare-sent':
    case 'work-sent':
    case 'enlisted':
      return 'asked';
    case 'voted':
      if (detail?.['vote'] === 'no') return 'no';
      return detail?.['vote'] === 'read-only' ? 'read-only' : 'yes';
    case 'retry':
    case 'commit-sent':
    case 'abort-sent':
    case 'settle-sent':
      return 'attempt';
    case 'no-answer':
    case 'unanswered':
    case 'unreached':
    case 'no-responders':
    case 'refused':
    case 'peer-violation':
      return 'trouble';
    case 'acknowledged':
      if (detail?.['outcome'] === 'heuristic') return 'heuristic';
      return detail?.['outcome'] === 'aborted' ? 'undone' : 'done';
    case 'heuristic':
      return 'heuristic';
    default:
      return undefined;
  }
}

interface Known {
  readonly startMs: number;
  readonly endMs: number;
  readonly decidedMs: number | undefined;
  readonly branch: BranchState;
}

/**
 * Work until the vote; prepared, which holds locks, until it is finished; from the decision on,
 * unacknowledged.
 */
function spansOf(marks: readonly Mark[], known: Known, toX: (ms: number) => number): Span[] {
  const { startMs, endMs, decidedMs, branch } = known;
  const at = (kinds: readonly MarkKind[]): number | undefined =>
    marks.find((mark) => kinds.includes(mark.kind))?.atMs;
  const askedMs = at(['asked']) ?? startMs;
  const votedMs = at(['yes', 'no', 'read-only']);
  const finishedMs = at(['done', 'undone', 'heuristic']);
  const spans: Span[] = [];
  const add = (kind: SpanKind, fromMs: number, toMs: number): void => {
    if (toMs > fromMs) spans.push({ kind, x0: toX(fromMs), x1: toX(toMs) });
  };
  add('work', askedMs, votedMs ?? decidedMs ?? endMs);
  const holds = branch.vote?.kind === 'prepared' || (!branch.vote && decidedMs !== undefined);
  if (holds) {
    const over = finishedMs ?? (branch.outcome ? (decidedMs ?? endMs) : endMs);
    add('prepared', votedMs ?? decidedMs ?? endMs, Math.min(over, decidedMs ?? over));
    if (decidedMs !== undefined) add('owed', decidedMs, over);
  }
  return spans;
}

function laneWords({ participant, vote, outcome, attempts, lastError }: BranchState): string {
  const voted = vote ? `voted ${vote.kind}` : 'has not voted';
  const ended = outcome ? `, ${outcome.kind}` : '';
  const tried = attempts > 0 ? `, ${plural(attempts, 'attempt')} to finish` : '';
  return `${participant}: ${voted}${ended}${tried}${lastError && !outcome ? `, last error: ${lastError}` : ''}`;
}
