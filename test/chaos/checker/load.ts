/**
 * I18: one stuck branch leaves the others as fast as they were. Guards "one dead participant delays
 * no other": the same transfers are sent twice at rest, the second time beside a commit that one
 * participant does not carry out. Coarse on purpose: others may use the machine, and whatever waits
 * for what is stuck waits for seconds.
 */
import type { Facts } from './facts.js';
import type { Checker } from './verdict.js';

const TIMES_MAX = 2;
/** What a busy machine may add to the slowest of a few hundred. */
const BUSY_MS = 1_000;

export const stuckDelaysNobody: Checker = function* (facts) {
  const before = span(facts, 'steady', 'steady-over');
  const beside = span(facts, 'stuck', 'stuck-over');
  if (!before || !beside) {
    yield 'nobody measured what one stuck branch does to the others';
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
  if (usual === undefined || now === undefined) {
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

/** Of the transfers begun in the span; one without an answer counts as the slowest. */
function p99(facts: Facts, { from, to }: Span): number | undefined {
  const tookMs = [...facts.attempts.values()]
    .filter(({ invoke }) => invoke.op === 'transfer' && invoke.t >= from && invoke.t <= to)
    .map(({ invoke, answers }) =>
      answers[0]?.type === 'ok' ? answers[0].t - invoke.t : Number.POSITIVE_INFINITY,
    )
    .sort((a, b) => a - b);
  return tookMs[Math.ceil(tookMs.length * 0.99) - 1];
}
