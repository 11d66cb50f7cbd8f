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
  /** Prepared branches finished manually, or lost by their database. */
  readonly manual: number;
  /**
   * Housekeeping: a history, housekeeping, pruning and reconciliation. Then the run is long, and the lateness
   * of messages and the error of clocks are bounded, as retention and horizon demand it.
   */
  readonly house: boolean;
  /** The first two participants share a database, and the first lists the second one's branches too. */
  readonly neighbours: boolean;
  /** So many branches of another cluster are prepared in the same databases, each for some seconds. */
  readonly strangers: number;
  /** Rows are locked by who changes them, many change the same ones at once, and waits are followed. */
  readonly locks: boolean;
  /** Branches at work at once at each instance: where there are few, waits for locks lose their sessions. */
  readonly sessionsMax: number;
  /** What is one call is prepared in order. */
  readonly ordered: boolean;
  /** Share of transactions in one call that have one branch, which is committed in one phase. */
  readonly onePhase: number;
  /** How long outcomes are kept. But in one phase, longer than a transaction lasts and all that is late together. */
  readonly retentionMs: number;
  readonly spanMs: number;
  /** How late a message comes at most, and how long a process is paused or cut off. */
  readonly lateMsMax: number;
  readonly slowMsMax: number;
  readonly clocksMsMax: number;
}

/** Without housekeeping. */
const PLAIN = {
  house: false,
  neighbours: false,
  strangers: 0,
  locks: false,
  sessionsMax: 50,
  ordered: false,
  onePhase: 0,
  retentionMs: 20_000,
  spanMs: 10_000,
  lateMsMax: 15_000,
  slowMsMax: 6_000,
  clocksMsMax: 3_600_000,
} as const;

/** Of all runs, those with housekeeping, and of these, those with neighbours. */
const HOUSE_SHARE = 0.05;
const NEIGHBOURS_SHARE = 0.4;
/** Drawn separately, so that the other runs are what they were before there was housekeeping. */
export function withHouse(drawn: WorldOptions, random: Random): WorldOptions {
  if (!random.chance(HOUSE_SHARE)) return drawn;
  return {
    ...drawn,
    house: true,
    neighbours: random.chance(NEIGHBOURS_SHARE),
    spanMs: 45_000,
    lateMsMax: 2_000,
    slowMsMax: 2_000,
    clocksMsMax: 200,
    transactions: drawn.transactions * 3,
    keyed: 0,
    clockSkew: false,
    manual: random.chance(0.6) ? random.between(1, 4) : 0,
  };
}

const ORDERED_SHARE = 0.3;

/** Drawn apart too: in some runs all that is one call is prepared in order. */
export function withOrder(drawn: WorldOptions, random: Random): WorldOptions {
  return random.chance(ORDERED_SHARE) ? { ...drawn, ordered: true } : drawn;
}

/** What is late comes long after it was forgotten: in one phase nothing rests on retention. */
const FORGETFUL = { retentionMs: 1_500, lateMsMax: 50_000, spanMs: 120_000 } as const;

const ONE_PHASE_SHARE = 0.25;

/** Drawn apart as well: in some runs there are transactions of one branch, which commits by itself. */
export function withOnePhase(drawn: WorldOptions, random: Random): WorldOptions {
  if (!random.chance(ONE_PHASE_SHARE)) return drawn;
  const onePhase = random.pick([0.3, 0.7, 1]);
  const isShort = drawn.house && !drawn.neighbours && onePhase === 1 && random.chance(0.7);
  const { transactions } = drawn;
  return {
    ...drawn,
    onePhase,
    ...(isShort ? { ...FORGETFUL, transactions: transactions * 3 } : {}),
  };
}

const STRANGERS_SHARE = 0.3;

/** Drawn apart as well, and after the rest: a run goes the same way with them. */
export function withStrangers(drawn: WorldOptions, random: Random): WorldOptions {
  return random.chance(STRANGERS_SHARE) ? { ...drawn, strangers: random.between(2, 8) } : drawn;
}

/** Of all runs, those in which rows are locked, and of these, those in which nothing fails. */
const LOCKS_SHARE = 0.05;
const FAULTLESS_SHARE = 0.6;
/** In so many of these sessions are few. */
const FEW_SESSIONS_SHARE = 0.5;
export const FEW_SESSIONS_MAX = 6;

/** Drawn apart, so that the other runs are what they were before there were locks. */
export function withLocks(drawn: WorldOptions, random: Random): WorldOptions {
  if (drawn.house || !random.chance(LOCKS_SHARE)) return drawn;
  const faultless = { ...NO_FAULTS, delayMsMax: 30, registerDelayMsMax: 20 };
  const locking = {
    ...drawn,
    ...(random.chance(FAULTLESS_SHARE) ? faultless : {}),
    locks: true,
    participants: random.between(2, 4),
    transactions: random.between(4, 16),
    keyed: 0,
    clockSkew: false,
  };
  return random.chance(FEW_SESSIONS_SHARE) ? withFewSessions(locking, random) : locking;
}

/** Open work would hold sessions while its client waits elsewhere, as long as there is time. */
function withFewSessions(drawn: WorldOptions, random: Random): WorldOptions {
  const sessionsMax = random.between(2, FEW_SESSIONS_MAX);
  return { ...drawn, sessionsMax, interactive: 0, transactions: random.between(8, 24) };
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
  manual: 0,
} as const satisfies Partial<WorldOptions>;

export type FaultName = keyof typeof NO_FAULTS;

/** Runs that only set clocks: anything that aborts in them aborted for no reason. */
const CALM_SHARE = 0.05;

export function drawOptions(random: Random): WorldOptions {
  const maybe = (value: number) => (random.chance(0.5) ? value : 0);
  const times = (probability: number, max: number) =>
    random.chance(probability) ? random.between(1, max) : 0;
  const drawn = {
    ...PLAIN,
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
    manual: times(0.15, 3),
  };
  const { clockJumps, keyed } = drawn;
  return random.chance(CALM_SHARE)
    ? { ...drawn, ...NO_FAULTS, delayMsMax: 30, registerDelayMsMax: 20, clockJumps, keyed }
    : drawn;
}

/** Whether nothing is lost, late or down. */
export function isFaultless(options: WorldOptions): boolean {
  return isCalm(options) && options.clockJumps === 0;
}

/** Whether nothing is drawn that may make a transaction abort: clocks never may, nor keys, whose requests join. */
export function isCalm(options: WorldOptions): boolean {
  const faults = Object.entries(NO_FAULTS).filter(
    ([name]) => name !== 'clockJumps' && name !== 'keyed',
  );
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
