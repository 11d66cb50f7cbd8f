/**
 * Cycles of waits. Guards "one victim per cycle, and always the same": in a cycle the youngest transaction is
 * aborted, by its id, which is ordered by time; so every coordinator that looks chooses the same one, and it
 * is the one that has done the least. A transaction that waits for several needs all of them, so a cycle is a
 * deadlock whatever else its members wait for. Pure: no clock, no channel.
 */
import type { TransactionId } from '@concordat/protocol';
import type { Wait, WaitHolder } from '../ports/index.js';

/** One transaction of a cycle, and its wait for the next one. */
export interface CycleEdge {
  readonly wait: Wait;
  readonly holder: Extract<WaitHolder, { kind: 'branch' }>;
}

/** Begins with the youngest; the last one waits for it. */
export type Cycle = readonly [CycleEdge, ...CycleEdge[]];

/** What transactions wait for, as far as it is known. */
export type Graph = ReadonlyMap<TransactionId, readonly Wait[]>;

/** The same without the waits of branches that have no session: each of the others has to end by itself. */
export function inSessions(graph: Graph): Graph {
  const kept = (waits: readonly Wait[]): Wait[] => waits.filter((one) => !one.withoutSession);
  return new Map([...graph].map(([transaction, waits]) => [transaction, kept(waits)]));
}

/** Transactions that these waits are for. */
export function heldBy(waits: readonly Wait[]): TransactionId[] {
  const found = new Set<TransactionId>();
  for (const { holders } of waits) {
    for (const holder of holders) if (holder.kind === 'branch') found.add(holder.transaction);
  }
  return [...found];
}

/**
 * Who gives way, and in which cycle, the oldest victim first: one that is in a cycle only with a victim
 * goes on once that one is gone, and so is none. Victims of the cycles `before` are gone already.
 */
export function victimsAmong(graph: Graph, before: readonly Cycle[] = []): Cycle[] {
  const gone = new Set(before.map(([{ wait }]) => wait.transaction));
  const cycles: Cycle[] = [];
  for (const transaction of [...graph.keys()].sort()) {
    const cycle = cycleOf(transaction, (one) => (gone.has(one) ? [] : (graph.get(one) ?? [])));
    if (!cycle) continue;
    gone.add(transaction);
    cycles.push(cycle);
  }
  return cycles;
}

/**
 * The shortest cycle in which this transaction is the youngest. `waitsOf` returns what a transaction waits
 * for, as far as that is known.
 */
export function cycleOf(
  youngest: TransactionId,
  waitsOf: (transaction: TransactionId) => readonly Wait[],
): Cycle | undefined {
  const reached = new Map<TransactionId, CycleEdge>();
  let front: TransactionId[] = [youngest];
  while (front.length > 0) {
    const next: TransactionId[] = [];
    for (const transaction of front) {
      for (const edge of edgesOf(waitsOf(transaction))) {
        const to = edge.holder.transaction;
        if (to === youngest) return pathTo(edge, reached);
        if (to > youngest || reached.has(to)) continue;
        reached.set(to, edge);
        next.push(to);
      }
    }
    front = next;
  }
  return undefined;
}

function edgesOf(waits: readonly Wait[]): CycleEdge[] {
  return waits.flatMap((wait) =>
    wait.holders.flatMap((holder) =>
      holder.kind === 'branch' && holder.transaction !== wait.transaction ? [{ wait, holder }] : [],
    ),
  );
}

function pathTo(last: CycleEdge, reached: ReadonlyMap<TransactionId, CycleEdge>): Cycle {
  let path: Cycle = [last];
  for (let at = reached.get(last.wait.transaction); at; at = reached.get(at.wait.transaction)) {
    path = [at, ...path];
  }
  return path;
}
