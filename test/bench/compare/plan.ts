/** Which cases are measured: by default all that the page shows, with flags every combination named. */
import { CLIENTS_MAX, SHAPES, THROUGH, type Shape, type Through } from './shapes.js';
import { WAY_NAMES, type WayName } from './ways.js';

export interface Case {
  readonly shape: Shape;
  readonly through: Through;
  readonly participants: number;
  readonly clients: number;
  readonly ways: readonly WayName[];
}

export interface Plan {
  /** Cases whose servers and services are the same ones. */
  readonly stages: readonly (readonly Case[])[];
  /** All of them. */
  readonly cases: readonly Case[];
  readonly rounds: number;
  readonly durationMs: number;
  /** How long each turn runs before it counts. */
  readonly leadMs: number;
  /** How long each way of a stage is played before its first case. */
  readonly warmMs: number;
  /** Shapes whose round trips, flushes and messages are counted one transaction at a time. */
  readonly counted: readonly Shape[];
  /** Finished transactions that the log of `full-log` holds before. */
  readonly logRows: number;
  /** Where its Postgres keeps its data for the next run; a folder that is filled already is used as it is. */
  readonly logData?: string;
}

/** As they come from the command line. */
export interface PlanFlags {
  readonly quick: boolean;
  readonly clients?: string | undefined;
  readonly participants?: string | undefined;
  readonly shapes?: string | undefined;
  readonly through?: string | undefined;
  readonly ways?: string | undefined;
  readonly rounds?: string | undefined;
  readonly seconds?: string | undefined;
  readonly log?: string | undefined;
  readonly data?: string | undefined;
}

const BASE: Case = {
  shape: 'write',
  through: 'typeorm',
  participants: 2,
  clients: 32,
  ways: ['hand', 'apart', 'decided', 'completed'],
};

function both(change: Partial<Case>): Case[] {
  return [1, 32].map((clients) => ({ ...BASE, ...change, clients }));
}

/** By what has to run for them: a stage at a time, so that what others need does not run beside it. */
const FULL: readonly (readonly Case[])[] = [
  [
    ...[1, 8, 32, 128].map((clients) => ({ ...BASE, clients })),
    ...both({ participants: 1 }),
    ...(['read-only', 'refused', 'interactive'] as const).flatMap((shape) => both({ shape })),
    { ...BASE, ways: ['apart', 'autocommit'] },
  ],
  [
    {
      ...BASE,
      ways: ['completed', 'one-participant', 'one-participant-in-one-phase', 'reading'],
    },
    ...both({ participants: 1, ways: ['hand', 'completed', 'one-phase'] }),
  ],
  [{ ...BASE, ways: ['completed', 'own-core', 'two-coordinators'] }],
  both({ through: 'pg' }),
  both({ participants: 4 }),
  both({ participants: 8 }),
];

const ROUNDS = 7;
const SECONDS = 1.5;
const LEAD_MS_MAX = 500;
const WARM_MS_MAX = 3_000;
const QUICK_ROUNDS = 3;
const QUICK_SECONDS = 1.5;
const LOG_ROWS = 10_000_000;

/** Throws a RangeError that names the flag for a value that is none. */
export function planOf(flags: PlanFlags): Plan {
  const named = [flags.clients, flags.participants, flags.shapes, flags.through, flags.ways];
  const quick = [1, 2].flatMap((participants) => both({ participants }));
  const stages = named.some((one) => one !== undefined)
    ? [combined(BASE, flags)]
    : flags.quick
      ? [quick]
      : FULL;
  const seconds = decimal('--seconds', flags.seconds, flags.quick ? QUICK_SECONDS : SECONDS);
  const durationMs = seconds * 1_000;
  const cases = stages.flat();
  return {
    stages,
    cases,
    rounds: whole('--rounds', flags.rounds ?? String(flags.quick ? QUICK_ROUNDS : ROUNDS), 1_000),
    durationMs,
    leadMs: Math.min(LEAD_MS_MAX, durationMs / 2),
    warmMs: Math.min(WARM_MS_MAX, 2 * durationMs),
    counted: [...new Set(cases.map((one) => one.shape))],
    logRows: whole('--log', flags.log ?? String(LOG_ROWS), 100_000_000),
    ...(flags.data === undefined ? {} : { logData: flags.data }),
  };
}

function combined(base: Case, flags: PlanFlags): Case[] {
  const numbers = (flag: string, text: string | undefined, usual: number, max: number) =>
    text === undefined ? [usual] : text.split(',').map((one) => whole(flag, one, max));
  const shapes = oneOf('--shapes', flags.shapes, SHAPES) ?? [base.shape];
  const throughs = oneOf('--through', flags.through, THROUGH) ?? [base.through];
  const ways = oneOf('--ways', flags.ways, WAY_NAMES) ?? base.ways;
  const counts = numbers('--participants', flags.participants, base.participants, 8);
  const clients = numbers('--clients', flags.clients, base.clients, CLIENTS_MAX);
  return shapes.flatMap((shape) =>
    throughs.flatMap((through) =>
      counts.flatMap((participants) =>
        clients.map((one) => ({ shape, through, participants, clients: one, ways })),
      ),
    ),
  );
}

function whole(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new RangeError(`${flag} takes whole numbers from 1 to ${max}, not "${text}"`);
}

function decimal(flag: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (value >= 0.1 && value <= 3_600) return value;
  throw new RangeError(`${flag} takes seconds from 0.1 to 3600, not "${text}"`);
}

function oneOf<T extends string>(
  flag: string,
  text: string | undefined,
  known: readonly T[],
): T[] | undefined {
  return text?.split(',').map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined)
      throw new RangeError(`${flag} takes ${known.join(', ')}, not "${name}"`);
    return found;
  });
}
