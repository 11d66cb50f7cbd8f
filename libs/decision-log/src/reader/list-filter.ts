/** What a list may be narrowed to. All given conditions must hold. */
import type { TransactionStatus } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';

export interface TransactionFilter {
  readonly status?: TransactionStatus;
  readonly participant?: ParticipantName;
  readonly label?: string;
  readonly principal?: string;
  /** Begun longer ago than this, by the clocks of their owners. */
  readonly olderThanMs?: number;
  /**
   * In need of attention: a standing commit that has not ended, or a transaction past its time-out
   * without a decision, both longer than the reader's `stuckAfterMs`; or an unresolved heuristic.
   */
  readonly stuck?: boolean;
}

export interface ListRequest extends TransactionFilter {
  /** 1 to 500; 50 when absent. */
  readonly limit?: number;
  readonly cursor?: string;
}

export const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 500;
