/** What was aimed at, and what a run came to: each line from one case, by medians of the ratios per round. */
import type { CaseResult, WayResult } from './measure.js';
import { processorParts, tableOf } from './tables.js';
import type { Case } from './plan.js';
import type { WayName } from './ways.js';

interface Aim {
  readonly what: string;
  readonly case: Partial<Case>;
  readonly way: WayName;
  readonly of: (way: WayResult) => number | undefined;
  readonly least?: number;
  readonly most?: number;
}

const WRITES = { shape: 'write', through: 'typeorm', participants: 2 } as const;
const MANY = { ...WRITES, clients: 32 };
const ONE = { ...WRITES, clients: 1 };

const allMs = (way: WayResult): number =>
  Object.values(processorParts(way)).reduce((sum, one) => sum + one, 0);

const AIMS: readonly Aim[] = [
  {
    what: 'decided, throughput of hand-written, 32 clients',
    ...{ case: MANY, way: 'decided', least: 0.6 },
    of: (way) => way.of.hand?.perSecond,
  },
  {
    what: 'completed, throughput of hand-written, 32 clients',
    ...{ case: MANY, way: 'completed', least: 0.5 },
    of: (way) => way.of.hand?.perSecond,
  },
  {
    what: 'decided, throughput of without atomicity, 32 clients',
    ...{ case: MANY, way: 'decided', least: 0.7 },
    of: (way) => way.of.apart?.perSecond,
  },
  {
    what: 'completed, throughput of without atomicity, 32 clients',
    ...{ case: MANY, way: 'completed', least: 0.7 },
    of: (way) => way.of.apart?.perSecond,
  },
  {
    what: 'decided, p50 × hand-written, 1 client',
    ...{ case: ONE, way: 'decided', most: 2.5 },
    of: (way) => way.of.hand?.p50Ms,
  },
  {
    what: 'decided, p50 × without atomicity, 1 client',
    ...{ case: ONE, way: 'decided', most: 1.5 },
    of: (way) => way.of.apart?.p50Ms,
  },
  {
    what: 'decided, p99 × hand-written, 32 clients',
    ...{ case: MANY, way: 'decided', most: 2 },
    of: (way) => way.of.hand?.p99Ms,
  },
  {
    what: 'completed, p99 × hand-written, 32 clients',
    ...{ case: MANY, way: 'completed', most: 2 },
    of: (way) => way.of.hand?.p99Ms,
  },
  {
    what: 'completed, processor time of all, ms, 32 clients',
    ...{ case: MANY, way: 'completed', most: 3 },
    of: allMs,
  },
  {
    what: 'one participant, throughput of two',
    ...{ case: MANY, way: 'one-participant', least: 1.7 },
    of: (way) => way.of.completed?.perSecond,
  },
  {
    what: 'one participant in one phase, throughput of two participants',
    ...{ case: MANY, way: 'one-participant-in-one-phase', least: 1.7 },
    of: (way) => way.of.completed?.perSecond,
  },
  {
    what: 'read-only, throughput of writing',
    ...{ case: MANY, way: 'reading', least: 1.5 },
    of: (way) => way.of.completed?.perSecond,
  },
  {
    what: 'full log, throughput of an empty one',
    ...{ case: MANY, way: 'full-log', least: 0.9 },
    of: (way) => way.of.completed?.perSecond,
  },
  {
    what: 'coordinator on a core of its own, throughput of sharing them',
    ...{ case: MANY, way: 'own-core' },
    of: (way) => way.of.completed?.perSecond,
  },
  {
    what: 'two coordinators, throughput of one',
    ...{ case: MANY, way: 'two-coordinators' },
    of: (way) => way.of.completed?.perSecond,
  },
];

/** Undefined where none of them was measured. */
export function targetTable(cases: readonly CaseResult[]): string | undefined {
  const lines = AIMS.flatMap((aim) => {
    const came = valueOf(aim, cases);
    if (came === undefined || Number.isNaN(came)) return [];
    const { least, most } = aim;
    const wanted = least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : '';
    return [[aim.what, wanted, came.toFixed(2), wanted === '' ? '' : verdict(came, least, most)]];
  });
  if (lines.length === 0) return undefined;
  return tableOf(['Two participants, TypeORM', 'target', 'measured', 'met'], lines);
}

function valueOf(aim: Aim, cases: readonly CaseResult[]): number | undefined {
  const wanted = Object.entries(aim.case);
  for (const { case: one, ways } of cases) {
    const way = ways[aim.way];
    if (!way || !wanted.every(([name, value]) => one[name as keyof Case] === value)) continue;
    const value = aim.of(way);
    if (value !== undefined) return value;
  }
  return undefined;
}

function verdict(came: number, least = -Infinity, most = Infinity): string {
  if (came >= least && came <= most) return 'yes';
  const off = came < least ? 1 - came / least : came / most - 1;
  return `no: by ${(off * 100).toFixed(0)} %`;
}
