/**
 * What must hold of balances: I6 with Jepsen's four errors, and I12. Guards "each committed delta is
 * applied once, and nothing else is": every balance is computed again from the decisions alone and
 * compared with what the databases hold.
 */
import { place, type Facts } from './facts.js';
import { placeOf, type DecisionRow } from './history.js';
import type { Checker } from './verdict.js';

interface Applied {
  readonly gid: string;
  readonly delta: number;
}

/** What every key must be, from what it was and the deltas of commits on record. */
interface Expected {
  readonly was: number;
  readonly applied: readonly Applied[];
}

/** Totals and the four ways to break them: wrong total, nil, negative, unexpected. */
export const totalsHold: Checker = function* (facts) {
  const due = expected(facts);
  let total = 0;
  let dueTotal = 0;
  for (const [where, { was, applied }] of due) {
    dueTotal += applied.reduce((sum, { delta }) => sum + delta, was);
    const values = facts.balances.get(where) ?? [];
    if (values.length === 0 || values.includes(null)) yield `nil balance: ${where} has no value`;
    if (values.length > 1) yield `${where} is there ${values.length} times`;
  }
  for (const [where, values] of facts.balances) {
    for (const value of values) {
      total += value ?? 0;
      if (value !== null && value < 0) yield `negative value: ${where} is ${value}`;
      if (value !== null && !Number.isSafeInteger(value))
        yield `${where} is ${value}, no whole number`;
    }
    if (!due.has(where)) yield `unexpected key: ${where} was never opened by a commit`;
  }
  for (const { answers } of facts.attempts.values()) {
    for (const ok of answers) {
      const low = ok.type === 'ok' && ok.outputs ? JSON.stringify(ok.outputs) : '';
      if (ok.type === 'ok' && /:-\d/.test(low)) {
        yield `negative value: ${facts.gid(ok.transaction, '*')} answered ${low}`;
      }
    }
  }
  if (total !== dueTotal) yield `wrong total: all balances add up to ${total}, not ${dueTotal}`;
  for (const group of facts.initial?.equal ?? []) {
    const values = group.map((one) => `${facts.balances.get(place(one.participant, one.key))}`);
    if (new Set(values).size < 2) continue;
    const where = group.map(({ participant, key }, at) => `${participant} ${key} ${values[at]}`);
    yield `counters that change together differ: ${where.join(', ')}`;
  }
};

/** Each delta once: a balance that is off is blamed on the deltas that would explain it. */
export const deltasApplyOnce: Checker = function* (facts) {
  for (const [where, { was, applied }] of expected(facts)) {
    const due = applied.reduce((sum, { delta }) => sum + delta, was);
    const [value] = facts.balances.get(where) ?? [];
    if (value === undefined || value === null || value === due) continue;
    const off = value - due;
    const blamed = applied.filter(({ delta }) => delta === off || delta === -off);
    const named = blamed.slice(0, 5).map(({ gid }) => gid);
    const hint = named.length > 0 ? `; ${named.join(' or ')} would explain it` : '';
    yield `${where} is ${value}, not ${due}${hint}`;
  }
  for (const [transaction, { committed }] of facts.fates) {
    const at = committed.map(({ branch, participant }) => `${branch} ${participant}`);
    for (const one of new Set(at.filter((a, index) => at.indexOf(a) !== index))) {
      yield `${facts.gid(transaction, one.split(' ')[0] ?? '')} has more than one outcome row`;
    }
  }
};

function expected(facts: Facts): Map<string, Expected> {
  const due = new Map<string, { was: number; applied: Applied[] }>();
  for (const [participant, keys] of Object.entries(facts.initial?.balances ?? {})) {
    for (const [key, was] of Object.entries(keys)) {
      due.set(place(participant, key), { was: was ?? 0, applied: [] });
    }
  }
  for (const [transaction, { decisions: rows }] of facts.fates) {
    const there = placeOf(transaction) === undefined ? undefined : facts.decision(transaction);
    const decisions = there ? [there] : rows;
    for (const row of new Map(decisions.map((one) => [one.decision, one])).values()) {
      for (const { where, gid, delta } of appliedBy(facts, row)) {
        const there = due.get(where) ?? { was: 0, applied: [] };
        there.applied.push({ gid, delta });
        due.set(where, there);
      }
    }
  }
  return due;
}

/** The deltas of a decision; a branch finished manually and reported counts as it is. */
function appliedBy(facts: Facts, row: DecisionRow): (Applied & { readonly where: string })[] {
  const { transaction, decision } = row;
  const branchOf = new Map(
    [...row.branches, ...facts.fate(transaction).committed].map((one) => [
      one.participant,
      one.branch,
    ]),
  );
  return (facts.deltasOf(transaction) ?? [])
    .map(({ participant, key, delta }) => ({
      where: place(participant, key),
      gid: facts.gid(transaction, branchOf.get(participant) ?? '?'),
      delta,
    }))
    .filter(({ gid }) =>
      decision === 'commit'
        ? !facts.isExplained(gid, 'rollback')
        : facts.isExplained(gid, 'commit'),
    );
}
