/**
 * I18: one stuck branch leaves the others as fast as they were. Guards "one dead participant delays
 * no other": the same transfers are sent twice at rest, the second time beside a commit that one
 * participant does not carry out. Coarse on purpose: others may use the machine, and one stall of it
 * delays all that is under way. So each measurement is cut into pieces, and the piece in the middle
 * counts: what waits for the stuck branch is slow in every one.
 */
import type { Facts } from './facts.js';
import type { Checker } from './verdict.js';

const TIMES_MAX = 2;
const PIECES = 5;
/** What a busy machine may add to the slowest of a few dozen. */
const BUSY_MS = 1_000;

export const stuckDelaysNobody: Checker = function* (facts) {
  const before = span(facts, 'steady', 'steady-over');
  const beside = span(facts, 'stuck', 'stuck-over');
  if (!before || !beside) {
    yield 'it was not measured what one stuck branch does to the others';
    return;
  }
  const seen = facts.polls.filter(({ t }) => t >= beside.from && t <= beside.to);
  const stuck = seen
    .map(({ prepared }) => prepared.filter(({ gid }) => facts.isOwn(gid)).map(({ gid }) => gid))
    .reduce((all, some, at) => (at === 0 ? some : all.filter((gid) => some.includes(gid))), []);
  if (stuck.length === 0) {
    yield 'no branch was stuck from the first to the last look while others were measured';
    return;
  }
  const [usual, now] = [p99(facts, before), p99(facts, beside)];
  if (Number.isNaN(usual) || Number.isNaN(now)) {
    yield 'nothing was measured beside the stuck branch, or before it';
  } else if (now > TIMES_MAX * usual + BUSY_MS) {
    const [gid = ''] = stuck;
    yield `while ${gid} was stuck, p99 of the others was ${Math.round(now)} ms, and ${Math.round(usual)} ms before`;
  }
};

interface Span {
  readonly from: number;
  readonly to: number;
}

function span(facts: Facts, begin: string, end: string): Span | undefined {
  const from = facts.phases.find(({ phase }) => phase === begin)?.t;
  const to = facts.phases.find(({ phase }) => phase === end)?.t;
  return from === undefined || to === undefined ? undefined : { from, to };
}

/** Of the transfers begun in the span, the p99 of the piece in the middle; no answer is the slowest. */
function p99(facts: Facts, { from, to }: Span): number {
  const tookMs = [...facts.attempts.values()]
    .filter(({ invoke }) => invoke.op === 'transfer' && invoke.t >= from && invoke.t <= to)
    .sort((a, b) => a.invoke.t - b.invoke.t)
    .map(({ invoke, answers }) =>
      answers[0]?.type === 'ok' ? answers[0].t - invoke.t : Number.POSITIVE_INFINITY,
    );
  const size = Math.max(1, Math.ceil(tookMs.length / PIECES));
  const pieces = Array.from({ length: Math.ceil(tookMs.length / size) }, (_, at) =>
    quantile(tookMs.slice(at * size, (at + 1) * size), 0.99),
  );
  return quantile(pieces, 0.5);
}

function quantile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(values.length * part) - 1] ?? NaN;
}
