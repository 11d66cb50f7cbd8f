/**
 * A transaction as far as it is known, from any source. Guards "nothing is claimed that is not known": what
 * is missing stays absent instead of being invented.
 */
import type { Status } from '@concordat/api';
import type { AttemptFacts, TransactionView } from '@concordat/engine';
import type { Incarnation } from '@concordat/protocol';

/** How an operator settled a heuristic outcome. */
export interface Resolution {
  readonly atMs: number;
  readonly by: string;
  readonly reason: string;
}

export interface KnownTransaction extends Omit<
  TransactionView,
  'principal' | 'timeoutMs' | 'status' | 'takenOver'
> {
  readonly status: Status;
  /** Whose it is, where that is on record. */
  readonly principal?: string;
  readonly timeoutMs?: number;
  readonly resolved?: Resolution;
  /** Which coordinator finishes a commit, as the register says. */
  readonly finisher?: Incarnation;
}

/**
 * How many transactions have tried its request so far, this one included; undefined where its beginning is not
 * known here.
 */
export function attemptsOf({ attempt, timeline }: KnownTransaction): number | undefined {
  if (attempt) return attempt.number;
  const begun = timeline.find((one) => one.type === 'begun');
  if (!begun) return undefined;
  const noted = begun.detail?.['attempt'] as AttemptFacts | undefined;
  return noted?.number ?? 1;
}

/** Whether nothing about it will change any more. */
export function hasEnded(known: KnownTransaction): boolean {
  return known.endedAtMs !== undefined;
}
