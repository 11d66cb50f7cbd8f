/**
 * What must hold of answers: I4, I7, I8, I16. Guards "a client's answer is what happened", each moment as it
 * was named: decided means that it is on record, completed that it is in every database, both at the instant
 * of the answer.
 */
import type { Attempt, Facts } from './facts.js';
import { placeOf, type Fail, type Invoke, type Ok, type OutcomeRow } from './history.js';
import type { Checker } from './verdict.js';

/** An answer is stamped in whole milliseconds of a clock that the server reads in microseconds. */
const STAMP_US = 1_000;

/** No fault, no "no": then commit. Held in the calm before the faults and in the calm after healing. */
export const calmCommits: Checker = function* (facts) {
  const calms = calmSpans(facts);
  for (const { from, to } of calms) {
    for (const { fault, target, t, phase } of facts.faults) {
      if (phase !== 'skipped' && t >= from && t <= to) yield `${fault} of ${target} in a calm`;
    }
  }
  for (const { invoke, answers } of facts.attempts.values()) {
    const end = answers.at(-1);
    const isCalm = calms.some(({ from, to }) => invoke.t >= from && (end?.t ?? invoke.t) <= to);
    if (!isCalm || invoke.mayRefuse || end?.type === 'ok') continue;
    const how = end === undefined ? 'got no answer' : `ended in ${end.type}: ${wordsOf(end)}`;
    yield `${invoke.op} ${invoke.attempt} ${how}, though nothing was wrong and no branch said no`;
  }
};

/** An acknowledged commit is in all; a completed one already was when it was acknowledged. */
export const toldCommitted: Checker = function* (facts) {
  for (const { invoke, answers } of facts.attempts.values()) {
    for (const ok of answers) {
      if (ok.type === 'ok' && ok.told === 'committed') yield* heldToCommit(facts, invoke, ok);
    }
  }
};

function* heldToCommit(facts: Facts, invoke: Invoke, ok: Ok): Iterable<string> {
  const { transaction } = ok;
  // A client that looks at a transaction asks for nothing: what it changes was asked by another attempt.
  const deltas = facts.deltasOf(transaction) ?? invoke.deltas;
  const writers = new Set(deltas.filter(({ delta }) => delta !== 0).map((one) => one.participant));
  const all = facts.gid(transaction, '*');
  const row = facts.decision(transaction);
  if (row === undefined) {
    // Votes that are all read-only need no decision.
    if (writers.size > 0)
      yield `${all} was answered committed to ${invoke.attempt}; no decision is on record`;
    return;
  }
  if (row.decision !== 'commit') {
    if (writers.size > 0)
      yield `${all} was answered committed to ${invoke.attempt}; abort is on record`;
    return;
  }
  const toldAtUs = ok.wall * 1_000 + STAMP_US;
  if (row.decidedAtUs > toldAtUs) {
    yield `${all} was answered committed ${row.decidedAtUs - toldAtUs} µs before it was decided`;
  }
  const { committed } = facts.fate(transaction);
  for (const participant of writers.size > 0 ? writers : row.branches.map((b) => b.participant)) {
    const branch = row.branches.find((one) => one.participant === participant)?.branch ?? '?';
    const gid = facts.gid(transaction, branch);
    const there = committed.find((one) => one.participant === participant);
    if (!there) {
      const isExcused = ok.moment === 'decided' && facts.isExplained(gid, 'rollback');
      if (!isExcused) yield `${gid} was answered committed and is not in ${participant}`;
    } else if (ok.moment === 'completed' && isLater(there, toldAtUs)) {
      yield `${gid} was answered completed before it was committed at ${participant}`;
    }
  }
}

/** In one phase a row is dated by its last confirmation, which may come after any answer. */
function isLater({ transaction, committedAtUs }: OutcomeRow, toldAtUs: number): boolean {
  return placeOf(transaction) === undefined && (committedAtUs ?? 0) > toldAtUs;
}

