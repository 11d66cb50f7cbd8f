/**
 * Lists stay fast however many transactions there are: every stream of every filter reads an index
 * from one end and stops after a page. Shown on 200,000 transactions by what the plans are and by
 * how few rows they touch, which does not grow with the table. Conditions that hardly ever meet are
 * searched for window by window; what a window costs is what is in it. (How long it all takes with ten
 * million is measured by `npm run bench -- lists`.)
 */
import type { TransactionStatus } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import type pg from 'pg';
import { DecisionLogStage } from '../../../../test/conformance/decision-log-stage.js';
import { PREPARE_READING_SESSION } from '../session.sql.js';
import { CLAIM_UNFINISHED, OLDEST_UNFINISHED } from '../register/decision.sql.js';
import { SPAN } from '../history/history.sql.js';
import { candidateQueries, countQuery } from './candidates.sql.js';
import type { TransactionFilter, View } from './list-filter.js';
import { mayHardlyMeet } from './search.js';
import { READ_RECORDS, READ_SUMMARIES } from './transaction.sql.js';

const ROWS = 200_000;
const PAGE = 51;
/** Rows that the streams of one page may touch, lookups included; more where conditions combine. */
const TOUCHED_MAX = 6 * PAGE;
const TOUCHED_COMBINED_MAX = 60 * PAGE;
const END = '~';
/** Half-way down the list. */
const MIDDLE = idOf(ROWS / 2);

const PLACES = [
  { above: '', below: END },
  { above: '', below: MIDDLE },
  { above: '', below: END, oldestFirst: true },
  { above: MIDDLE, below: END, oldestFirst: true },
];

/** One a millisecond. */
function idOf(n: number): string {
  return `${String(n).padStart(10, '0').padEnd(26, '0')}-aaaaaaaa`;
}

let stage: DecisionLogStage;
let dba: pg.Client;

// One in a thousand is open, four in a hundred aborted, everything else committed. "rare" values
// belong to ten transactions each, "old" ones to the oldest only: a scan by time finds them last.
const LOAD = [
  `CREATE TEMP TABLE made AS
   SELECT n, rpad(lpad(n::text, 10, '0'), 26, '0') || '-aaaaaaaa' AS transaction,
          CASE WHEN n % 1000 = 0 THEN (ARRAY['active', 'preparing', 'deciding', 'aborting',
                                             'committing'])[1 + n / 1000 % 5]
               WHEN n % 25 = 0 THEN 'aborted' ELSE 'committed' END AS status,
          CASE WHEN n % 20000 = 7 THEN 'rare' WHEN n <= 500 THEN 'old'
               ELSE 'label-' || n % 5 END AS label,
          CASE WHEN n % 20000 = 8 THEN 'rare' WHEN n <= 500 THEN 'old'
               ELSE 'teller-' || n % 3 END AS principal,
          CASE WHEN n % 20000 = 9 THEN 'ledger-east,rare'
               WHEN n <= 500 THEN 'ledger-east,old'
               ELSE 'ledger-east,ledger-west' END AS participants
     FROM generate_series(1, ${ROWS}) n`,
  `INSERT INTO concordat.journal (transaction, principal, label, status, participants, unregistered,
     timeout_ms, begun_at, ended_at, branches, timeline, version)
   SELECT transaction, principal, label, status, participants,
          status NOT IN ('committed', 'committing'), 10000, now() - interval '1 day', CASE WHEN n % 1000 > 0 THEN now() END, '[]', '[]', 1
     FROM made`,
  `INSERT INTO concordat.journal_participant (participant, span)
   SELECT DISTINCT string_to_table(participants, ','), left(transaction, ${SPAN}) FROM made`,
  `INSERT INTO concordat.decision (transaction, decision, finisher, branches, principal, ended_at,
     outcome)
   SELECT transaction, CASE WHEN n % 400 = 25 THEN 'abort' ELSE 'commit' END, 'aaaaaaaa', '[]',
          principal,
          CASE WHEN status = 'committing' THEN NULL ELSE now() END,
          CASE WHEN n % 400 = 25 THEN 'aborted' WHEN status <> 'committing' THEN 'committed' END
     FROM made WHERE status IN ('committed', 'committing') OR n % 400 = 25`,
  `INSERT INTO concordat.heuristic (transaction, branch, participant, decision, evidence)
   SELECT transaction, '1', 'ledger-east', 'commit', '{}' FROM made WHERE n % 4000 = 1`,
  'ANALYZE concordat.journal, concordat.journal_participant, concordat.decision, concordat.heuristic',
];

beforeAll(async () => {
  stage = await DecisionLogStage.open({ settings: { max_wal_size: '4GB' } });
  const url = await stage.database();
  await stage.shut(await stage.log(url));
  dba = await stage.dba(url);
  for (const statement of LOAD) await dba.query(statement);
  await dba.query(PREPARE_READING_SESSION);
}, 120_000);

afterAll(() => stage.close());

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly Node[];
}

async function explain(text: string, values: readonly unknown[]): Promise<Node[]> {
  const { rows } = await dba.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
    [...values],
  );
  const flat = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flat)];
  return flat((rows[0] as { 'QUERY PLAN': [{ Plan: Node }] })['QUERY PLAN'][0].Plan);
}

