/**
 * One phase, as others than the owner settle it (decide-there.ts): a coordinator that does not have the
 * transaction sends its participant an abort, learns which row is there, and copies that to the register.
 * Guards protocol §4.6: the register is never asked, and never decides.
 */
import type { Decision } from '@concordat/protocol';
import { fault, type Change } from './change.js';
import type { Host } from './host.js';
import { deliveries } from './mail.js';
import {
  branchOf,
  including,
  type Coordinator,
  type Mail,
  type Participant,
  type Slot,
  type Truth,
} from './world.js';

interface AskedThere {
  readonly slot: Slot;
  /** The owner lives and has it: it is asked in spite of that only where it is taken for dead. */
  readonly attended: boolean;
  readonly truth: Truth;
  readonly participant: Participant;
}

export class DecideThereRules {
  constructor(private readonly host: Host) {}

  ask({ role, transaction, unsent }: Coordinator, asked: AskedThere): Change[] {
    if (role === 'down' || transaction || unsent.length > 0) return [];
    const { slot, attended, truth, participant } = asked;
    const question: Mail = `abort<${slot}`;
    const changes = this.hear(asked);
    const isKnown = !truth.pruned && truth.decision !== 'none';
    if (isKnown || participant.mail.includes(question)) return changes;
    const how = attended ? fault('suspicion') : ({ kind: 'progress' } as const);
    if (!this.host.asksWhereItIsDecided) {
      const decision = this.host.stands(truth.decision, 'abort');
      const after: Truth = { ...truth, decision, said: including(truth.said, decision) };
      return [...changes, { label: `c${slot} puts an abort on record`, ...how, truth: after }];
    }
    const mail = including(participant.mail, question);
    const label = `c${slot} is asked, and sends {p} an abort`;
    return [...changes, { label, ...how, participant: { ...participant, mail } }];
  }

  /** What is there is copied, and is the answer; an abort of what is past retention is none. */
  private hear({ slot, truth, participant }: AskedThere): Change[] {
    const isAnswer = (mail: Mail): boolean =>
      [`committed>${slot}`, `aborted>${slot}`, `forgotten>${slot}`].includes(mail);
    return deliveries(participant, isAnswer).flatMap(({ mail, after, again, ...how }): Change[] => {
      if (mail.startsWith('forgotten')) {
        const label = `c${slot} learns from {p}${again} that it is forgotten, and records that`;
        const evidence = including(truth.evidence, branchOf(0));
        return [{ label, ...how, participant: after, truth: { ...truth, evidence } }];
      }
      const found: Decision = mail.startsWith('committed') ? 'commit' : 'abort';
      const label = `c${slot} learns from {p}${again}: ${found}`;
      if (truth.pruned) {
        const said = found === 'commit' ? including(truth.said, found) : truth.said;
        return [{ label, ...how, participant: after, truth: { ...truth, said } }];
      }
      const copied = this.copy(truth, found, slot);
      const told = { ...copied, said: including(copied.said, copied.decision as Decision) };
      const lost = `${label}; the answer to its copy is lost`;
      return [
        { label, ...how, participant: after, truth: told },
        { label: lost, ...fault('register unknown'), participant: after, truth: copied },
      ];
    });
  }

  private copy(truth: Truth, found: Decision, finisher: Slot): Truth {
    const decision = this.host.stands(truth.decision, found);
    if (decision === truth.decision || found === 'abort') return { ...truth, decision };
    return { ...truth, decision, branches: [branchOf(0)], finisher, ended: 'committed' };
  }
}
