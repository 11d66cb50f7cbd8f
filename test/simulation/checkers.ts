/**
 * The checkers: what must hold of a finished run, each a statement of its own, none of them knowing
 * how the product works. A complaint is a sentence; no complaint means that the run passed.
 */
import { parseGid, type TransactionId } from '@concordat/protocol';
import type { World } from './world.js';

export type Checker = (world: World) => string[];

/** gids with an outcome row or a tombstone, per transaction: what each database made of it. */
function outcomes(world: World): Map<TransactionId, { committed: string[]; aborted: string[] }> {
  const found = new Map<TransactionId, { committed: string[]; aborted: string[] }>();
  for (const [name, store] of world.databases) {
    for (const [gid, kind] of store.outcome) {
      const transaction = parseGid(gid)?.transaction as TransactionId;
      const entry = found.get(transaction) ?? { committed: [], aborted: [] };
      (kind === 'branch' ? entry.committed : entry.aborted).push(name);
      found.set(transaction, entry);
    }
  }
  return found;
}

/** I1: participants that decide, decide alike. */
export const agreement: Checker = (world) =>
  [...outcomes(world)]
    .filter(([, { committed, aborted }]) => committed.length > 0 && aborted.length > 0)
    .map(([id, torn]) => `torn: ${id} committed at ${torn.committed}, aborted at ${torn.aborted}`);

/** I2: one decision per transaction, never changed. */
export const irrevocability: Checker = (world) => {
  const seen = new Map<TransactionId, string>();
  const complaints: string[] = [];
  for (const { transaction, decision } of world.registerStore.history) {
    const earlier = seen.get(transaction);
    if (earlier) complaints.push(`${transaction} was decided ${earlier} and then ${decision}`);
    seen.set(transaction, decision);
  }
  return complaints;
};

/** I3: nothing is committed anywhere unless commit stands, and then it is in every branch of it. */
export const validity: Checker = (world) => {
  const complaints: string[] = [];
  const found = outcomes(world);
  for (const [id, { committed }] of found) {
    const row = world.registerStore.rows.get(id);
    if (committed.length > 0 && row?.decision !== 'commit') {
      complaints.push(
        `${id} is committed at ${committed} but ${row?.decision ?? 'nothing'} stands`,
      );
    }
  }
  for (const [id, row] of world.registerStore.rows) {
    if (row.decision !== 'commit') continue;
    for (const { participant } of row.branches) {
      if (!found.get(id)?.committed.includes(participant)) {
        complaints.push(`${id} stands as commit but is not in ${participant}`);
      }
    }
  }
  return complaints;
};

/** I6: no money is made or lost. */
export const conservation: Checker = (world) => {
  let total = 0;
  for (const store of world.databases.values()) {
    for (const balance of store.balances.values()) total += balance;
  }
  const due = world.databases.size * 1_000;
  return total === due ? [] : [`balances add up to ${total}, not ${due}`];
};

/** I7, I8: what a client was told is what happened. */
export const honesty: Checker = (world) => {
  const found = outcomes(world);
  const complaints: string[] = [];
  for (const { transaction, told, deltas } of world.clients) {
    if (!transaction || told === 'unknown') continue;
    const committed = found.get(transaction)?.committed ?? [];
    const writers = [...deltas].filter(([, delta]) => delta !== 0).map(([name]) => name);
    if (told === 'aborted' && committed.length > 0) {
      complaints.push(`${transaction} was reported aborted but is in ${committed}`);
    }
    if (told === 'committed' && writers.some((name) => !committed.includes(name))) {
      complaints.push(`${transaction} was reported committed but is only in ${committed}`);
    }
  }
  return complaints;
};

/** I10: no prepared transaction is left. */
export const noOrphans: Checker = (world) =>
  [...world.databases].flatMap(([name, store]) =>
    [...store.prepared.keys()].map((gid) => `${gid} is still prepared at ${name}`),
  );

/** I12: each branch is applied once. */
export const exactlyOnce: Checker = (world) =>
  [...world.databases].flatMap(([name, store]) =>
    [...store.applied]
      .filter(([, times]) => times !== 1)
      .map(([gid, times]) => `${gid} was applied ${times} times at ${name}`),
  );

/** I16: one key, at most one commit. */
export const keyedOnce: Checker = (world) => {
  const holders = new Map<string, TransactionId>();
  const complaints: string[] = [];
  for (const [id, row] of world.registerStore.rows) {
    if (row.decision !== 'commit' || !row.idempotency) continue;
    const { key } = row.idempotency;
    const other = holders.get(key);
    if (other) complaints.push(`${other} and ${id} both committed under key ${key}`);
    holders.set(key, id);
  }
  return complaints;
};

/** I17: a commit is noted as ended, and so may be pruned, only when nothing of it is prepared. */
export const endedLast: Checker = (world) =>
  world.endedEarly.map((branch) => `ended while ${branch} was still prepared`);

/** No fault is injected that makes an outcome heuristic: none may be reported. */
export const noHeuristics: Checker = (world) =>
  [...world.registerStore.rows.values()].flatMap((row) =>
    row.heuristics.map((one) => `${row.transaction} ${one.branch}: ${one.evidence.explanation}`),
  );

/** I5: after healing everything ends. */
export const termination: Checker = (world) =>
  world.atRest() ? [] : ['something had not ended long after everything was healed'];

/** We were never wrong: no invariant of the engine broke. */
export const unbroken: Checker = (world) => world.broken.map((error) => String(error.stack));

export const CHECKERS: Readonly<Record<string, Checker>> = {
  unbroken,
  agreement,
  irrevocability,
  validity,
  conservation,
  honesty,
  noOrphans,
  exactlyOnce,
  keyedOnce,
  endedLast,
  noHeuristics,
  termination,
};

export function check(world: World): string[] {
  return Object.entries(CHECKERS).flatMap(([name, checker]) =>
    checker(world).map((complaint) => `${name}: ${complaint}`),
  );
}
