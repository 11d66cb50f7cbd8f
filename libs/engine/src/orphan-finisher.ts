/**
 * Finishes one branch at an operator's word: by what the register says, or, where the register has
 * forgotten, as the operator says. Guards protocol §7: the same machinery as an inquiry and a delivery,
 * and the opposite of a standing decision cannot be asked for.
 *
 * Crash windows:
 * - after the abort was made to stand, before the command: it stands; the branch asks by itself, or
 *   this is asked again and gets the same answer.
 * - after the command, before its answer: the branch is finished or not; a repeat is answered from
 *   the outcome row or the tombstone.
 * - after an answer that is heuristic, before it is recorded: the rows that gave it away stay, so a
 *   repeat finds the same evidence.
 * - a forced finish, anywhere: the register holds nothing and cannot hold anything any more, since the
 *   transaction lies below the pruning mark, which never falls. Two that force opposite ways meet at
 *   the database: the first one wins, the second is told so.
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
  /** Past retention: the register cannot tell. Only force is left. */
  | { readonly kind: 'forgotten' }
  /** What stands is known, the participant is not reached; `certain`: nobody has received it. */
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

export interface OrphanFinisherPorts {
  readonly manager: TransactionManager;
  readonly channel: ParticipantChannel;
}

export interface OrphanFinisherOptions {
  readonly incarnation: Incarnation;
  /** How long the participant's answer is awaited. */
  readonly waitMs?: number;
}

const WAIT_MS = 5_000;

export class OrphanFinisher {
  constructor(
    private readonly ports: OrphanFinisherPorts,
    private readonly options: OrphanFinisherOptions,
  ) {}

  /** Finishes a branch by what the register says, making an abort stand where nothing does. */
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
   * Finishes a branch that nobody can tell about any more, as somebody with the right to force it
   * says. Writes nothing into the register. Refused unless the register has forgotten the transaction.
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
