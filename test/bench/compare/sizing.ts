/** What docs/sizing.md calculates with, and its worked example, from what a run measured. */
import type { Counted } from './count.js';
import type { CaseResult, WayResult } from './measure.js';
import type { Report } from './report.js';
import { processorParts, tableOf } from './tables.js';

/** Of the example: transactions a second. */
const RATE = 1_000;
/** One process uses one core, and above so much of it latency grows faster than load. */
const BUSY = 0.7;

/** Undefined where two writing branches at 32 clients were not measured, or not counted. */
export function sizingOf({ cases, counted, machine: on }: Report): string | undefined {
  const way = measuredWay(cases);
  const one = counted.find(({ shape, way: name }) => shape === 'write' && name === 'completed');
  if (!way || !one) return undefined;
  return [
    `Measured at revision ${on.revision} on ${on.cores} cores of ${on.processor}: what a transaction of two writing branches takes, ` +
      `completed, 32 clients at once, and what ${thousands(RATE)} of them a second take.`,
    tableOf(['', 'each', `${thousands(RATE)} a second`], lines(way, one)),
  ].join('\n\n');
}

function lines(way: WayResult, one: Counted): string[][] {
  const { front, participants, nats, postgres } = processorParts(way);
  const cores = (ms: number) => (ms * RATE) / 1_000 / BUSY;
  const processes = (ms: number, [one, more]: readonly [string, string]) => {
    const count = Math.ceil(cores(ms));
    return `${cores(ms).toFixed(1)} cores: ${count} ${count === 1 ? one : more}`;
  };
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  return [
    ['coordinator, *c*', ms(front), processes(front, ['coordinator', 'coordinators'])],
    [
      'each of the two participants, *p*',
      ms(participants / 2),
      processes(participants / 2, ['instance of each', 'instances of each']),
    ],
    ['broker, *n*', ms(nats), `${cores(nats).toFixed(1)} cores`],
    ['Postgres, all servers, *g*', ms(postgres), `${cores(postgres).toFixed(1)} cores`],
    ['flushes, all servers', way.flushes.toFixed(2), `${thousands(way.flushes * RATE)} a second`],
    ['flushes, one transaction at a time', one.flushes.toFixed(1), ''],
    [
      'messages',
      `${one.messages.toFixed(1)}, ${kibibytes(one.messageBytes)} KiB`,
      `${thousands(one.messages * RATE)} a second, ${megabytes(one.messageBytes)} MB`,
    ],
    [
      'WAL, all servers',
      `${kibibytes(way.walBytes)} KiB`,
      `${megabytes(way.walBytes)} MB a second`,
    ],
  ];
}

function measuredWay(cases: readonly CaseResult[]): WayResult | undefined {
  return cases.find(
    ({ case: one, ways }) =>
      one.shape === 'write' &&
      one.through === 'typeorm' &&
      one.participants === 2 &&
      one.clients === 32 &&
      ways.completed,
  )?.ways.completed;
}

const kibibytes = (bytes: number): string => (bytes / 1_024).toFixed(1);
const megabytes = (bytes: number): string => ((bytes * RATE) / 1e6).toFixed(1);
const thousands = (value: number): string => Math.round(value).toLocaleString('en');