/** An acknowledged abort is in none, ever. */
export const toldAborted: Checker = function* (facts) {
  const commitOf = new Map<string, string>();
  for (const transaction of facts.fates.keys()) {
    const label = facts.labelOf(transaction);
    const isCommit = facts.decision(transaction)?.decision === 'commit';
    if (isCommit && label !== undefined) commitOf.set(label, transaction);
  }
  for (const { invoke, answers } of facts.attempts.values()) {
    for (const answer of answers) {
      const isAbort = answer.type === 'fail' || (answer.type === 'ok' && answer.told === 'aborted');
      if (!isAbort) continue;
      if (answer.transaction !== undefined) {
        yield* heldToAbort(facts, invoke, answer.transaction);
        continue;
      }
      // The answer without an id was that nothing was begun: then no attempt of this label may commit, unless
      // another one was begun.
      const { label } = invoke;
      const winner = label === undefined ? undefined : commitOf.get(label);
      const others = label === undefined ? [] : (facts.byLabel.get(label) ?? []);
      if (winner !== undefined && others.every(wasRefused)) {
        yield `${facts.gid(winner, '*')} is committed; ${invoke.attempt} was answered that nothing was begun`;
      }
    }
  }
};

function* heldToAbort(facts: Facts, invoke: Invoke, transaction: string): Iterable<string> {
  const row = facts.decision(transaction);
  if (row?.decision === 'commit') {
    yield `${facts.gid(transaction, '*')} was answered aborted to ${invoke.attempt}; commit is on record`;
  }
  for (const { branch, participant } of facts.fate(transaction).committed) {
    const gid = facts.gid(transaction, branch);
    if (facts.isExplained(gid, 'commit')) continue;
    yield `${gid} was answered aborted to ${invoke.attempt} and is committed at ${participant}`;
  }
}

/** One key, at most one commit, and one answer. */
export const oneCommitPerKey: Checker = function* (facts) {
  const holders = new Map<string, string[]>();
  const labels = new Map<string, string[]>();
  for (const transaction of [...facts.fates.keys()].sort()) {
    const there = placeOf(transaction) === undefined ? undefined : facts.decision(transaction);
    for (const { decision, key, label } of there ? [there] : facts.fate(transaction).decisions) {
      if (decision !== 'commit') continue;
      if (key !== null) holders.set(key, [...(holders.get(key) ?? []), transaction]);
      if (label !== null) labels.set(label, [...(labels.get(label) ?? []), transaction]);
    }
  }
  for (const [key, all] of [...holders, ...labels]) {
    const different = [...new Set(all)];
    if (different.length < 2) continue;
    yield `${different.map((one) => facts.gid(one, '*')).join(' and ')} both committed under ${key}`;
  }
  for (const attempts of facts.byLabel.values()) {
    if (attempts[0]?.invoke.key !== undefined) yield* sameAnswers(facts, attempts);
  }
};

function* sameAnswers(facts: Facts, attempts: readonly Attempt[]): Iterable<string> {
  const { key } = (attempts[0] as Attempt).invoke;
  const oks = attempts.flatMap(({ answers }) =>
    answers.filter((one): one is Ok => one.type === 'ok' && one.told === 'committed'),
  );
  const told = [...new Set(oks.map((one) => one.transaction))].sort();
  if (told.length > 1) {
    yield `key ${key} was answered with ${told.map((one) => facts.gid(one, '*')).join(' and ')}`;
  }
  const outputs = new Set(oks.filter((one) => one.outputs).map((one) => canonical(one.outputs)));
  if (outputs.size > 1) {
    yield `key ${key} was answered for ${facts.gid(told[0] ?? '?', '*')} with ${outputs.size} different outputs`;
  }
  for (const transaction of told) {
    const row = facts.decision(transaction);
    const isUnderKey = row?.key?.endsWith(`:${key}`) ?? true;
    if (!isUnderKey) yield `${facts.gid(transaction, '*')} committed without its key ${key}`;
  }
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function calmSpans(facts: Facts): Span[] {
  const spans: Span[] = [];
  let from: number | undefined;
  for (const { phase, t } of facts.phases) {
    if (phase === 'calm') from = t;
    if (phase === 'calm-over' && from !== undefined) {
      spans.push({ from, to: t });
      from = undefined;
    }
  }
  return spans;
}

function wasRefused({ answers }: Attempt): boolean {
  return (
    answers.length > 0 &&
    answers.every((one) => one.type === 'fail' && one.transaction === undefined)
  );
}

function wordsOf(end: Fail | { readonly type: string; readonly why?: string }): string {
  return 'code' in end ? `${end.code} ${end.cause ?? ''}`.trim() : (end.why ?? '');
}

function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${name}:${canonical(one)}`).join()}}`;
}
