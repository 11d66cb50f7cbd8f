/**
 * Where the transactions of a list come from: one or more ordered streams of transaction ids, each
 * read from one end of an index and cut off after a page, merged by the reader. No stream sorts, and
 * none scans a table, so a page costs the same with ten million rows as with ten.
 *
 * The register is the truth about decisions, the history is the only one that knows what was never
 * decided, who asked and why. So a status is looked up where it is known: `committing` in the few
 * unended commits, heuristics in their own small table, everything final in both.
 */
import type { TransactionStatus } from '@concordat/engine';
import { SPAN } from '../history/history.sql.js';
import type { TransactionFilter, View } from './list-filter.js';

export interface CandidateQuery {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface Bounds {
  /** Only transactions above and below: the keyset, an age, the beginning of an id. */
  readonly above: string;
  readonly below: string;
  readonly limit: number;
  readonly oldestFirst?: boolean;
  /** Of the stuck: only those made before. */
  readonly stuckBefore: string;
  readonly stuckAfterMs: number;
}

const UNENDED = `d.decision = 'commit' AND d.ended_at IS NULL`;
const COMMITTED = `j.status = 'committed'`;
const UNRESOLVED = 'h.resolved_at IS NULL';
const NOT_DECIDED = `NOT EXISTS (
  SELECT FROM concordat.decision d WHERE d.transaction = j.transaction)`;

export function candidateQueries(filter: TransactionFilter, bounds: Bounds): CandidateQuery[] {
  return streamsOf(filter, bounds).map((stream) => {
    const values = firstValues(bounds);
    return { text: stream(filter, bounds, values), values };
  });
}

/** How many there are, at most `limit` of them looked at. */
export function countQuery(filter: TransactionFilter, bounds: Bounds): CandidateQuery {
  const values = firstValues(bounds);
  const streams = streamsOf(filter, bounds).map((stream) => `(${stream(filter, bounds, values)})`);
  const text = `SELECT count(*)::int AS count FROM (
    SELECT transaction FROM (${streams.join(' UNION ALL ')}) AS every
     GROUP BY transaction LIMIT $3) AS counted`;
  return { text, values };
}

function firstValues({ above, below, limit }: Bounds): unknown[] {
  return [above, below, limit];
}

/** Adds its values and returns its statement; $1, $2 and $3 are the bounds. */
type Stream = (filter: TransactionFilter, bounds: Bounds, values: unknown[]) => string;

function streamsOf(filter: TransactionFilter, bounds: Bounds): Stream[] {
  const { status, stuck, view = stuck ? 'stuck' : 'all' } = filter;
  const byStory = hasStory(filter);
  const isOfOne = filter.principal !== undefined;
  return view === 'all'
    ? byStatus(status, byStory, isOfOne)
    : byView(view, { status, byStory }, bounds);
}

function byStatus(
  status: TransactionStatus | undefined,
  byStory: boolean,
  isOfOne = false,
): Stream[] {
  // The label and the participants are in the history only; so only it can list by them.
  // The principal is in the register too, also where the history's row was lost with its owner.
  switch (status) {
    case undefined:
      if (byStory) return [history([])];
      // Evidence is recorded with a decision that says whose it is; else the history does.
      return [history([]), register([]), ...(isOfOne ? [] : [heuristics([])])];
    case 'active':
    case 'preparing':
    case 'deciding':
    case 'aborting':
      return [undecided(status)];
    case 'committing':
      return [register([UNENDED])];
    case 'committed': {
      const ended = `d.decision = 'commit' AND d.ended_at IS NOT NULL`;
      const lagging = history(['j.ended_at IS NULL', decidedAs(ended)]);
      return [history([COMMITTED]), byStory ? lagging : register([ended])];
    }
    case 'aborted': {
      const aborted = `d.decision = 'abort'`;
      const lagging = history(['j.ended_at IS NULL', decidedAs(aborted)]);
      return [history([`j.status = 'aborted'`]), byStory ? lagging : register([aborted])];
    }
    case 'heuristic-mixed':
    case 'heuristic-hazard':
      return [heuristics([])];
  }
}

/** A view is a union of statuses, some with further conditions; a status given as well narrows it. */
function byView(
  view: Exclude<View, 'all'>,
  { status, byStory }: { readonly status?: TransactionStatus; readonly byStory: boolean },
  bounds: Bounds,
): Stream[] {
  const wanted = (...statuses: TransactionStatus[]) => !status || statuses.includes(status);
  const only = (statuses: readonly TransactionStatus[], ...conditions: string[]) =>
    statuses.filter((one) => wanted(one)).map((one) => undecided(one, ...conditions));
  const unended = (...conditions: string[]) =>
    wanted('committing') ? [register([UNENDED, ...conditions])] : [];
  const unresolved = wanted('heuristic-mixed', 'heuristic-hazard')
    ? [heuristics([UNRESOLVED])]
    : [];
  switch (view) {
    case 'stuck':
      return [
        ...unended(`d.transaction < '${bounds.stuckBefore}'`),
        ...only(['active', 'preparing', 'deciding'], ...overdue(bounds)),
        ...unresolved,
      ];
    case 'in-doubt':
      return [...unended(), ...only(['preparing', 'deciding', 'aborting'])];
    case 'deciding':
      return only(['active', 'preparing', 'deciding']);
    case 'heuristic':
      return unresolved;
    case 'recent-aborts':
      return wanted('aborted') ? byStatus('aborted', byStory) : [];
  }
}

/** Past their time-out, and for longer than makes one wait. */
function overdue({ stuckBefore, stuckAfterMs }: Bounds): string[] {
  return [
    'j.ended_at IS NULL',
    `j.transaction < '${stuckBefore}'`,
    `j.begun_at + j.timeout_ms * interval '1 ms'
       < now() - ${Math.round(stuckAfterMs)} * interval '1 ms'`,
  ];
}

/** Last noted under this status, and no decision is on record. */
function undecided(status: TransactionStatus, ...conditions: string[]): Stream {
  return history([`j.status = '${status}'`, ...conditions, NOT_DECIDED]);
}

function history(conditions: string[]): Stream {
  return (filter, bounds, values) => {
    const where = [...conditions, ...storyOf(filter, values)];
    // Whose a commit is that wrote, the register says, and only it has an index of that.
    if (filter.principal !== undefined && !hasStory(filter)) where.push('j.unregistered');
    const own = (conditions: readonly string[]) =>
      page('concordat.journal j', 'j.transaction', conditions, bounds);
    if (!filter.participant) return own(where);
    values.push(filter.participant);
    const name = `$${values.length}`;
    // Few are anything but committed: those are read off an index of their own.
    const isOfFew = conditions.some((one) => one !== COMMITTED);
    return isOfFew ? own([tookPart('j', name), ...where]) : ofParticipant(name, where, bounds);
  };
}

/** Span by span, and within each by the history's key: spans follow one another as their ids do. */
function ofParticipant(name: string, where: readonly string[], bounds: Bounds): string {
  const mine = `j.transaction >= p.span AND j.transaction < p.span || '~' AND ${tookPart('j', name)}`;
  const order = bounds.oldestFirst ? 'ASC' : 'DESC';
  return `SELECT found.transaction FROM concordat.journal_participant p
    CROSS JOIN LATERAL (${page('concordat.journal j', 'j.transaction', [mine, ...where], bounds)}) found
    WHERE p.participant = ${name} AND p.span >= left($1, ${SPAN}) AND p.span < $2
    ORDER BY p.span ${order}, found.transaction ${order} LIMIT $3`;
}

function tookPart(row: string, name: string): string {
  return `${name} = ANY (string_to_array(${row}.participants, ','))`;
}

function register(conditions: string[]): Stream {
  return (filter, bounds, values) => {
    const where = [...conditions, ...toldBy('d', filter, values)];
    return page('concordat.decision d', 'd.transaction', where, bounds);
  };
}

function heuristics(conditions: string[]): Stream {
  return (filter, bounds, values) => {
    const where = [...conditions, ...toldBy('h', filter, values)];
    return page('concordat.heuristic h', 'DISTINCT h.transaction', where, bounds);
  };
}

function page(from: string, id: string, where: readonly string[], { oldestFirst }: Bounds): string {
  const column = id.replace('DISTINCT ', '');
  return `SELECT ${id} AS transaction FROM ${from}
    WHERE ${[`${column} > $1`, `${column} < $2`, ...where].join('\n AND ')}
    ORDER BY ${column} ${oldestFirst ? 'ASC' : 'DESC'} LIMIT $3`;
}

function decidedAs(condition: string): string {
  return `EXISTS (SELECT FROM concordat.decision d
    WHERE d.transaction = j.transaction AND ${condition})`;
}

function hasStory(filter: TransactionFilter): boolean {
  return [filter.participant, filter.label].some((one) => one !== undefined);
}

/** Conditions on the history's own columns; adds their values. */
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

/** The same conditions for a row of the register, which has to ask the history for most. */
function toldBy(row: 'd' | 'h', filter: TransactionFilter, values: unknown[]): string[] {
  const conditions: string[] = [];
  const { principal, ...told } = filter;
  if (principal !== undefined) {
    values.push(principal);
    const theirs = `d.principal = $${values.length}`;
    // Of what its participant has forgotten, no decision is on record.
    const ofEvidence = `(EXISTS (SELECT FROM concordat.decision d
        WHERE d.transaction = h.transaction AND ${theirs})
      OR EXISTS (SELECT FROM concordat.journal j
        WHERE j.transaction = h.transaction AND j.unregistered AND j.principal = $${values.length}))`;
    conditions.push(row === 'd' ? theirs : ofEvidence);
  }
  const story = storyOf(told, values);
  if (story.length > 0) {
    conditions.push(`EXISTS (SELECT FROM concordat.journal j
      WHERE j.transaction = ${row}.transaction AND ${story.join(' AND ')})`);
  }
  if (filter.participant) {
    values.push(filter.participant);
    conditions.push(`EXISTS (SELECT FROM concordat.journal j
      WHERE j.transaction = ${row}.transaction AND ${tookPart('j', `$${values.length}`)})`);
  }
  return conditions;
}
