/**
 * A coordinator's host: performs what the shipped transaction machine returns, as
 * perform-transaction.ts does. Records are forced one after another, over all steps; messages leave
 * only when every record of their own step is durable, and a step without records is performed at
 * once, also while others wait for the register.
 */
import {
  InvariantViolation,
  PeerViolation,
  type TransactionEvent,
  type TransactionStep,
} from '@concordat/protocol';
import type { Host } from './host.js';
import type { Coordinator, Forcing } from './world.js';

export class CoordinatorHost {
  constructor(private readonly host: Host) {}

  /** Steps the machine with one event and begins to perform what it returns. */
  apply(coordinator: Coordinator, event: TransactionEvent): Coordinator {
    const { transaction } = coordinator;
    if (!transaction) return coordinator; // The answer to something this process has forgotten.
    try {
      return this.enact(coordinator, this.host.stepTransaction(transaction, event));
    } catch (error) {
      return refuseOrBreak(coordinator, error);
    }
  }

  enact(coordinator: Coordinator, step: TransactionStep): Coordinator {
    const next = { ...coordinator, transaction: step.state };
    const rest: Forcing = {
      records: step.records,
      // An abort that is not decided yet is the same message.
      messages: step.messages.map(({ type, branch }) => ({
        type: type === 'settle' ? ('abort' as const) : type,
        branch,
      })),
      notification: step.timers.some((timer) => timer.type === 'notification'),
    };
    if (this.host.order === 'force, then send') return this.inLine(next, rest);
    const sent = this.afterForce(next, rest);
    return this.inLine(sent, { ...rest, messages: [], notification: false });
  }

  /** Records wait until all before them are durable: an end is not noted before the evidence. */
  private inLine(coordinator: Coordinator, step: Forcing): Coordinator {
    // An end without records is not settled while records wait (isSettled): no other record reports it.
    if (step.records.length === 0) return this.afterForce(coordinator, step);
    if (coordinator.forcing.length === 0 || this.host.forces === 'side by side') {
      return this.force(coordinator, step, []);
    }
    return { ...coordinator, forcing: [...coordinator.forcing, step] };
  }

  /** Goes on with a step whose waiting record is durable, and with those in line behind it. */
  goOn(coordinator: Coordinator, step: Forcing): Coordinator {
    const others = coordinator.forcing.filter((one) => one !== step);
    const rest = { ...step, records: step.records.slice(1) };
    if (this.host.forces === 'side by side') {
      return this.force({ ...coordinator, forcing: others }, rest, []);
    }
    return this.force({ ...coordinator, forcing: [] }, rest, others);
  }

  /** Performs a step until one of its records has to wait for the register, then the next in line. */
  private force(coordinator: Coordinator, step: Forcing, behind: readonly Forcing[]): Coordinator {
    let { records } = step;
    let { noting } = coordinator;
    // An end is noted lazily: the call returns at once and the note lands some time later.
    for (let first = records[0]; first?.type === 'ended'; first = records[0]) {
      noting = first.outcome;
      records = records.slice(1);
    }
    const noted = { ...coordinator, noting };
    const rest = { ...step, records };
    if (records.length > 0) return { ...noted, forcing: [...noted.forcing, rest, ...behind] };
    const [next, ...others] = behind;
    const performed = this.afterForce(noted, rest);
    return next ? this.force(performed, next, others) : performed;
  }

  private afterForce(coordinator: Coordinator, { messages, notification }: Forcing): Coordinator {
    const ended = coordinator.transaction?.phase === 'ended';
    return {
      ...coordinator,
      unsent: [...coordinator.unsent, ...messages],
      notification: !ended && (coordinator.notification || notification),
    };
  }
}

/** Whether the owner may report to its client that everything is completed. */
export function isSettled({ transaction, forcing }: Coordinator): boolean {
  return transaction?.phase === 'ended' && forcing.length === 0;
}

export function refuseOrBreak<Part extends { readonly broken: string | null }>(
  part: Part,
  error: unknown,
): Part {
  if (error instanceof PeerViolation) return part;
  if (error instanceof InvariantViolation) return { ...part, broken: error.message };
  throw error;
}
