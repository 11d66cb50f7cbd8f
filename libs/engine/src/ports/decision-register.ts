/**
 * The decision register: the one place where truth is made (protocol §3). Two implementations, one
 * conformance suite.
 *
 * Contract of every implementation:
 * - `decide` is write-once per transaction: the first proposal that becomes durable is final; every later
 *   call, by any process, with any proposal, resolves to that decision.
 * - It resolves only when what it resolves to is durable. When that cannot be known (connection lost,
 *   time-out) it rejects with {@link RegisterUnknown}; the caller asks again with the same proposal
 *   and must send nothing until it has an answer.
 * - Two commits with the same idempotency key are never both recorded: the second resolves to abort with
 *   `keyHolder`, without leaving a commit behind.
 * - A transaction below the pruning mark is never decided again: it resolves to `forgotten`.
 * - What its participant decides is proposed as a copy only: {@link assertMayPropose}.
 */
import { decidedAt, invariant } from '@concordat/protocol';
import type {
  Decision,
  Enlisted,
  HeuristicBranch,
  Incarnation,
  TransactionId,
  TransactionOutcome,
} from '@concordat/protocol';
import type { TraceContext } from './participant-channel.js';
import type { NamedBranch } from './history.js';

/** A client's idempotency key, scoped to the client, with a fingerprint of its request. */
export interface IdempotencyKey {
  /** `<principal>:<key>`. Unique among commit decisions. */
  readonly key: string;
  /** SHA-256 of the canonical request body, hexadecimal. */
  readonly fingerprint: string;
}

/**
 * Who runs a request under a key. A claim only saves work: it may be lost at any moment, and which
 * request commits is never its matter.
 */
export interface KeyClaim extends IdempotencyKey {
  /** An id that its coordinator has made for this claim, so that it names the coordinator. Nothing is begun under it. */
  readonly claimant: TransactionId;
}

export type Claimed =
  /** A commit holds the key. */
  | { readonly kind: 'stored'; readonly standing: StandingDecision }
  /** The claim on record now: this very one, or another's. */
  | { readonly kind: 'claim'; readonly claim: KeyClaim };

export interface Proposal {
  readonly transaction: TransactionId;
  readonly proposed: Decision;
  /**
   * Its participant has decided it already (protocol §4.6). Of a transaction whose id names
   * the participant that decides it nothing else may be proposed. A copy is on record as ended.
   */
  readonly isCopy?: true;
  /** Who will finish a commit: the owner, at first. */
  readonly finisher: Incarnation;
  /** Whose the transaction is: the id of the key that began it. */
  readonly principal?: string;
  /** The branches that must be finished if the commit is recorded; empty for an abort. */
  readonly branches: readonly Enlisted[];
  readonly idempotency?: IdempotencyKey;
  /** Kept with a commit that has a key, so that a repeat gets the same answer: outputs per branch. */
  readonly answer?: unknown;
  /**
   * For people: label and cause; for an abort that an inquiry records, who asked about what; for a commit the
   * trace context in which it was begun, so that a coordinator that takes it over continues the trace.
   */
  readonly note?: {
    readonly label?: string;
    readonly trace?: TraceContext;
    readonly cause?: unknown;
    readonly asked?: NamedBranch;
  };
}

export interface StandingDecision {
  readonly transaction: TransactionId;
  readonly decision: Decision;
  /** Branches of a commit, as proposed by its owner. */
  readonly branches: readonly Enlisted[];
  readonly finisher: Incarnation;
  /** Whose the transaction is, as far as its proposer knew. */
  readonly principal?: string;
  /** The trace context of a commit, where its owner had one. */
  readonly trace?: TraceContext;
  /** Whole Unix milliseconds of the decision database's clock, as every process reports it. */
  readonly decidedAtMs: number;
  readonly endedAtMs?: number;
  readonly outcome?: TransactionOutcome;
  readonly heuristics: readonly HeuristicBranch[];
  readonly idempotency?: IdempotencyKey;
  readonly answer?: unknown;
}

/** Throws where a proposal would decide what its participant decides, or copies what none does. */
export function assertMayPropose({ transaction, isCopy }: Proposal): void {
  const isThere = decidedAt(transaction) !== undefined;
  invariant(
    isThere === (isCopy === true),
    `${transaction} proposed to the register, which does not decide it`,
  );
}

export type Decided =
  /** The decision on record. `byUs` when this very proposal recorded it. */
  | { readonly kind: 'on-record'; readonly standing: StandingDecision; readonly byUs: boolean }
  /** Another transaction committed under the same key: this one can never commit. */
  | { readonly kind: 'key-taken'; readonly holder: StandingDecision }
  /** Older than retention: its decision was pruned, or it never had one and cannot get one now. */
  | { readonly kind: 'forgotten' };

/** The register did not answer: what became of the call is unknown. Ask again; guess nothing. */
export class RegisterUnknown extends Error {
  override readonly name = 'RegisterUnknown';
}

export abstract class DecisionRegister {
  /**
   * Proposes a decision; resolves to the decision on record, durably. Rejects with {@link RegisterUnknown}.
   */
  abstract decide(proposal: Proposal): Promise<Decided>;
  /** The decision on record for a transaction, or undefined. Rejects with {@link RegisterUnknown}. */
  abstract standing(transaction: TransactionId): Promise<StandingDecision | undefined>;
  /** The commit that holds an idempotency key, or undefined. Rejects with {@link RegisterUnknown}. */
  abstract holderOf(key: string): Promise<StandingDecision | undefined>;
  /**
   * Claims a key that no commit holds and no one has claimed, or in the place of the claim `instead`, if that
   * one is on record. Resolves to what is on record then. Not durable. Rejects with {@link RegisterUnknown}.
   */
  abstract claim(claim: KeyClaim, instead?: TransactionId): Promise<Claimed>;
  /** Takes a claim back, lazily; a key with another claim stays as it is. Never rejects. */
  abstract unclaim(claim: KeyClaim): void;
  /**
   * Records a heuristic outcome durably, and first an abort where no decision is on record, unless its participant
   * decides it: then none is. Idempotent per branch. Rejects with {@link RegisterUnknown}.
   */
  abstract recordHeuristic(
    transaction: TransactionId,
    decision: Decision,
    heuristic: HeuristicBranch,
  ): Promise<void>;
  /**
   * Notes, lazily, that every branch of a commit has reported, `afterMs` whole milliseconds after it was
   * decided: `endedAtMs` is `decidedAtMs + afterMs`, unless that is in the register's future. Losing it
   * costs one repeated round. Never rejects.
   */
  abstract noteEnded(
    transaction: TransactionId,
    outcome: TransactionOutcome,
    afterMs: number,
  ): void;
  /** The distinct finishers of commits that have not ended. Rejects with {@link RegisterUnknown}. */
  abstract unfinishedFinishers(): Promise<Incarnation[]>;
  /**
   * Claims up to `limit` standing, unended commits from finisher `from` for finisher `to`, skipping
   * what others are claiming at this moment. Rejects with {@link RegisterUnknown}.
   */
  abstract claimUnfinished(
    from: Incarnation,
    to: Incarnation,
    limit: number,
  ): Promise<StandingDecision[]>;
  /** The oldest commit that has not ended, or undefined. Rejects with {@link RegisterUnknown}. */
  abstract oldestUnfinished(): Promise<TransactionId | undefined>;
}
