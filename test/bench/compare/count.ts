/**
 * What one transaction takes in round trips to Postgres, flushes, log and messages: so many, one after the
 * other, through relays that count. Nothing is timed here. What servers and services do by themselves meanwhile
 * is measured first and taken off.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arena } from './arena.js';
import type { Arenas, Say } from './arenas.js';
import { difference, SETTLED_MS, type Counts } from './counters.js';
import type { Plan } from './plan.js';
import type { Shape } from './shapes.js';
import { loadOf, targetOf, WAYS, type Loads, type WayName } from './ways.js';

const TRANSACTIONS = 200;
const WARM = 50;
const TURN_MS_MAX = 60_000;
/** Whatever else the plan has: so many are what the page shows. */
export const COUNTED_PARTICIPANTS = 2;

/** Per transaction of two participants. */
export interface Counted extends Counts {
  readonly shape: Shape;
  readonly way: WayName;
  readonly tripsToParticipants: number;
  readonly tripsToRegister: number;
}

interface Snapshot {
  readonly counts: Counts;
  readonly participants: number;
  readonly register: number;
  readonly atMs: number;
}

/** Ways whose requests differ from one another's; each has servers of its own. */
const COUNTED_WAYS = ['hand', 'apart', 'completed'] as const;

export async function countCases(
  plan: Plan,
  arenas: Arenas,
  loads: Loads,
  say: Say,
): Promise<Counted[]> {
  const ways = COUNTED_WAYS.filter((way) => plan.cases.some((one) => one.ways.includes(way)));
  const participants = COUNTED_PARTICIPANTS;
  const through = plan.cases[0]?.through ?? 'typeorm';
  const run = async (shape: Shape, transactions: number): Promise<void> => {
    for (const way of ways) {
      const target = targetOf(way, arenas.get(WAYS[way].arena));
      const turn = { target, shape, through, participants, clients: 1, transactions };
      const { failure } = await loadOf(way, loads).turn({ ...turn, durationMs: TURN_MS_MAX });
      if (failure !== undefined) throw new Error(`${WAYS[way].title}, ${shape}: ${failure}`);
    }
  };
  const look = () => Promise.all(ways.map((way) => snapshot(arenas.get(WAYS[way].arena))));
  const settle = () => sleep(SETTLED_MS); // Sessions report what they did only then.

  for (const shape of plan.counted) await run(shape, WARM);
  say('counting what is done without transactions');
  await settle();
  const idleFrom = await look();
  await settle();
  const idleUntil = await look();
  const counted: Counted[] = [];
  for (const shape of plan.counted) {
    say(`counting one transaction at a time: ${shape}`);
    const before = await look();
    await run(shape, TRANSACTIONS);
    await settle();
    const after = await look();
    for (const [at, way] of ways.entries()) {
      const of = (all: readonly Snapshot[]) => all[at] as Snapshot;
      const idle = between(of(idleFrom), of(idleUntil));
      counted.push({ shape, way, ...perTransaction(between(of(before), of(after)), idle) });
    }
  }
  return counted;
}

async function snapshot(arena: Arena): Promise<Snapshot> {
  const { participants, register } = arena.trips;
  return { counts: await arena.counters.read(), participants, register, atMs: performance.now() };
}

function between(from: Snapshot, until: Snapshot): Snapshot {
  return {
    counts: difference(until.counts, from.counts),
    participants: until.participants - from.participants,
    register: until.register - from.register,
    atMs: until.atMs - from.atMs,
  };
}

function perTransaction(spent: Snapshot, idle: Snapshot) {
  const share = spent.atMs / idle.atMs;
  const each = (pick: (one: Snapshot) => number) =>
    Math.max(0, (pick(spent) - pick(idle) * share) / TRANSACTIONS);
  return {
    tripsToParticipants: each((one) => one.participants),
    tripsToRegister: each((one) => one.register),
    flushes: each((one) => one.counts.flushes),
    walBytes: each((one) => one.counts.walBytes),
    messages: each((one) => one.counts.messages),
    messageBytes: each((one) => one.counts.messageBytes),
  };
}
