/** The page of cases, docs/faults.md: a row for each, made of the tables that the tests run. */
import { basename } from 'node:path';
import { SCENARIOS, testsOfScenarios, type ScenarioTest } from '../faults/scenarios.js';
import { isLink, type Case, type Fault } from './case.js';
import { PROMISES } from './promises.js';
import { SHAPES } from './shapes.js';

const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;

function whereAndWhat(fault: Fault): string {
  if (!isLink(fault)) return `${fault.at} at \`${fault.point}\`: ${fault.does}`;
  const does = typeof fault.does === 'string' ? fault.does : Object.entries(fault.does).join(' ');
  return `${fault.on}, ${fault.link}, ${fault.what}: ${does}`;
}

const HEARS: Readonly<Record<Case['hears'], string>> = {
  commit: 'a commit',
  abort: 'an abort',
  nothing: 'nothing',
  truth: 'anything that is true',
};

const ENDS: Readonly<Record<Case['ends'], string>> = {
  commit: 'committed',
  abort: 'aborted',
  either: 'either',
  heuristic: 'reported as heuristic',
};

/** What was done to it: faults, and the steps before and after. */
function story({ faults, first = [], then = [], sends }: Case): string[] {
  const sent = sends === 'transfer' ? [] : [SHAPES[sends].about];
  const hits = [...first.map(({ says }) => says), ...faults.map(whereAndWhat)];
  return [[...sent, ...hits].join('; '), then.map(({ says }) => says).join('; ')];
}

function rowOf({ suite, title, row }: ScenarioTest): string[] {
  const link = `[${basename(suite)}](../${suite}) ${title}`;
  if (!row) return [link, '', '', '', ''];
  return [link, ...story(row), HEARS[row.hears], ENDS[row.ends]];
}

const HEADS = ['#', 'Test', 'Where, and what', 'Then', 'Its client hears', 'It ends'];

/** The whole page. */
export function faultsPage(made: string): string {
  const tests = testsOfScenarios();
  const rowsOf = (scenario: string): string[] =>
    tests.filter((one) => one.scenario === scenario).map((one) => line([scenario, ...rowOf(one)]));
  const numbered = Object.entries(SCENARIOS).flatMap(([scenario, title]) => [
    line([scenario, `**${title}**`, '', '', '', '']),
    ...rowsOf(scenario),
  ]);
  const head = [line(HEADS), line(HEADS.map(() => '---'))];
  return `# Named faults

${made}

Things that go wrong in production, each brought about on purpose, on real processes, Postgres and NATS, at one crash point,
one frame of one link, one process or one server. A case is one row: its faults are put in place, a transfer between two
participants is sent (or what the row says), every fault has to happen, then the row's steps are taken, and the rest is
repaired. One runner does so for these and for the [crash matrix](crash-matrix.md). A test of which nothing else is said here has
a body of its own, for its subject is not one transaction. \`*.nightly.ts\` run in \`npm run test:nightly -- test/faults\`, the others in \`npm test\`.

${PROMISES}

A branch that was changed manually, or lost with its disk, is the exception: it is reported as *heuristic*, never as plain.

## By scenario

${[...head, ...numbered].join('\n')}

## Others

${[...head, ...rowsOf('')].join('\n')}

How the faults are injected, and what is not: [test/faults](../test/faults/README.md).
`;
}