function touched(nodes: readonly Node[]): number {
  return nodes
    .filter((node) => /Scan/.test(node['Node Type']))
    .map((node) => {
      const removed =
        (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
      return (node['Actual Rows'] + removed) * node['Actual Loops'];
    })
    .reduce((sum, one) => sum + one, 0);
}

/**
 * Nodes that read a large table whole, or gather rows before they can put them into order. An incremental sort
 * gathers those of one span only.
 */
function costly(nodes: readonly Node[]): string[] {
  const large = /^(journal|journal_participant|decision)$/;
  return nodes
    .filter(
      (node) =>
        (node['Node Type'] === 'Seq Scan' && large.test(node['Relation Name'] ?? '')) ||
        /Bitmap|Hash|^Sort/.test(node['Node Type']),
    )
    .map((node) => `${node['Node Type']} ${node['Relation Name'] ?? ''}`);
}

const east = 'ledger-east' as ParticipantName;
const rare = 'rare' as ParticipantName;
const old = 'old' as ParticipantName;
const statuses: TransactionStatus[] = [
  ...(['active', 'preparing', 'deciding', 'aborting', 'committing'] as const),
  ...(['committed', 'aborted', 'heuristic-mixed', 'heuristic-hazard'] as const),
];
const views: View[] = ['stuck', 'in-doubt', 'deciding', 'heuristic', 'recent-aborts', 'all'];
const filters: TransactionFilter[] = [
  {},
  { olderThanMs: 3_600_000 },
  { stuck: true },
  { stuck: true, status: 'committing' },
  { stuck: true, label: 'label-1' },
  ...views.map((view) => ({ view })),
  { view: 'stuck', participant: 'ledger-east' as ParticipantName },
  { view: 'in-doubt', status: 'committing' },
  { view: 'recent-aborts', label: 'label-0' },
  { idBegins: MIDDLE.slice(0, 26) },
  ...statuses.map((status) => ({ status })),
  ...[east, rare, old].map((participant) => ({ participant })),
  ...['label-1', 'rare', 'old', 'none'].map((label) => ({ label })),
  ...['teller-1', 'rare', 'old', 'none'].map((principal) => ({ principal })),
  { participant: east, status: 'aborted' },
  { participant: east, status: 'committing' },
  { participant: east, label: 'label-1' },
  { label: 'label-1', principal: 'teller-1', status: 'committed' },
];

describe(`a page out of ${ROWS} transactions`, () => {
  it.each(filters.map((filter) => [JSON.stringify(filter), filter] as const))(
    'of %s is read off indexes, at the beginning and half-way down',
    async (_, filter) => {
      for (const place of PLACES) {
        let sum = 0;
        const bounds = { ...place, limit: PAGE, stuckBefore: END, stuckAfterMs: 10_000 };
        for (const { text, values } of candidateQueries(filter, bounds)) {
          const nodes = await explain(text, values);
          expect(costly(nodes)).toEqual([]);
          sum += touched(nodes);
        }
        // A view is several streams; from the old end, what is common may begin late.
        const isPlain = Object.keys(filter).length <= 1 && !filter.stuck && !filter.view;
        const isSimple = isPlain && !('oldestFirst' in place);
        expect(sum).toBeLessThanOrEqual(isSimple ? TOUCHED_MAX : TOUCHED_COMBINED_MAX);
      }
    },
  );

  it.each([
    [{ label: 'label-1', status: 'aborted' } as const],
    [{ label: 'label-1', view: 'recent-aborts' } as const],
    [{ label: 'old', principal: 'teller-1' }],
    [{ participant: east, label: 'none' }],
  ])('of %j, which never meet, costs what is in the window that is searched', async (filter) => {
    expect(mayHardlyMeet(filter)).toBe(true);
    const inWindow = 1_000;
    const window = { above: idOf(ROWS / 2), below: idOf(ROWS / 2 + inWindow + 1) };
    const bounds = { ...window, limit: PAGE, stuckBefore: END, stuckAfterMs: 10_000 };
    let sum = 0;
    for (const { text, values } of candidateQueries(filter, bounds)) {
      const nodes = await explain(text, values);
      expect(costly(nodes)).toEqual([]);
      sum += touched(nodes);
    }
    expect(sum).toBeLessThanOrEqual(2 * inWindow);
  });

  it.each(views.map((view) => [view]))('of %s is counted up to a bound only', async (view) => {
    const bounds = { above: '', below: END, limit: 1_001, stuckBefore: END, stuckAfterMs: 10_000 };
    const { text, values } = countQuery({ view }, bounds);
    const nodes = await explain(text, values);
    const streams = candidateQueries({ view }, bounds).length;
    // Every entry of a stream may be looked up once more, in the register.
    expect(touched(nodes)).toBeLessThanOrEqual(streams * 3 * 1_001);
    expect(costly(nodes).filter((node) => /Scan/.test(node))).toEqual([]);
  });

  it.each([
    ['with their stories', READ_RECORDS],
    ['without', READ_SUMMARIES],
  ])('is looked up by id, %s', async (_, text) => {
    const ids = Array.from({ length: PAGE }, (__, at) => idOf(at));
    const nodes = await explain(text, [ids]);
    // The evidence of one transaction is put into order; nothing else is.
    expect(costly(nodes).filter((node) => node !== 'Sort ')).toEqual([]);
    expect(touched(nodes)).toBeLessThanOrEqual(TOUCHED_MAX);
  });

  it('costs as little for recovery and for the low-water mark', async () => {
    await dba.query('RESET ALL');
    await dba.query('BEGIN');
    const oldest = await explain(OLDEST_UNFINISHED, []);
    const claimed = await explain(CLAIM_UNFINISHED, ['aaaaaaaa', 'bbbbbbbb', 10]);
    await dba.query('ROLLBACK');
    const nodes = [...oldest, ...claimed];
    expect(costly(nodes).filter((node) => node !== 'Sort ')).toEqual([]);
    expect(touched(nodes)).toBeLessThanOrEqual(TOUCHED_COMBINED_MAX);
    expect(nodes.map((node) => node['Index Name'])).toContain('decision_unfinished');
  });
});
