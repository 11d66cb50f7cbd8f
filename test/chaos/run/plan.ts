/**
 * What the nemesis will do and when, all of it from one seed. Guards "a seed can be run again": the
 * plan depends on nothing that happens; what cannot be done when its time comes is skipped, and said.
 */
import type { ServiceId } from '../../stage/product.js';
import { Random } from '../../simulation/random.js';

export const SERVICES = [
  'coordinator',
  'coordinator-2',
  'ledger-east',
  'ledger-west',
  'inventory',
] as const satisfies readonly ServiceId[];

export type Fault =
  | { readonly kind: 'kill'; readonly target: ServiceId; readonly downMs: number }
  | { readonly kind: 'pause'; readonly target: ServiceId; readonly forMs: number }
  | { readonly kind: 'nats-kill'; readonly target: 'nats'; readonly downMs: number }
  | { readonly kind: 'nats-pause'; readonly target: 'nats'; readonly forMs: number }
  | { readonly kind: 'postgres-crash'; readonly target: 'postgres'; readonly downMs: number }
  /** pg_terminate_backend of so many of the product's sessions. */
  | { readonly kind: 'terminate'; readonly target: 'sessions'; readonly count: number }
  /** A prepared transaction of somebody else. */
  | { readonly kind: 'plant'; readonly target: PlantPlace; readonly name: PlantName };

export type PlantPlace = 'ledger_east' | 'ledger_west' | 'inventory' | 'concordat' | 'postgres';
/** Not ours by name; of another cluster; ours by name, in a database that no participant has. */
export type PlantName = 'stranger' | 'other-cluster' | 'other-database';

export interface PlannedFault {
  readonly id: number;
  readonly atMs: number;
  readonly fault: Fault;
}

export interface Plan {
  readonly seed: number;
  /** Periods of recovery as shipped, or short ones, which race more with live work. */
  readonly periods: 'shipped' | 'short';
  /** `late`: Postgres keeps what was not forced in memory for seconds, so that a crash loses it. */
  readonly unforced: 'as-shipped' | 'late';
  /** So long after the repair of a fault the next one comes at the earliest; absent: at its time. */
  readonly apartMs?: number;
  readonly faults: readonly PlannedFault[];
}

const GAP_MS = [100, 3_000] as const;
const PAUSE_MS = [200, 5_000] as const;
/** Each holds a slot of max_prepared_transactions for the rest of the run. */
const PLANTS_MAX = 12;

/** Drawn so often, once everything was drawn once. */
const WEIGHTS: readonly (readonly [Fault['kind'], number])[] = [
  ['kill', 4],
  ['pause', 6],
  ['nats-kill', 2],
  ['nats-pause', 2],
  ['postgres-crash', 1],
  ['terminate', 4],
  ['plant', 1],
];

export function planOf(seed: number, durationMs: number): Plan {
  const random = new Random(seed);
  const periods = random.chance(0.5) ? 'short' : 'shipped';
  const unforced = random.chance(0.5) ? 'late' : 'as-shipped';
  const faults: PlannedFault[] = [];
  // Everything once, in any order, so that also a short run meets each kind; then as it comes.
  const deck = shuffled(random, [
    ...SERVICES.flatMap((target) => [kill(random, target), pause(random, target)]),
    ...(['nats-kill', 'nats-pause', 'postgres-crash', 'terminate', 'plant'] as const).map((kind) =>
      draw(random, kind),
    ),
  ]);
  let plants = 1;
  for (let atMs = 0; ;) {
    atMs += random.between(...GAP_MS);
    if (atMs >= durationMs) return { seed, periods, unforced, faults };
    const kind = weighted(random);
    const drawn =
      deck.pop() ?? draw(random, kind === 'plant' && plants >= PLANTS_MAX ? 'kill' : kind);
    if (drawn.kind === 'plant') plants += 1;
    faults.push({ id: faults.length + 1, atMs, fault: drawn });
  }
}

const HOT_GAP_MS = [8_000, 12_000] as const;
const HOT_APART_MS = 5_000;

/**
 * Kills only, each of them repaired long before the next: of coordinators, of the ledgers and of the
 * broker. So what comes back after a repair can be distinguished from what the next fault takes.
 */
export function killsOf(seed: number, durationMs: number): Plan {
  const random = new Random(seed);
  const faults: PlannedFault[] = [];
  let deck: Fault[] = [];
  for (let atMs = random.between(...HOT_GAP_MS); atMs < durationMs - HOT_GAP_MS[0];) {
    if (deck.length === 0) {
      const services = SERVICES.filter((one) => one !== 'inventory');
      const kills = services.map((target) => kill(random, target));
      deck = shuffled(random, [...kills, draw(random, 'nats-kill')]);
    }
    faults.push({ id: faults.length + 1, atMs, fault: deck.pop() as Fault });
    atMs += random.between(...HOT_GAP_MS);
  }
  const apartMs = HOT_APART_MS;
  return { seed, periods: 'shipped', unforced: 'as-shipped', apartMs, faults };
}

function draw(random: Random, kind: Fault['kind']): Fault {
  switch (kind) {
    case 'kill':
      return kill(random, random.pick(SERVICES));
    case 'pause':
      return pause(random, random.pick(SERVICES));
    case 'nats-kill':
      return { kind, target: 'nats', downMs: random.between(0, 1_000) };
    case 'nats-pause':
      return { kind, target: 'nats', forMs: random.between(...PAUSE_MS) };
    case 'postgres-crash':
      return { kind, target: 'postgres', downMs: random.between(0, 500) };
    case 'terminate':
      return { kind, target: 'sessions', count: random.between(1, 12) };
    case 'plant': {
      const name = random.pick(['stranger', 'other-cluster', 'other-database'] as const);
      const places = ['ledger_east', 'ledger_west', 'inventory', 'concordat'] as const;
      return { kind, name, target: name === 'other-database' ? 'postgres' : random.pick(places) };
    }
  }
}

function kill(random: Random, target: ServiceId): Fault {
  return { kind: 'kill', target, downMs: random.between(0, 1_500) };
}

function pause(random: Random, target: ServiceId): Fault {
  return { kind: 'pause', target, forMs: random.between(...PAUSE_MS) };
}

function weighted(random: Random): Fault['kind'] {
  let left = random.unit() * WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of WEIGHTS) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'kill';
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const all = [...items];
  for (let at = all.length - 1; at > 0; at--) {
    const other = random.between(0, at);
    [all[at], all[other]] = [all[other] as T, all[at] as T];
  }
  return all;
}
