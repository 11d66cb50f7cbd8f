/**
 * What a coordinator can do next, alone and with one participant: its client, its timers, its
 * messages. While messages of a step are leaving it does nothing else, since that is one turn of one
 * process; a crash can come between any two of them.
 */
import type {
  AbortCause,
  BranchId,
  BranchOutcome,
  TransactionState,
  Vote,
} from '@concordat/protocol';
import type { Change } from './change.js';
import { fault } from './change.js';
import { CoordinatorHost, isSettled } from './coordinator-host.js';
import type { Host } from './host.js';
import { deliveries } from './mail.js';
import type { Scenario } from './scenario.js';
import {
  IDLE_COORDINATOR,
  excluding,
  including,
  type AckKind,
  type Coordinator,
  type Mail,
  type Participant,
  type Slot,
  type VoteKind,
} from './world.js';

const CHANGED_ITS_MIND: AbortCause = { kind: 'rollback-requested', reason: '' };

export class CoordinatorRules {
  readonly performing: CoordinatorHost;

  constructor(
    private readonly host: Host,
    private readonly scenario: Scenario,
  ) {
    this.performing = new CoordinatorHost(host);
  }

  alone(coordinator: Coordinator, slot: Slot): Change[] {
    const { role, transaction, unsent } = coordinator;
    if (role === 'down') {
      const restarted: Coordinator = { ...IDLE_COORDINATOR, role: 'other' };
      return [{ label: `c${slot} starts again`, kind: 'choice', coordinator: restarted }];
    }
    if (!transaction || unsent.length > 0) return [];
    const changes: Change[] = [];
    const on = (kind: Change['kind'], label: string, after: Coordinator): void => {
      changes.push({ label, kind, coordinator: after });
    };
    const { performing } = this;
    if (role === 'owner') {
      if (transaction.phase === 'active') {
        const { order, onePhase: inOnePhase } = this.scenario;
        const event = { type: 'prepare-requested', order, inOnePhase } as const;
        const after = performing.apply(coordinator, event);
        on('progress', `the client asks c${slot} for the commit`, after);
      }
      if (this.scenario.rollback) {
        const event = { type: 'rollback-requested', cause: CHANGED_ITS_MIND } as const;
        on('choice', `the client asks for a rollback`, performing.apply(coordinator, event));
      }
      const late = performing.apply(coordinator, { type: 'deadline-passed' });
      on('timeout', `the deadline passes at c${slot}`, late);
    }
    changes.push(...this.lateVotes(coordinator, slot));
    if (isSettled(coordinator)) {
      on('progress', `c${slot} forgets the transaction`, { ...coordinator, transaction: null });
    }
    return changes;
  }

  /**
   * Once the owner counts votes no more, any vote of anybody may still arrive, at any time and as
   * often as it likes. It does not in the product: where nothing changes, nothing is searched.
   */
  private lateVotes(coordinator: Coordinator, slot: Slot): Change[] {
    const { role, transaction } = coordinator;
    if (role !== 'owner' || !transaction || countsVotes(coordinator)) return [];
    return [...transaction.branches.keys()].flatMap((branch) =>
      LATE.map((mail): Change => {
        const label = `c${slot} receives a late “${mail}” from p${branch}`;
        return { label, kind: 'fault', coordinator: this.heard(coordinator, branch, mail) };
      }),
    );
  }

  withParticipant(
    coordinator: Coordinator,
    slot: Slot,
    participant: Participant,
    branch: BranchId,
  ): Change[] {
    if (coordinator.unsent.length > 0) return this.send(coordinator, slot, participant, branch);
    return [
      ...this.hear(coordinator, slot, participant, branch),
      ...this.askAgain(coordinator, slot, participant, branch),
      ...this.stopTelling(coordinator, slot, participant, branch),
    ];
  }

  private send(
    coordinator: Coordinator,
    slot: Slot,
    participant: Participant,
    branch: BranchId,
  ): Change[] {
    return coordinator.unsent
      .filter((one) => one.branch === branch)
      .flatMap((message): Change[] => {
        const after = { ...coordinator, unsent: excluding(coordinator.unsent, message) };
        const mail = (one: Mail) => ({ ...participant, mail: including(participant.mail, one) });
        const { type } = message;
        if (type !== 'prepare') {
          const label = `c${slot} sends ${type} to {p}`;
          const sent = mail(`${type}<${slot}`);
          return [{ label, kind: 'progress', coordinator: after, participant: sent }];
        }
        return [
          {
            label: `c${slot} sends prepare to {p}`,
            kind: 'progress',
            coordinator: after,
            participant: mail('prepare'),
          },
          {
            label: `c${slot} sends prepare to {p}, but no instance is connected`,
            ...fault('loss'),
            coordinator: after,
            participant: mail('unreached'),
          },
        ];
      });
  }

  /** Votes go to the owner, acknowledgements to the sender of the decision. */
  private hear(
    coordinator: Coordinator,
    slot: Slot,
    participant: Participant,
    branch: BranchId,
  ): Change[] {
    return deliveries(participant, (mail) => isFor(mail, coordinator, slot)).map(
      ({ mail, after, ...how }) => ({
        ...how,
        label: `c${slot} receives “${mail.split('>')[0]}” from {p}${how.again}`,
        coordinator: this.heard(coordinator, branch, mail),
        participant: after,
      }),
    );
  }

