/**
 * The options of a run, drawn from its seed. A swarm (Groce et al. 2012): every run switches its own
 * subset of faults on, because a run with all of them at once hides what a few would show.
 */
import type { Random } from './random.js';

export interface WorldOptions {
  readonly coordinators: number;
  readonly participants: number;
  readonly replicas: number;
  readonly transactions: number;
  readonly delayMsMax: number;
  readonly registerDelayMsMax: number;
  /** Share of transactions that are interactive, and of their calls that are direct ones. */
  readonly interactive: number;
  readonly joins: number;
  /** Share of requests under one of two idempotency keys. */
  readonly keyed: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly zombie: number;
  readonly registerUnknown: number;
  readonly lostAnswer: number;
  readonly refusal: number;
  readonly slow: number;
  readonly crashes: number;
  readonly partitions: number;
  readonly pauses: number;
  readonly swizzles: number;
  readonly failovers: number;
  readonly clockSkew: boolean;
  readonly clockJumps: number;
  /** Prepared branches finished by hand, or lost by their database. */
  readonly hands: number;
}

/** What can be switched off: with all of these nothing is left that may make a transaction abort. */
export const NO_FAULTS = {
  keyed: 0,
  loss: 0,
  duplicate: 0,
  zombie: 0,
  registerUnknown: 0,
  lostAnswer: 0,
  refusal: 0,
  slow: 0,
  crashes: 0,
  partitions: 0,
  pauses: 0,
  swizzles: 0,
  failovers: 0,
  clockSkew: false,
  clockJumps: 0,
  hands: 0,
} as const satisfies Partial<WorldOptions>;

export type FaultName = keyof typeof NO_FAULTS;

/** Runs that only set clocks: whatever aborts in them aborted for no reason. */
const CALM_SHARE = 0.05;

export function drawOptions(random: Random): WorldOptions {
  const maybe = (value: number) => (random.chance(0.5) ? value : 0);
  const times = (probability: number, max: number) =>
    random.chance(probability) ? random.between(1, max) : 0;
  const drawn = {
    coordinators: random.between(1, 3),
    participants: Math.min(random.between(3, 8), random.between(3, 8)),
    replicas: random.between(1, 2),
    transactions: random.between(1, 6),
    delayMsMax: random.pick([3, 30, 300]),
    registerDelayMsMax: random.pick([2, 20, 400]),
    interactive: random.pick([0, 0.3, 0.7]),
    joins: random.pick([0, 0.5, 1]),
    keyed: maybe(0.4),
    loss: maybe(0.15),
    duplicate: maybe(0.15),
    zombie: maybe(0.05),
    registerUnknown: maybe(0.2),
    lostAnswer: maybe(0.1),
    refusal: maybe(0.05),
    slow: maybe(0.1),
    crashes: times(0.6, 6),
    partitions: times(0.3, 4),
    pauses: times(0.4, 4),
    swizzles: times(0.2, 2),
    failovers: times(0.3, 2),
    clockSkew: random.chance(0.3),
    clockJumps: times(0.3, 4),
    hands: times(0.15, 3),
  };
  const { clockJumps } = drawn;
  return random.chance(CALM_SHARE)
    ? { ...drawn, ...NO_FAULTS, delayMsMax: 30, registerDelayMsMax: 20, clockJumps }
    : drawn;
}

/** Whether nothing is drawn that may make a transaction abort: clocks alone never may. */
export function isCalm(options: WorldOptions): boolean {
  const faults = Object.entries(NO_FAULTS).filter(([name]) => name !== 'clockJumps');
  const isOff = faults.every(([name, off]) => options[name as FaultName] === off);
  return isOff && options.delayMsMax <= 30 && options.registerDelayMsMax <= 20;
}

/** Only these faults, or without these: to see what a fault finds. */
export interface Narrowing {
  readonly only?: readonly FaultName[];
  readonly without?: readonly FaultName[];
}

export function narrowed(options: WorldOptions, { only, without = [] }: Narrowing): WorldOptions {
  const off = Object.keys(NO_FAULTS) as FaultName[];
  const gone = off.filter((name) => (only && !only.includes(name)) || without.includes(name));
  return { ...options, ...Object.fromEntries(gone.map((name) => [name, NO_FAULTS[name]])) };
}
