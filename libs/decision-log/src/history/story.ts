/**
 * Branches and timeline as the history keeps them: short lists instead of named fields, since the names
 * took most of the space of a finished transaction. An entry without a short form is kept with its names, which
 * is also how rows were written before. Guards "nothing is lost": what is read is what was noted.
 *
 * A branch is `[branch, participant, open, operations, vote, outcome, attempts, outputs, lastError,
 * nextAttemptAtMs]`, an event `[ms since the last one, type, branch, detail]`, the first since the id was made.
 * What is missing at the end is absent. A number in place of a word or a type is its place in a list below: the
 * lists are part of what is stored and only grow at their ends.
 */
import type { BranchView, TimelineEvent } from '@concordat/engine';
import {
  madeAtMs,
  type BranchId,
  type BranchOutcome,
  type TransactionId,
  type Vote,
} from '@concordat/protocol';

const WORDS = ['prepared', 'read-only', 'committed', 'aborted', 'commit', 'abort'];

/** Types, and what their detail says when it says one thing. */
const TYPES: readonly (readonly [type: string, detail?: string])[] = [
  ['begun', 'timeoutMs'],
  ['enlisted'],
  ['prepare-sent'],
  ['voted', 'vote'],
  ['proposed', 'decision'],
  ['decided', 'decision'],
  ['commit-sent', 'attempt'],
  ['acknowledged', 'outcome'],
  ['ended', 'outcome'],
  ['abort-sent', 'attempt'],
  ['work-sent', 'operations'],
  ['worked'],
  ['settle-sent', 'attempt'],
];
/** The place of a branch's outputs in its list. */
const OUTPUTS = 7;
const TYPE_INDEX = new Map(TYPES.map(([type], index) => [type, index]));

type Stored = object;
type Kind = { readonly kind: string };

/** JSON text. */
export function writeBranches(branches: readonly BranchView[]): string {
  return JSON.stringify(branches.map(storedBranch));
}

/** The same JSON text without what the branches answered. */
export function withoutOutputs(written: string): string {
  const branches = JSON.parse(written) as unknown[][];
  return JSON.stringify(
    branches.map((one) => trimmed(one.map((field, at) => (at === OUTPUTS ? undefined : field)))),
  );
}

/** JSON text. `branches` as they are written beside it. */
export function writeTimeline(
  transaction: TransactionId,
  branches: readonly BranchView[],
  timeline: readonly TimelineEvent[],
): string {
  const participants = new Map(branches.map((one) => [one.branch, one.participant]));
  let [atMs, sequence] = [madeAtMs(transaction), 0];
  const stored = timeline.map((event): Stored => {
    const elapsedMs = event.atMs - atMs;
    const isNext = event.sequence === sequence + 1;
    ({ atMs, sequence } = event);
    const isPlain =
      isNext && event.participant === (event.branch && participants.get(event.branch));
    return isPlain ? storedEvent(event, elapsedMs) : event;
  });
  return JSON.stringify(stored);
}

export function readBranches(stored: readonly Stored[]): BranchView[] {
  return stored.map((one) => (isList(one) ? branchOf(one) : (one as BranchView)));
}

/** `branches` as they were read beside it. */
export function readTimeline(
  transaction: TransactionId,
  branches: readonly BranchView[],
  stored: readonly Stored[],
): TimelineEvent[] {
  const participants = new Map(branches.map((one) => [one.branch, one.participant]));
  let [atMs, sequence] = [madeAtMs(transaction), 0];
  return stored.map((one) => {
    if (!isList(one)) {
      ({ atMs, sequence } = one as TimelineEvent);
      return one as TimelineEvent;
    }
    const [elapsedMs, code, number, detail] = one as [number, number | string, unknown, unknown];
    atMs += elapsedMs;
    sequence += 1;
    const branch = number ? (String(number) as BranchId) : undefined;
    const participant = branch && participants.get(branch);
    const [type, key] = typeof code === 'number' ? (TYPES[code] ?? [String(code)]) : [code];
    return {
      sequence,
      atMs,
      type,
      ...(branch ? { branch } : {}),
      ...(participant ? { participant } : {}),
      ...(detail === undefined || detail === null ? {} : { detail: detailOf(key, detail) }),
    };
  });
}