  private heard(coordinator: Coordinator, branch: BranchId, mail: Mail): Coordinator {
    if (mail === 'unreached') {
      return this.performing.apply(coordinator, { type: 'unreached', branch });
    }
    if (mail.startsWith('vote ')) {
      const vote = VOTES[mail.slice(5) as keyof typeof VOTES];
      return this.performing.apply(coordinator, { type: 'voted', branch, vote });
    }
    if (mail.startsWith('forgotten>')) {
      return this.performing.apply(coordinator, { type: 'forgotten', branch, reason: '' });
    }
    const outcome = outcomeOf(mail.split('>')[0] as AckKind);
    return this.performing.apply(coordinator, { type: 'acknowledged', branch, outcome });
  }

  /** The abort notifications end, because this branch does not answer. */
  private stopTelling(
    coordinator: Coordinator,
    slot: Slot,
    participant: Participant,
    branch: BranchId,
  ): Change[] {
    const { transaction, notification } = coordinator;
    if (!notification || transaction?.phase !== 'aborting') return [];
    if (!transaction.unacknowledged.has(branch)) return [];
    const after = this.performing.apply(coordinator, { type: 'notification-over' });
    const asking = participant.mail.includes(`abort<${slot}`) || isAnswering(participant, slot);
    return [
      {
        label: `c${slot} stops sending the abort, since {p} does not answer`,
        ...(asking ? fault('haste') : ({ kind: 'timeout' } as const)),
        coordinator: { ...after, notification: false },
      },
    ];
  }

  /**
   * A missing answer, the backoff and the repeat in one: nothing is received in between that is not received
   * later.
   */
  private askAgain(
    coordinator: Coordinator,
    slot: Slot,
    participant: Participant,
    branch: BranchId,
  ): Change[] {
    const { transaction, givenUp } = coordinator;
    const open = transaction && unanswered(transaction);
    if (!transaction || !open) return [];
    const decision = transaction.phase === 'committing' ? 'commit' : 'abort';
    const question: Mail = `${decision}<${slot}`;
    if (!open.has(branch) || givenUp.includes(branch)) return [];
    if (participant.mail.includes(question)) return [];
    const how = isAnswering(participant, slot) ? fault('haste') : ({ kind: 'timeout' } as const);
    const silence = this.host.stepTransaction(transaction, { type: 'unanswered', branch });
    const waiting = this.performing.enact(coordinator, silence);
    const label = `c${slot} gets no answer from {p}`;
    if (!silence.timers.some((timer) => timer.type === 'retry')) {
      const after = { ...waiting, givenUp: including(givenUp, branch) };
      return [{ label: `${label} and asks no more`, ...how, coordinator: after }];
    }
    const asking = this.performing.apply(waiting, { type: 'retry-due', branch });
    const again = asking.unsent.filter((one) => one.branch === branch && one.type === decision);
    if (again.length !== 1) return [{ label, ...how, coordinator: asking }];
    return [
      {
        label: `${label} and asks again`,
        ...how,
        coordinator: { ...asking, unsent: asking.unsent.filter((one) => one !== again[0]) },
        participant: { ...participant, mail: including(participant.mail, question) },
      },
    ];
  }
}

/** Branches that are asked until they answer. */
function unanswered(transaction: TransactionState): ReadonlySet<BranchId> | undefined {
  switch (transaction.phase) {
    case 'committing':
    case 'aborting':
      return transaction.unacknowledged;
    case 'settling':
      return new Set([transaction.branch]);
    case 'active':
    case 'preparing':
    case 'deciding':
    case 'ended':
      return undefined;
  }
}

const VOTES: Readonly<Record<VoteKind, Vote>> = {
  committed: { kind: 'committed' },
  prepared: { kind: 'prepared' },
  'read-only': { kind: 'read-only' },
  no: { kind: 'no', code: 'NO', reason: '', retryable: false },
};

/** Whether this participant works on a question of this coordinator, or its answer is under way. */
function isAnswering({ mail, instances }: Participant, slot: Slot): boolean {
  return (
    mail.some((one) => one.endsWith(`>${slot}`)) ||
    instances.some((one) => one.askers.includes(slot))
  );
}

const LATE: readonly Mail[] = ['vote prepared', 'vote read-only', 'vote no', 'unreached'];

/** Whether a vote can still matter to it. */
export function countsVotes({ role, transaction }: Coordinator): boolean {
  return (
    role === 'owner' && ['active', 'preparing', 'settling'].includes(transaction?.phase ?? 'none')
  );
}

function isFor(mail: Mail, { role }: Coordinator, slot: Slot): boolean {
  if (mail === 'unreached' || mail.startsWith('vote ')) return role === 'owner';
  return mail.endsWith(`>${slot}`);
}

export function outcomeOf(kind: AckKind): BranchOutcome {
  const heuristic = (
    decision: 'commit' | 'abort',
    found: 'missing' | 'rolled-back' | 'committed',
  ) => ({ kind: 'heuristic', evidence: { decision, found, explanation: '' } }) as const;
  switch (kind) {
    case 'committed':
    case 'aborted':
      return { kind };
    case 'missing':
      return heuristic('commit', 'missing');
    case 'tombstone':
      return heuristic('commit', 'rolled-back');
    case 'found-committed':
      return heuristic('abort', 'committed');
  }
}
