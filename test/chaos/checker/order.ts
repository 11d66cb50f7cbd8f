/**
 * Conflicting transactions have one order everywhere (Vitess' rule, widened from pairs to all): the first at
 * one row was first at every row. Guards two-phase locking across databases: a branch that released its locks
 * before the decision would show as a cycle here.
 */
import { place, push, type Facts } from './facts.js';
import { placeOf } from './history.js';
import type { Checker } from './verdict.js';

export const oneOrder: Checker = function* (facts) {
  const cycle = findCycle(precedence(facts));
  if (cycle) {
    const named = cycle.map((one) => facts.gid(one, '*'));
    yield `no one order: ${named.join(' before ')} before ${named[0]}`;
  }
  yield* countersAgree(facts);
};

/** For each row, its writers in the order of their commits there; who comes next to whom. */
function precedence(facts: Facts): Map<string, string[]> {
  const writers = new Map<string, { transaction: string; atUs: number }[]>();
  for (const [transaction, { committed }] of facts.fates) {
    if (facts.decision(transaction)?.decision !== 'commit') continue;
    // One database orders it, and its row is dated by its last confirmation.
    if (placeOf(transaction) !== undefined) continue;
    for (const { participant, key, delta } of facts.deltasOf(transaction) ?? []) {
      const row = committed.find((one) => one.participant === participant);
      if (delta === 0 || !row) continue;
      push(writers, place(participant, key), { transaction, atUs: row.committedAtUs ?? 0 });
    }
  }
  const next = new Map<string, string[]>();
  for (const chain of writers.values()) {
    chain.sort((a, b) => a.atUs - b.atUs || (a.transaction < b.transaction ? -1 : 1));
    chain.forEach(({ transaction }, at) => {
      const after = chain[at + 1];
      if (after && after.transaction !== transaction) push(next, transaction, after.transaction);
    });
  }
  return next;
}

/** Depth first, without recursion: chains are as long as the run. */
function findCycle(next: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  for (const start of [...next.keys()].sort()) {
    const path: { node: string; edge: number }[] = [];
    const onPath = new Set<string>();
    const enter = (node: string): void => {
      path.push({ node, edge: 0 });
      onPath.add(node);
    };
    if (!done.has(start)) enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const to = next.get(top.node)?.[top.edge++];
      if (to === undefined) {
        done.add(top.node);
        onPath.delete(top.node);
        path.pop();
      } else if (onPath.has(to)) {
        const from = path.findIndex(({ node }) => node === to);
        return path.slice(from).map(({ node }) => node);
      } else if (!done.has(to)) enter(to);
    }
  }
  return undefined;
}

/** An increment saw one number, the same at every participant, and no other increment saw it. */
function* countersAgree(facts: Facts): Iterable<string> {
  const seenBy = new Map<number, string>();
  for (const { invoke, answers } of facts.attempts.values()) {
    if (invoke.op !== 'increment') continue;
    for (const ok of answers) {
      if (ok.type !== 'ok' || ok.told !== 'committed' || !ok.outputs) continue;
      const gid = facts.gid(ok.transaction, '*');
      const numbers = Object.values(ok.outputs).map(numberIn);
      const [first] = numbers;
      if (first === undefined) continue;
      if (numbers.some((one) => one !== first)) {
        yield `${gid} saw different counters: ${numbers.join(', ')}`;
      }
      const other = seenBy.get(first);
      if (other !== undefined && other !== ok.transaction) {
        yield `${gid} and ${facts.gid(other, '*')} both saw counter ${first}`;
      }
      seenBy.set(first, ok.transaction);
    }
  }
}

/** The counter after the increment: `[{ balance }]` of a ledger, `[{ available }]` of the inventory. */
function numberIn(outputs: unknown): number | undefined {
  const [first] = Array.isArray(outputs) ? (outputs as unknown[]) : [];
  if (first === null || typeof first !== 'object') return undefined;
  const { balance, available } = first as { balance?: number; available?: number };
  return balance ?? available;
}
