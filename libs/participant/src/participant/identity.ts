/**
 * Who a participant is, and how much it takes on. Guards protocol §2: a name or a cluster id that does not
 * fit the grammar is refused before it becomes part of a subject or is compared with a gid. A limit that
 * could admit nothing is refused before it does.
 */
import {
  isClusterId,
  isParticipantName,
  type ClusterId,
  type ParticipantName,
} from '@concordat/protocol';
import { ParticipantMisconfigured } from './operation-table.js';
import type { ParticipantLimits } from './participant-options.js';

export interface ParticipantIdentity {
  readonly name: ParticipantName;
  /** Absent: to be discovered. */
  readonly cluster?: ClusterId;
}

/** Throws {@link ParticipantMisconfigured}, naming the field. */
export function identityOf({
  name,
  cluster,
}: {
  readonly name: string;
  readonly cluster?: string;
}): ParticipantIdentity {
  if (!isParticipantName(name)) {
    throw new ParticipantMisconfigured(
      `participant name ${JSON.stringify(name)} is refused: begin with a small letter, then small letters, digits or "-", at most 32 characters`,
    );
  }
  if (cluster === undefined) return { name };
  if (!isClusterId(cluster)) {
    throw new ParticipantMisconfigured(
      `cluster ${JSON.stringify(cluster)} is refused: a cluster id is eight small letters or digits; leave it out to have it discovered`,
    );
  }
  return { name, cluster };
}

const COUNTS = ['sessionsMax', 'lockWaitersMax', 'inDoubtMax', 'keptStatements'] as const;

/** Throws {@link ParticipantMisconfigured}, naming the limit, where one is no number of things. */
export function checkLimits(limits: Pick<ParticipantLimits, (typeof COUNTS)[number]>): void {
  for (const name of COUNTS) {
    const value = limits[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw new ParticipantMisconfigured(
      `${name} ${String(value)} is refused: give a whole number, 1 or more, or leave it out`,
    );
  }
  const { sessionsMax, lockWaitersMax } = limits;
  if (sessionsMax === undefined || lockWaitersMax === undefined) return;
  if (lockWaitersMax <= sessionsMax) return;
  throw new ParticipantMisconfigured(
    `lockWaitersMax ${lockWaitersMax} is refused: at most ${sessionsMax} branches have a session (sessionsMax), and as many may wait for locks; leave it out for half of them`,
  );
}
