/**
 * A scenario: how many take part, what they may answer, and how often each fault may occur. The search is
 * exhaustive within a scenario and shows nothing beyond it.
 */
import type { PrepareOrder } from '@concordat/protocol';
import type { VoteKind } from './world.js';

export const FAULTS = [
  /** A coordinator process dies with its memory. */
  'coordinator crash',
  /** A participant's process dies; statements it has sent may still land. */
  'participant crash',
  /** A message vanishes. */
  'loss',
  /** A message is delivered and stays under way. */
  'duplicate',
  /** A timer runs out while what it waits for is under way. (The deadline may always do so.) */
  'haste',
  /** A living coordinator is taken for dead. */
  'suspicion',
  /** The register's answer is lost, with or without its effect. */
  'register unknown',
  /** A database's answer is lost, with or without its effect. */
  'database unknown',
  /** The register's server crashes and loses an end that was noted without force. */
  'end lost',
  /** A person finishes a prepared transaction manually. */
  'manual',
  /** What has ended is pruned: the decision, or a participant's outcome rows. */
  'pruning',
] as const;

export type Fault = (typeof FAULTS)[number];

/** As often as it likes. Costs no counter, so it can be cheaper than a bound. */
export const ANY = 3;
export const UNBOUNDED = 15;

export interface Scenario {
  readonly participants: 1 | 2 | 3 | 4;
  /** Processes per participant. */
  readonly instances: 1 | 2;
  readonly work: 'bundled' | 'open';
  /** How the branches are asked to prepare. Participants in order are not symmetric. */
  readonly order: PrepareOrder;
  /** The only branch commits by itself: its participant decides. */
  readonly onePhase: boolean;
  /** Inquiries under way at once. */
  readonly inquiries: number;
  /** What a participant's work may come to. */
  readonly votes: readonly VoteKind[];
  /** Whether work that runs a second time writes if and only if it did the first time. */
  readonly steady: boolean;
  /** Whether the client may ask for a rollback. */
  readonly rollback: boolean;
  /** Whether another transaction may commit under the same idempotency key. */
  readonly keyed: boolean;
  /** States that differ only in the participants' names are one. */
  readonly symmetric: boolean;
  readonly faults: Partial<Readonly<Record<Fault, number>>>;
  /** How many faults may occur in all, of any kind. */
  readonly faultsInAll: number;
}

export const CALM: Scenario = {
  participants: 2,
  instances: 1,
  work: 'bundled',
  order: 'parallel',
  onePhase: false,
  inquiries: 1,
  votes: ['prepared', 'no'],
  steady: true,
  rollback: false,
  keyed: false,
  symmetric: true,
  faults: {},
  faultsInAll: UNBOUNDED,
};
