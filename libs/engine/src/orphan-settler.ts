/**
 * Finishes one branch on an operator's request: by the decision in the register, or, where the register has
 * pruned it, as the operator chooses. Guards protocol §7: the same code path as an inquiry and a delivery,
 * and the opposite of a decision on record cannot be requested.
 *
 * Crash windows:
 * - after the abort was recorded, before the command: it is on record; the branch inquires, or the request
 *   is repeated and gets the same answer.
 * - after the command, before its answer: the branch is finished or not; a repeat is answered from
 *   the outcome row or the tombstone.
 * - after an answer that is heuristic, before it is recorded: the rows that gave it away stay, so a
 *   repeat finds the same evidence.
 * - a forced finish, anywhere: the register holds nothing and can no longer hold anything, since the
 *   transaction is below the pruning mark, which never falls. Two forced finishes with opposite decisions
 *   meet at the database: the first one wins, and the second gets the conflict as its answer.
 */
import {
  evidenceAgainst,
  type BranchId,
  type BranchOutcome,
  type Decision,
  type HeuristicEvidence,
  type Incarnation,
  type ParticipantName,
  type TransactionId,
} from '@concordat/protocol';
import { RegisterUnknown, type ParticipantChannel } from './ports/index.js';
import type { TransactionManager } from './transaction-manager.js';

export interface OrphanBranch {
  readonly transaction: TransactionId;
  readonly branch: BranchId;
  readonly participant: ParticipantName;
}

export type OrphanFinish =
  /** The participant has done it. A heuristic outcome is recorded, unless `recorded` is false. */
  | {
      readonly kind: 'finished';
      readonly decision: Decision;
      readonly outcome: BranchOutcome;
      /** Of a heuristic one: whether its evidence is durable. A repeat records it. */
      readonly recorded?: boolean;
    }
  /** Live at its owner, or the register does not answer: it is no orphan now. Ask again. */
  | { readonly kind: 'undecided' }
  /** Past retention: the register does not know it. Only a forced finish is left. */
  | { readonly kind: 'forgotten' }
  /**
   * The decision is known, the participant is not reached; `certain`: no instance has received the command.
   */
  | {
      readonly kind: 'unreachable';
      readonly decision: Decision;
      readonly certain: boolean;
      readonly why: string;
    }
  | { readonly kind: 'not-yet'; readonly decision: Decision; readonly reason: string }
  | {
      readonly kind: 'refused';
      readonly decision: Decision;
      readonly code: string;
      readonly reason: string;
    };

export type ForcedFinish =
  | Exclude<OrphanFinish, { readonly kind: 'undecided' | 'forgotten' }>
  /** The register says what it must become, or may yet: nothing was commanded. */
  | { readonly kind: 'not-forgotten'; readonly standing?: Decision };

export interface OrphanSettlerPorts {
  readonly manager: TransactionManager;
  readonly channel: ParticipantChannel;
}

export interface OrphanSettlerOptions {
  readonly incarnation: Incarnation;
  /** How long the participant's answer is awaited. */
  readonly waitMs?: number;
}

const WAIT_MS = 5_000;

export class OrphanSettler {
  constructor(
    private readonly ports: OrphanSettlerPorts,
    private readonly options: OrphanSettlerOptions,
  ) {}

  /** Finishes a branch by the decision in the register, and records an abort where there is none. */
  async finish(orphan: OrphanBranch): Promise<OrphanFinish> {
    const answer = await this.ports.manager.inquire(orphan);
    if (answer.kind !== 'decided') return answer;
    const done = await this.command(orphan, answer.decision);
    if (done.kind !== 'finished') return done;
    const evidence = evidenceAgainst(answer.decision, done.outcome);
    if (!evidence) return done;
    const outcome = { kind: 'heuristic', evidence } as const;
    return { ...done, outcome, recorded: await this.record(orphan, evidence) };
  }

  /**
   * Finishes a branch whose decision is no longer known, as an operator with the right to force it chooses.
   * Writes nothing into the register. Refused unless the register has pruned the transaction.
   */
  async force(orphan: OrphanBranch, decision: Decision): Promise<ForcedFinish> {
    const answer = await this.ports.manager.inquire(orphan);
    if (answer.kind === 'decided') return { kind: 'not-forgotten', standing: answer.decision };
    if (answer.kind === 'undecided') return { kind: 'not-forgotten' };
    return this.command(orphan, decision);
  }

  private async command(
    { transaction, branch, participant }: OrphanBranch,
    decision: Decision,
  ): Promise<Exclude<OrphanFinish, { readonly kind: 'undecided' | 'forgotten' }>> {
    const { incarnation, waitMs = WAIT_MS } = this.options;
    const answer = await this.ports.channel.finish({
      to: { transaction, branch, participant },
      epoch: incarnation,
      decision,
      timeLeftMs: waitMs,
    });
    switch (answer.kind) {
      case 'no-responders':
        return { kind: 'unreachable', decision, certain: true, why: 'no instance is connected' };
      case 'no-answer':
        return { kind: 'unreachable', decision, certain: false, why: answer.why };
      case 'answered':
    }
    const said = answer.answer;
    switch (said.kind) {
      case 'acknowledged':
        return { kind: 'finished', decision, outcome: said.outcome };
      case 'not-yet':
        return { kind: 'not-yet', decision, reason: said.reason };
      case 'refused':
        return { kind: 'refused', decision, code: said.code, reason: said.reason };
    }
  }

  private async record(
    { transaction, branch, participant }: OrphanBranch,
    evidence: HeuristicEvidence,
  ): Promise<boolean> {
    try {
      await this.ports.manager.recordFound({ transaction, branch, participant, evidence });
      return true;
    } catch (error) {
      if (error instanceof RegisterUnknown) return false;
      throw error;
    }
  }
}
