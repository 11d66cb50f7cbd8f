/**
 * Pruning: the register's row goes below the mark, a participant's outcome row is
 * deleted. Guards protocol §3: only what has ended, below the low-water mark, past retention. In one phase
 * nothing rests on retention: prepares, statements and questions may be older, and an owner may have been cut
 * off for longer.
 */
import { fault, type Change } from './change.js';
import { keyIsHeld } from './database-rules.js';
import type { Host } from './host.js';
import type { Coordinator, Participant, Truth, World } from './world.js';

/** `at`: the participant that is meant, if it is one alone. */
export interface Pruning extends Change {
  readonly at?: number;
}

export function pruning(world: World, host: Host): Pruning[] {
  const { truth, coordinators, participants } = world;
  const isHeld = coordinators.some(isLive);
  const unended = isHeld || (truth.decision === 'commit' && !truth.ended);
  const changes: Pruning[] = [];
  const retired: Truth = { ...truth, retired: true };
  const over = truth.inOnePhase || (participants.every(isOver) && !truth.lateProposal);
  const may = unended ? host.prunesDecisionsByAge && truth.decision === 'commit' : over;
  if (may && !truth.pruned) {
    const label = 'the register prunes below the low-water mark';
    changes.push({ label, ...fault('pruning'), truth: { ...retired, pruned: true } });
  }
  if (isHeld && truth.inOnePhase && !truth.pruned) {
    const label = 'its owner, which is cut off, is taken off the list, and the register prunes';
    changes.push({ label, ...fault('suspicion'), truth: { ...retired, pruned: true } });
  }
  if (unended && !(truth.inOnePhase && truth.pruned)) return changes;
  participants.forEach((one, at) => {
    if (truth.inOnePhase) {
      if (!truth.pruned && !host.prunesBeforeTheRegister) return;
      // Also where it has no row: others are forgotten. What holds its key holds the mark too.
      if (one.pruned || keyIsHeld(one)) return;
    } else {
      if (one.row !== 'committed' && one.row !== 'tombstone') return;
      if (!host.prunesOutcomesByAge && !isOver(one)) return;
    }
    const participant: Participant = { ...one, row: 'none', pruned: true };
    const label = '{p} prunes its outcome row';
    changes.push({ label, ...fault('pruning'), participant, truth: retired, at });
  });
  return changes;
}

function isLive({ transaction }: Coordinator): boolean {
  return transaction !== null && transaction.phase !== 'ended';
}

/** Nothing of it is in doubt or under way any more: what retention is chosen to outlast. */
function isOver({ row, orphan, mail, inquiry, instances }: Participant): boolean {
  return (
    row !== 'prepared' &&
    orphan === 'none' &&
    mail.length === 0 &&
    inquiry === 'none' &&
    instances.every((one) => one.branch.phase === 'absent')
  );
}
