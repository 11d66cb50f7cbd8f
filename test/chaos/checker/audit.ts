/**
 * I15: what operators did is in the audit once, before it was done, and the chain has neither a gap nor
 * a changed entry. The hashes are computed here again, from the rows and from what the documentation
 * says of them, so that the product's own arithmetic is not believed.
 */
import { createHash } from 'node:crypto';
import type { Act, Acted, AuditRow } from './history.js';
import type { Checker } from './verdict.js';

const NOBODY_BEFORE = '0'.repeat(64);

/** SHA-256 over every field and the hash before it, as JSON with sorted names. */
export function auditHash(row: Omit<AuditRow, 'type' | 't' | 'wall' | 'hash'>): string {
  const { sequence, atMs, by, role, from, action, transaction, branch, gid, reason, ticket } = row;
  const { phase, answers, before, after, previous } = row;
  const who = [sequence, atMs, by, role, from];
  const what = [action, transaction, branch, gid, reason, ticket];
  const told = [phase, answers === null ? null : String(answers), before, after, previous];
  return createHash('sha256')
    .update(JSON.stringify([...who, ...what, ...told].map(sorted)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value ?? null;
  const names = Object.keys(value).sort();
  return Object.fromEntries(
    names.map((name) => [name, sorted((value as Record<string, unknown>)[name])]),
  );
}

export const auditIsWhole: Checker = function* (facts) {
  yield* chainHolds(facts.audit, facts.auditHead);
  const entries = new Map<string, AuditRow[]>();
  for (const row of facts.audit) {
    const reason = row.reason ?? '';
    entries.set(reason, [...(entries.get(reason) ?? []), row]);
  }
  for (const [reason, rows] of entries) {
    const { act, acted } = facts.acts.get(reason) ?? {};
    if (!act) yield `audit ${rows[0]?.sequence ?? '?'}: not asked for (${reason})`;
    else yield* toldOnce(act, acted, rows);
  }
  for (const [name, { act, acted }] of facts.acts) {
    if (!act) yield `${name} was answered and never asked`;
    else if (!acted) yield `${name} has no answer`;
    else if (acted.told === 'done' && !entries.has(name)) {
      yield `${act.action} of ${act.transaction} (${name}) was done and is not in the audit`;
    }
    const isAbort = act?.action === 'abort' && acted?.told === 'done';
    if (isAbort && facts.decision(act.transaction)?.decision === 'commit') {
      yield `${act.transaction} was aborted by ${name}, and commit is on record`;
    }
  }
};

function* chainHolds(
  rows: readonly AuditRow[],
  head: { readonly sequence: number; readonly hash: string } | undefined,
): Iterable<string> {
  let previous = NOBODY_BEFORE;
  for (const [index, row] of rows.entries()) {
    const { sequence } = row;
    if (sequence !== index + 1) yield `audit ${index + 1} is missing: there is ${sequence}`;
    if (row.previous !== previous) yield `audit ${sequence} does not follow the one before it`;
    if (row.hash !== auditHash(row)) yield `audit ${sequence} is not what its hash was taken of`;
    previous = row.hash;
  }
  if (head && head.sequence === rows.length && head.hash === previous) return;
  if (head || rows.length > 0) yield `audit ${head?.sequence ?? '?'} is the end, says its head`;
}

/** One question, at most one answer, and none that differs from what the operator got. */
function* toldOnce(
  act: Act,
  acted: Acted | undefined,
  rows: readonly AuditRow[],
): Iterable<string> {
  const asked = rows.filter(({ phase }) => phase === 'asked');
  const answers = rows.filter(({ phase }) => phase !== 'asked');
  const [question] = asked;
  const about = `${act.action} of ${act.transaction} (${act.act})`;
  if (asked.length !== 1) yield `${about} is in the audit ${asked.length} times`;
  if (answers.length > 1) yield `${about} has ${answers.length} results in the audit`;
  for (const row of rows) {
    const isSame = row.action === act.action && row.transaction === act.transaction;
    if (!isSame) yield `${about} is in the audit as ${row.action} of ${row.transaction ?? '?'}`;
  }
  for (const { sequence, phase, answers: to } of answers) {
    if (to !== question?.sequence || sequence <= to) yield `${about} has a result before it`;
    const isOther = acted?.told !== 'unknown' && acted?.told !== phase;
    if (isOther)
      yield `${about} was answered ${acted?.told ?? 'nothing'}, and the audit says ${phase}`;
  }
  if (acted?.told === 'done' && acted.audit !== question?.sequence) {
    yield `${about} was answered as audit ${acted.audit ?? '?'}`;
  }
}
