/**
 * Cycles of waits that a transaction is in, or was: one that holds now, the one that its abort broke, as its
 * cause names it permanently, and those that this coordinator broke lately. A cycle that another coordinator
 * broke is known from its victim alone.
 */
import type { WaitCycleResource } from '@concordat/api';
import type { BrokenCycle } from '@concordat/engine';
import { z } from 'zod';
import type { KnownTransaction } from '../known-transaction.js';
import type { WaitPicture } from './wait-picture.js';

/** Cycles that are shown of one transaction. */
const SHOWN_MAX = 5;

/** What the cause of a victim's abort says of its cycle. */
const Cause = z.object({
  vote: z.object({
    details: z.object({
      waits: z
        .array(
          z.object({
            transaction: z.string(),
            participant: z.string(),
            relation: z.string().optional(),
            row: z.string().optional(),
            heldBy: z.string(),
          }),
        )
        .min(1),
    }),
  }),
});
type Told = z.infer<typeof Cause>['vote']['details']['waits'];

export function cyclesOf(
  known: KnownTransaction,
  picture: WaitPicture,
  broken: readonly BrokenCycle[] = [],
): WaitCycleResource[] {
  const { transaction } = known;
  const victim = victimsCycle(known);
  const others = broken.filter((one) => !victim || one.victim !== transaction);
  const cycles = [
    ...(known.decision === undefined ? waiting(known, picture, broken) : []),
    ...(victim ? [victim] : []),
    ...others.map(({ victim: lost, atMs, waits }): WaitCycleResource => {
      const at = new Date(atMs).toISOString();
      return { state: 'broken', at, victim: lost, waits: stepsOf(waits) };
    }),
  ];
  return cycles.slice(0, SHOWN_MAX);
}

/** Reports that name the cycle may be older than its end: with a victim in it, it waits no more. */
function waiting(
  { transaction }: KnownTransaction,
  picture: WaitPicture,
  broken: readonly BrokenCycle[],
): WaitCycleResource[] {
  const steps = picture.cycleWith(transaction);
  if (!steps || broken.some(({ victim }) => steps.some(({ heldBy }) => heldBy === victim)))
    return [];
  const waits = steps.flatMap(({ wait: { waiter, participant, on }, heldBy }) => {
    if (waiter.kind !== 'branch') return [];
    const { relation, row } = on;
    return [{ transaction: waiter.transaction, participant, relation, row, heldBy }];
  });
  return [{ state: 'waiting', waits: stepsOf(waits) }];
}

function victimsCycle({
  cause,
  transaction,
  decidedAtMs,
}: KnownTransaction): WaitCycleResource | undefined {
  const told = Cause.safeParse(cause);
  if (!told.success) return undefined;
  return {
    state: 'broken',
    ...(decidedAtMs === undefined ? {} : { at: new Date(decidedAtMs).toISOString() }),
    victim: transaction,
    waits: stepsOf(told.data.vote.details.waits),
  };
}

function stepsOf(waits: readonly Partial<Told[number]>[]): WaitCycleResource['waits'] {
  return (waits as Told).map(({ transaction, participant, relation, row, heldBy }) => ({
    ...{ transactionId: transaction, participant },
    ...(relation === undefined ? {} : { relation }),
    ...(row === undefined ? {} : { row }),
    heldBy,
  }));
}
