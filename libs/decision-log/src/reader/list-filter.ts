/** What a list may be narrowed to. All given conditions must hold. */
import type { TransactionStatus } from '@concordat/engine';
import type { ParticipantName, TransactionId } from '@concordat/protocol';

/**
 * A saved list. `in-doubt`: some branch may be prepared and has not answered · `deciding`: no decision is on
 * record yet · `heuristic`: not resolved.
 */
export type View = 'stuck' | 'in-doubt' | 'deciding' | 'heuristic' | 'recent-aborts' | 'all';

export interface TransactionFilter {
  readonly status?: TransactionStatus;
  readonly participant?: ParticipantName;
  readonly label?: string;
  readonly principal?: string;
  /** Begun longer ago than this, by the clocks of their owners. */
  readonly olderThanMs?: number;
  /**
   * In need of attention: a commit on record that has not ended, or a transaction past its time-out without a
   * decision, both longer than the reader's `stuckAfterMs`; or an unresolved heuristic.
   */
  readonly stuck?: boolean;
  readonly view?: View;
  /** The beginning of the transaction's id. */
  readonly idBegins?: string;
}

export interface ListRequest extends TransactionFilter {
  /** 1 to 500; 50 when absent. */
  readonly limit?: number;
  readonly cursor?: string;
  readonly oldestFirst?: boolean;
  /**
   * Shown before all others, in this order, where they belong to the list: what does harm. Those that a
   * page has shown are skipped by the pages after it.
   */
  readonly first?: readonly TransactionId[];
  /** In the list of the stuck, where they have not ended, in any state. */
  readonly besides?: readonly TransactionId[];
}

/** Up to so many are counted. */
export const COUNT_MAX = 10_000;
/** So many may be shown before all others. */
export const FIRST_MAX = 200;

export const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 500;
