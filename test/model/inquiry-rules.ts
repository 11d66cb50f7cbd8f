/**
 * Inquiries: a participant in doubt asks a coordinator, which looks into its memory, reads the
 * register, asks the owner, proposes an abort and answers what is on record. Each is a step of its own, since
 * the race between them is the classic way to lose data (protocol §3, §5).
 */
import type { BranchId, Decision } from '@concordat/protocol';
import { fault, type Change } from './change.js';
import type { Host } from './host.js';
import {
  including,
  type Coordinator,
  type Inquiry,
  type Participant,
  type Slot,
  type Truth,
} from './world.js';

export class InquiryRules {
  constructor(private readonly host: Host) {}

  /** The question arrives: memory first, then the register. */
  ask(
    coordinator: Coordinator,
    slot: Slot,
    truth: Truth,
    participant: Participant,
    branch: BranchId,
  ): Change[] {
    const { role, unsent } = coordinator;
    if (role === 'down' || unsent.length > 0 || !asks(participant)) return [];
    const remembered = fromMemory(coordinator);
    if (remembered === 'undecided') return []; // It gets that answer, and asks again.
    if (remembered) {
      const decision = this.decisionFor(remembered, truth, branch);
      const told = this.reply(truth, participant, decision);
      return [
        { label: `c${slot} answers {p}, which asked: ${decision}`, kind: 'progress', ...told },
      ];
    }
    const stands = truth.pruned || truth.decision === 'none' ? undefined : truth.decision;
    const standing = stands && this.decisionFor(stands, truth, branch);
    // The owner itself need not be asked: what it does not remember is not live anywhere.
    const knows = role === 'owner' || !this.host.inquiryAsksOwner || standing !== undefined;
    if (!knows) {
      const label = `{p} asks c${slot}, which finds nothing in the register`;
      return [
        { label, kind: 'progress', participant: { ...participant, inquiry: `read@${slot}` } },
      ];
    }
    const verdict = this.host.judgeInquiry({ standing, owner: 'gone' });
    switch (verdict.kind) {
      case 'tell': {
        const told = this.reply(truth, participant, verdict.decision);
        const label = `{p} asks c${slot}, which reads the register and answers ${verdict.decision}`;
        return [{ label, kind: 'progress', ...told }];
      }
      case 'undecided':
        return [];
      case 'propose-abort': {
        const inquiry: Inquiry = `propose@${slot}`;
        const label = `{p} asks c${slot}, which knows of nothing live`;
        return [{ label, kind: 'progress', participant: { ...participant, inquiry } }];
      }
    }
  }

  /** The owner is asked whether it is live there; silence counts as a no. */
  askOwner(owner: Coordinator, participant: Participant): Change[] {
    const slot = slotIn(participant.inquiry, 'read');
    if (!slot) return [];
    const { transaction } = owner;
    const live = owner.role === 'owner' && !!transaction && transaction.phase !== 'ended';
    const changes: Change[] = [this.judge(slot, live, participant)];
    if (live) {
      const { label, ...suspecting } = this.judge(slot, false, participant);
      changes.push({ ...suspecting, ...fault('suspicion'), label: `${label}, taking it for dead` });
    }
    return changes;
  }

  private judge(slot: Slot, live: boolean, participant: Participant): Change {
    const owner = live ? 'live' : 'gone';
    const verdict = this.host.judgeInquiry({ standing: undefined, owner });
    if (verdict.kind === 'undecided') {
      const label = `c${slot} asks the owner and answers {p}: undecided`;
      return { label, kind: 'progress', participant: { ...participant, inquiry: 'none' } };
    }
    if (verdict.kind === 'tell') {
      const label = `c${slot} answers {p}: ${verdict.decision}`;
      const inquiry: Inquiry = `reply ${verdict.decision}`;
      return { label, kind: 'progress', participant: { ...participant, inquiry } };
    }
    const label = `c${slot} asks the owner for {p} and finds it ${owner}`;
    return { label, kind: 'progress', participant: { ...participant, inquiry: `propose@${slot}` } };
  }

