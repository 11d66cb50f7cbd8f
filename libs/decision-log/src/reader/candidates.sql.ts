/**
 * Where the transactions of a list come from: one or more ordered streams of transaction ids, each
 * read from one end of an index and cut off after a page, merged by the reader. No stream sorts, and
 * none scans a table, so a page costs the same with ten million rows as with ten.
 *
 * The register is the truth about decisions, the journal is the only one that knows what was never
 * decided, who asked and why. So a status is looked up where it is known: `committing` in the few
 * unended commits, heuristics in their own small table, everything final in both.
 */
import type { TransactionStatus } from '@concordat/engine';
import type { TransactionFilter } from './list-filter.js';

export interface CandidateQuery {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface Bounds {
  /** Only transactions below: the keyset. */
  readonly before: string;
  readonly limit: number;
  /** Of the stuck: only those made before. */
  readonly stuckBefore: string;
  readonly stuckAfterMs: number;
}

const UNENDED = `d.decision = 'commit' AND d.ended_at IS NULL`;
const NOT_DECIDED = `NOT EXISTS (
  SELECT FROM concordat.decision d WHERE d.transaction = j.transaction)`;

export function candidateQueries(filter: TransactionFilter, bounds: Bounds): CandidateQuery[] {
  const streams = filter.stuck ? stuckStreams(filter, bounds) : streamsOf(filter.status, filter);
  return streams.map((stream) => stream(filter, bounds));
}

type Stream = (filter: TransactionFilter, bounds: Bounds) => CandidateQuery;

function streamsOf(status: TransactionStatus | undefined, filter: TransactionFilter): Stream[] {
  // Who asked, and for what, stands in the journal only; so only it can list by that.
  const byStory = hasStory(filter);
  switch (status) {
    case undefined:
      return byStory ? [journal([])] : [journal([]), register([]), heuristics([])];
    case 'active':
    case 'preparing':
    case 'deciding':
    case 'aborting':
      return [journal([`j.status = '${status}'`, NOT_DECIDED])];
    case 'committing':
      return [register([UNENDED])];
    case 'committed': {
      const ended = `d.decision = 'commit' AND d.ended_at IS NOT NULL`;
      const lagging = journal(['j.ended_at IS NULL', decidedAs(ended)]);
      return [journal([`j.status = 'committed'`]), byStory ? lagging : register([ended])];
    }
    case 'aborted': {
      const aborted = `d.decision = 'abort'`;
      const lagging = journal(['j.ended_at IS NULL', decidedAs(aborted)]);
      return [journal([`j.status = 'aborted'`]), byStory ? lagging : register([aborted])];
    }
    case 'heuristic-mixed':
    case 'heuristic-hazard':
      return [heuristics([])];
  }
}

function stuckStreams(filter: TransactionFilter, bounds: Bounds): Stream[] {
  const streams: Stream[] = [];
  const { status } = filter;
  const wanted = (...statuses: TransactionStatus[]) => !status || statuses.includes(status);
  if (wanted('committing')) {
    streams.push(register([UNENDED, `d.transaction < '${bounds.stuckBefore}'`]));
  }
  if (wanted('active', 'preparing', 'deciding')) {
    streams.push(
      journal([
        'j.ended_at IS NULL',
        status ? `j.status = '${status}'` : `j.status IN ('active', 'preparing', 'deciding')`,
        `j.transaction < '${bounds.stuckBefore}'`,
        `j.begun_at + j.timeout_ms * interval '1 ms'
           < now() - ${Math.round(bounds.stuckAfterMs)} * interval '1 ms'`,
        NOT_DECIDED,
      ]),
    );
  }
  if (wanted('heuristic-mixed', 'heuristic-hazard')) {
    streams.push(heuristics(['h.resolved_at IS NULL']));
  }
  return streams;
}

function journal(conditions: string[]): Stream {
  return (filter, { before, limit }) => {
    const values: unknown[] = [before, limit];
    const where = [...conditions, ...storyOf(filter, values)];
    if (!filter.participant) {
      return {
        text: page('concordat.journal j', 'j.transaction', where),
        values,
      };
    }
    values.push(filter.participant);
    const from = `concordat.journal_participant p
      JOIN concordat.journal j ON j.transaction = p.transaction`;
    // The bound on both sides: a planner that merges the two does not carry it over by itself.
    const mine = `p.participant = $${values.length} AND j.transaction < $1`;
    return { text: page(from, 'p.transaction', [mine, ...where]), values };
  };
}

function register(conditions: string[]): Stream {
  return (filter, { before, limit }) => {
    const values: unknown[] = [before, limit];
    const where = [...conditions, ...toldBy('d', filter, values)];
    return { text: page('concordat.decision d', 'd.transaction', where), values };
  };
}

function heuristics(conditions: string[]): Stream {
  return (filter, { before, limit }) => {
    const values: unknown[] = [before, limit];
    const where = [...conditions, ...toldBy('h', filter, values)];
    return { text: page('concordat.heuristic h', 'DISTINCT h.transaction', where), values };
  };
}

function page(from: string, id: string, where: readonly string[]): string {
  const column = id.replace('DISTINCT ', '');
  return `SELECT ${id} AS transaction FROM ${from}
    WHERE ${[`${column} < $1`, ...where].join('\n AND ')}
    ORDER BY ${column} DESC LIMIT $2`;
}

function decidedAs(condition: string): string {
  return `EXISTS (SELECT FROM concordat.decision d
    WHERE d.transaction = j.transaction AND ${condition})`;
}

function hasStory(filter: TransactionFilter): boolean {
  return [filter.participant, filter.label, filter.principal].some((one) => one !== undefined);
}

/** Conditions on the journal's own columns; adds their values. */
function storyOf(filter: TransactionFilter, values: unknown[]): string[] {
  const conditions: string[] = [];
  if (filter.label !== undefined) {
    values.push(filter.label);
    conditions.push(`j.label = $${values.length}`);
  }
  if (filter.principal !== undefined) {
    values.push(filter.principal);
    conditions.push(`j.principal = $${values.length}`);
  }
  return conditions;
}

/** The same conditions for a row of the register, which has to ask the journal. */
function toldBy(row: 'd' | 'h', filter: TransactionFilter, values: unknown[]): string[] {
  const conditions: string[] = [];
  const story = storyOf(filter, values);
  if (story.length > 0) {
    conditions.push(`EXISTS (SELECT FROM concordat.journal j
      WHERE j.transaction = ${row}.transaction AND ${story.join(' AND ')})`);
  }
  if (filter.participant) {
    values.push(filter.participant);
    conditions.push(`EXISTS (SELECT FROM concordat.journal_participant p
      WHERE p.participant = $${values.length} AND p.transaction = ${row}.transaction)`);
  }
  return conditions;
}
