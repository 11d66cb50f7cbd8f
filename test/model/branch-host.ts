/**
 * A participant's host: performs what the shipped branch machine returns, as perform-branch.ts and
 * branch-manager.ts do: the database first, then what may be said, then memory. One instance is one
 * process; what it does not remember, the database knows.
 */
import type {
  AbortResult,
  BranchEvent,
  BranchMessage,
  BranchStep,
  CommitResult,
  PrepareResult,
} from '@concordat/protocol';
import { refuseOrBreak } from './coordinator-host.js';
import { outcomeOf } from './coordinator-rules.js';
import type { Host } from './host.js';
import {
  IDLE_INSTANCE,
  including,
  type AckKind,
  type Instance,
  type Mail,
  type Participant,
  type Slot,
  type Statement,
  type VoteKind,
} from './world.js';

const NO = { kind: 'no', code: 'NO', reason: '', retryable: false } as const;
const UNKNOWN = { kind: 'unknown', reason: '' } as const;

export class BranchHost {
  constructor(private readonly host: Host) {}

  with(participant: Participant, k: number, instance: Instance): Participant {
    const instances = participant.instances.map((one, i) => (i === k ? instance : one));
    return { ...participant, instances };
  }

  /** Answers the prepare that came to this instance, now and whenever it is repeated. */
  vote(participant: Participant, k: number, vote: VoteKind): Participant {
    const instance = participant.instances[k] as Instance;
    if (instance.vote !== 'pending') return participant;
    return this.say(this.with(participant, k, { ...instance, vote }), vote);
  }

  say(participant: Participant, vote: VoteKind): Participant {
    if (participant.unheard) return participant;
    return { ...participant, mail: including<Mail>(participant.mail, `vote ${vote}`) };
  }

  begin(participant: Participant, k: number): Participant {
    const begun = this.step(participant, k, { type: 'begun', work: 'bundled' });
    const instance = begun.instances[k] as Instance;
    return this.with(begun, k, { ...instance, vote: 'pending' });
  }

  /** Operations are done: outcome row and PREPARE go out. */
  prepare(participant: Participant, k: number, nature: 'writes' | 'reads'): Participant {
    const statement: Statement = nature === 'writes' ? 'sent' : 'empty';
    return this.step(participant, k, { type: 'prepare-due' }, statement);
  }

  refuse(participant: Participant, k: number): Participant {
    return this.step(participant, k, { type: 'refused', vote: NO });
  }

  prepareAnswered(participant: Participant, k: number, result: PrepareResult): Participant {
    const instance = participant.instances[k] as Instance;
    const settled = this.with(participant, k, { ...instance, statement: 'idle' });
    const after = this.step(settled, k, { type: 'prepare-answered', result });
    // An abort overtook it: the machine says nothing, and the sender of the prepare gets a no.
    return this.vote(after, k, 'no');
  }

  /** A decision arrives, by message or as the answer to an inquiry. */
  carryOut(
    participant: Participant,
    k: number,
    decision: 'commit' | 'abort',
    asker: Slot | 0 | 'no-asker' = 'no-asker',
  ): Participant {
    const type = decision === 'commit' ? 'commit-received' : 'abort-received';
    const after = this.step(participant, k, { type });
    if (after === participant || after.broken) return after; // Refused: out of order.
    const instance = after.instances[k] as Instance;
    const askers = asker === 'no-asker' ? instance.askers : including(instance.askers, asker);
    const asked = this.with(after, k, { ...instance, askers });
    if (this.host.acknowledges === 'when finished') return asked;
    return this.acknowledge(asked, k, decision === 'commit' ? 'committed' : 'aborted');
  }

  /** Past retention: neither of the two, and no later answer will say more. */
  finishForgotten(participant: Participant, k: number): Participant {
    const result = { kind: 'forgotten', reason: '' } as const;
    return this.step(this.rest(participant, k), k, { type: 'abort-answered', result });
  }

  finishAnswered(participant: Participant, k: number, found: AckKind): Participant {
    const outcome = outcomeOf(found);
    const instance = participant.instances[k] as Instance;
    const event = finishEvent(instance, outcome as CommitResult & AbortResult);
    return this.step(this.rest(participant, k), k, event, 'idle', found);
  }

  /** No answer, or another session is finishing it: nothing is known, and nothing is acknowledged. */
  finishUnknown(participant: Participant, k: number): Participant {
    const instance = participant.instances[k] as Instance;
    const after = this.step(this.rest(participant, k), k, finishEvent(instance, UNKNOWN));
    return this.with(after, k, { ...(after.instances[k] as Instance), askers: [] });
  }