function storedBranch(view: BranchView): Stored {
  const { branch, participant, work, operations, vote, outcome, attempts } = view;
  return trimmed([
    shortId(branch),
    participant,
    work === 'open' ? 1 : 0,
    operations,
    vote && shortKind(vote),
    outcome && shortKind(outcome),
    attempts,
    view.outputs,
    view.lastError,
    view.nextAttemptAtMs,
  ]);
}

function branchOf(stored: readonly unknown[]): BranchView {
  const [branch, participant, open, operations, vote, outcome, attempts, ...rest] = stored;
  const [outputs, lastError, nextAttemptAtMs] = rest;
  const given = (name: string, value: unknown) =>
    value === undefined || value === null ? {} : { [name]: value };
  return {
    branch: String(branch) as BranchId,
    participant: participant as BranchView['participant'],
    work: open === 1 ? 'open' : 'bundled',
    operations: operations as readonly string[],
    ...given('vote', kindOf<Vote>(vote)),
    ...given('outcome', kindOf<BranchOutcome>(outcome)),
    ...given('outputs', outputs),
    attempts: attempts as number,
    ...given('lastError', lastError),
    ...given('nextAttemptAtMs', nextAttemptAtMs),
  };
}

function storedEvent({ type, branch, detail }: TimelineEvent, elapsedMs: number): Stored {
  const index = TYPE_INDEX.get(type);
  const key = index === undefined ? undefined : TYPES[index]?.[1];
  const said = detail && shortDetail(key, detail);
  const none = said === undefined ? undefined : 0;
  return trimmed([elapsedMs, index ?? type, branch === undefined ? none : shortId(branch), said]);
}

/** Of a detail that says the usual thing and nothing else, what it says. Objects stay what they are. */
function shortDetail(key: string | undefined, detail: Readonly<Record<string, unknown>>): unknown {
  const keys = Object.keys(detail);
  const value = key === undefined ? undefined : detail[key];
  if (keys.length !== 1 || value === undefined || value === null) return detail;
  if (typeof value === 'object' && !Array.isArray(value)) return detail;
  if (!isWordy(key)) return value;
  const word = WORDS.indexOf(value as string);
  if (word >= 0) return word;
  return typeof value === 'number' ? detail : value;
}

function detailOf(key: string | undefined, stored: unknown): Readonly<Record<string, unknown>> {
  if (key === undefined || (typeof stored === 'object' && !Array.isArray(stored))) {
    return stored as Readonly<Record<string, unknown>>;
  }
  return { [key]: isWordy(key) && typeof stored === 'number' ? WORDS[stored] : stored };
}

/** Whether a detail has a value from a fixed list of words, which is stored as a number. */
function isWordy(key: string | undefined): boolean {
  return key === 'vote' || key === 'decision' || key === 'outcome';
}

function shortKind(said: Kind): unknown {
  const index = WORDS.indexOf(said.kind);
  return index >= 0 && Object.keys(said).length === 1 ? index : said;
}

function kindOf<Said extends Kind>(stored: unknown): Said | undefined {
  if (typeof stored === 'number') return { kind: WORDS[stored] } as Said;
  return (stored ?? undefined) as Said | undefined;
}

/** Ids that are numbers, which all of ours are, need no quotes; 0 is no branch. */
function shortId(branch: BranchId): number | string {
  return /^[1-9]\d{0,8}$/.test(branch) ? Number(branch) : branch;
}

function trimmed(values: unknown[]): unknown[] {
  let { length } = values;
  while (length > 0 && values[length - 1] === undefined) length -= 1;
  return values.slice(0, length);
}

function isList(stored: Stored): stored is readonly unknown[] {
  return Array.isArray(stored);
}