  /** The compare-and-set: an abort is proposed, and what is on record is the answer. */
  propose(truth: Truth, participant: Participant, branch: BranchId): Change[] {
    const slot = slotIn(participant.inquiry, 'propose');
    if (!slot) return [];
    const asked = { ...participant, inquiry: 'none' as const };
    if (truth.pruned && this.host.presumesAbortOfPruned) {
      const label = `c${slot} finds no record and answers {p}: abort`;
      return [{ label, kind: 'progress', ...this.reply(truth, participant, 'abort') }];
    }
    if (truth.pruned) {
      const label = `c${slot} cannot answer {p} any more: the transaction is below the pruning mark`;
      return [{ label, kind: 'progress', participant: asked }];
    }
    const { inquiryProposes, inquiryTells } = this.host;
    const stands = this.host.stands(truth.decision, inquiryProposes);
    const after: Truth = stands === truth.decision ? truth : { ...truth, decision: stands };
    const tells = this.decisionFor(inquiryTells(stands, inquiryProposes), after, branch);
    const told = this.reply(after, participant, tells);
    const label = `c${slot} proposes ${inquiryProposes} for {p}, and ${stands} is on record`;
    return [
      {
        label: tells === stands ? label : `${label}; it answers ${tells}`,
        kind: 'progress',
        ...told,
      },
      {
        label: `${label}; the answer is lost`,
        ...fault('register unknown'),
        truth: after,
        participant: asked,
      },
    ];
  }

  /** resolver.ts: a heuristic outcome that an inquiry led to is recorded by whichever coordinator. */
  report(truth: Truth, participant: Participant, branch: BranchId): Change[] {
    if (!participant.unreported) return [];
    const decision = truth.decision === 'none' ? 'abort' : truth.decision;
    const evidence = including(truth.evidence, branch);
    return [
      {
        label: 'a coordinator records what {p} reports: a heuristic outcome',
        kind: 'progress',
        participant: { ...participant, unreported: null },
        truth: truth.pruned ? truth : { ...truth, decision, evidence },
      },
    ];
  }

  /** A branch that a commit on record does not name voted read-only: what it has prepared ran again. */
  private decisionFor(decision: Decision, truth: Truth, branch: BranchId): Decision {
    if (decision === 'abort' || this.host.inquiryIsAbout === 'the transaction') return decision;
    if (truth.decision !== 'commit' || truth.branches.includes(branch)) return 'commit';
    return 'abort';
  }

  private reply(
    truth: Truth,
    participant: Participant,
    decision: Decision,
  ): { readonly truth: Truth; readonly participant: Participant } {
    // For a branch that takes no part in the commit, an abort says nothing about the transaction.
    const aside = decision === 'abort' && truth.decision === 'commit' && participant.readOnly;
    return {
      truth: aside ? truth : { ...truth, said: including(truth.said, decision) },
      participant: { ...participant, inquiry: `reply ${decision}` },
    };
  }
}

/** inquirer.ts: what a coordinator knows for certain without asking the register. */
function fromMemory({ transaction }: Coordinator): Decision | 'undecided' | undefined {
  switch (transaction?.phase) {
    case 'active':
    case 'preparing':
    case 'settling':
    case 'deciding':
      return 'undecided';
    case 'committing':
      return 'commit';
    case 'aborting':
      return 'abort';
    case 'ended':
      return transaction.decision === 'abort' ? 'abort' : undefined;
    case undefined:
      return undefined;
  }
}

/** resolver.ts: prepared in the database, and no instance here is finishing it. */
function asks({ row, inquiry, instances }: Participant): boolean {
  if (row !== 'prepared' || inquiry !== 'none') return false;
  return instances.some(({ branch: { phase } }) => phase === 'absent' || phase === 'prepared');
}

function slotIn(inquiry: Inquiry, stage: 'read' | 'propose'): Slot | undefined {
  if (inquiry === `${stage}@1`) return 1;
  if (inquiry === `${stage}@2`) return 2;
  return undefined;
}