  private rest(participant: Participant, k: number): Participant {
    const instance = participant.instances[k] as Instance;
    return this.with(participant, k, { ...instance, finish: 'idle' });
  }

  /**
   * Steps the machine and performs what it returns. `statement`: what a prepare sends · `found`: what
   * an acknowledgement is about. The same participant back means that the event was refused.
   */
  private step(
    participant: Participant,
    k: number,
    event: BranchEvent,
    statement: Statement = 'sent',
    found?: AckKind,
  ): Participant {
    const instance = participant.instances[k] as Instance;
    let step: BranchStep;
    try {
      step = this.host.stepBranch(instance.branch, event);
    } catch (error) {
      return refuseOrBreak(participant, error);
    }
    let next: Instance = { ...instance, branch: step.state };
    for (const record of step.records) next = perform(next, record.type, statement);
    let after = this.with(participant, k, next);
    if (step.records.some((record) => record.type === 'rollback') && step.messages.length === 0) {
      after = this.vote(after, k, 'no'); // Its session ended under the work.
    }
    for (const message of step.messages) after = this.deliver(after, k, message, found);
    return step.state.phase === 'ended' ? this.forget(after, k) : after;
  }

  private deliver(
    participant: Participant,
    k: number,
    message: BranchMessage,
    found: AckKind | undefined,
  ): Participant {
    switch (message.type) {
      case 'vote':
        return this.vote(participant, k, message.vote.kind);
      case 'acknowledge':
        return this.acknowledge(participant, k, found ?? ackOf(message));
      case 'not-yet': // To the asker it equals a missing answer, which is modelled.
        return message.forgotten ? this.answerForgotten(participant, k) : participant;
    }
  }

  private answerForgotten(participant: Participant, k: number): Participant {
    const instance = participant.instances[k] as Instance;
    let { mail } = participant;
    for (const slot of instance.askers)
      if (slot !== 0) mail = including<Mail>(mail, `forgotten>${slot}`);
    return this.with({ ...participant, mail }, k, { ...instance, askers: [] });
  }

  private acknowledge(participant: Participant, k: number, found: AckKind): Participant {
    const instance = participant.instances[k] as Instance;
    let { mail, acknowledged, unreported } = participant;
    for (const slot of instance.askers) {
      if (slot !== 0) mail = including<Mail>(mail, `${found}>${slot}`);
      else if (found !== 'committed' && found !== 'aborted') unreported = found;
    }
    if (found === 'committed') acknowledged = including(acknowledged, 'commit');
    if (found === 'aborted') acknowledged = including(acknowledged, 'abort');
    const after = { ...participant, mail, acknowledged, unreported };
    return this.with(after, k, { ...instance, askers: [] });
  }

  /** Memory of an ended branch goes; a PREPARE that is still under way goes on without a listener. */
  private forget(participant: Participant, k: number): Participant {
    return this.abandon(this.with(participant, k, IDLE_INSTANCE), participant.instances[k]);
  }

  /** No process waits for this instance's statements any more: they may still land, or be lost. */
  abandon(participant: Participant, instance: Instance | undefined): Participant {
    const statement = instance?.statement;
    if (statement !== 'sent' && statement !== 'inserted') return participant;
    if (participant.orphan !== 'none') return participant;
    return { ...participant, orphan: statement };
  }
}

function perform(
  instance: Instance,
  record: 'rollback' | 'prepare' | 'commit' | 'abort',
  statement: Statement,
): Instance {
  switch (record) {
    case 'rollback':
      return { ...instance, statement: 'idle' };
    case 'prepare':
      return { ...instance, statement };
    case 'commit':
      return { ...instance, finish: 'commit' };
    case 'abort':
      return { ...instance, finish: 'rollback' };
  }
}

function finishEvent(
  { branch }: Instance,
  result: (CommitResult & AbortResult) | typeof UNKNOWN,
): BranchEvent {
  return branch.phase === 'committing'
    ? { type: 'commit-answered', result }
    : { type: 'abort-answered', result };
}

function ackOf({ decision, outcome }: Extract<BranchMessage, { type: 'acknowledge' }>): AckKind {
  if (outcome.kind !== 'heuristic') return outcome.kind;
  if (decision === 'abort') return 'found-committed';
  return outcome.evidence.found === 'rolled-back' ? 'tombstone' : 'missing';
}
