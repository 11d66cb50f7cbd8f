/** The tables that a run prints, and that `--write` puts into docs/performance.md. */
import type { CaseResult, WayResult } from './measure.js';
import type { Counted } from './count.js';
import { WAYS, type Reference, type WayName } from './ways.js';

export function throughputHead(): string {
  return head(
    'Transaction, participants, clients',
    'Way',
    'tx/s',
    'of hand-written',
    'of without atomicity',
    'p50 ms',
    '× hand-written',
    '× without atomicity',
    'p99 ms',
    '× hand-written',
    'failed',
  );
}

export function throughputRows(result: CaseResult): string {
  const of = (way: WayResult, reference: Reference) => {
    const ratios = way.of[reference];
    return ratios
      ? {
          rate: ratios.perSecond.toFixed(2),
          p50: ratios.p50Ms.toFixed(2),
          p99: ratios.p99Ms.toFixed(2),
        }
      : { rate: '', p50: '', p99: '' };
  };
  return rows(result, (way) => {
    const [hand, apart] = [of(way, 'hand'), of(way, 'apart')];
    return [
      way.perSecond.toFixed(0),
      hand.rate,
      apart.rate,
      way.p50Ms.toFixed(1),
      hand.p50,
      apart.p50,
      way.p99Ms.toFixed(1),
      hand.p99,
      String(way.failed),
    ];
  });
}

/** Held against `Concordat, completed` of the same rounds. */
export function besideRows(result: CaseResult): string {
  return rows(result, (way) => [
    way.perSecond.toFixed(0),
    way.of.completed?.perSecond.toFixed(2) ?? '',
    way.p50Ms.toFixed(1),
    way.of.completed?.p50Ms.toFixed(2) ?? '',
    way.p99Ms.toFixed(1),
    String(way.failed),
  ]);
}

export function besideHead(): string {
  return head(
    'Transaction, participants, clients',
    'Way',
    'tx/s',
    'of completed',
    'p50 ms',
    '× completed',
    'p99 ms',
    'failed',
  );
}

export function processorHead(): string {
  return head(
    'Processor time, ms per transaction',
    'Way',
    'load',
    'coordinator or gateway',
    'participants',
    'nats',
    'Postgres',
    'all',
    'flushes',
    'messages',
  );
}

export function processorRows(result: CaseResult): string {
  return rows(result, (way) => {
    const parts = processorParts(way);
    const all = Object.values(parts).reduce((sum, one) => sum + one, 0);
    return [
      ...Object.values(parts).map((ms) => ms.toFixed(2)),
      all.toFixed(2),
      way.flushes.toFixed(2),
      way.messages.toFixed(1),
    ];
  });
}

/** Sums of a way's processes, in the order of the table. */
export function processorParts({ processorMs }: WayResult) {
  const parts = { load: 0, front: 0, participants: 0, nats: 0, postgres: 0 };
  for (const [name, ms] of Object.entries(processorMs)) {
    if (name === 'postgres') parts.postgres += ms;
    else if (name === 'nats-server') parts.nats += ms;
    else if (/^(lean client|hand-written)$/.test(name)) parts.load += ms;
    else if (/^(gateway|coordinator)/.test(name)) parts.front += ms;
    else parts.participants += ms;
  }
  return parts;
}

export function countedTable(counted: readonly Counted[]): string {
  const lines = counted.map((one) =>
    row(
      one.shape,
      WAYS[one.way].title,
      one.tripsToParticipants.toFixed(1),
      one.tripsToRegister.toFixed(1),
      one.flushes.toFixed(1),
      one.messages.toFixed(1),
      (one.messageBytes / 1_024).toFixed(1),
    ),
  );
  const columns = [
    'One transaction',
    'Way',
    'round trips to participants’ databases',
    'to the register',
    'flushes',
    'messages',
    'KiB of messages',
  ];
  return [head(...columns), ...lines].join('\n');
}

export function tableOf(columns: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head(...columns), ...lines.map((cells) => row(...cells))].join('\n');
}

function rows(result: CaseResult, cells: (way: WayResult) => string[]): string {
  const { shape, through, participants, clients } = result.case;
  const what = `${shape} (${through}), ${participants}, ${clients}`;
  return Object.entries(result.ways)
    .map(([name, way]) => row(what, WAYS[name as WayName].title, ...cells(way)))
    .join('\n');
}

function head(...cells: readonly string[]): string {
  return `${row(...cells)}\n${row(...cells.map(() => '---'))}`;
}

function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
