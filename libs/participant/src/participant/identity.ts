/**
 * Who a participant is, and how much it takes on. Guards protocol §2: a name or a cluster id that does not
 * fit the grammar is refused before it becomes part of a subject or is compared with a gid.
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

/** Throws {@link ParticipantMisconfigured} where more sessions may wait for locks than there are. */
export function checkLimits(
  limits: Pick<ParticipantLimits, 'sessionsMax' | 'lockWaitersMax'>,
): void {
  const { sessionsMax, lockWaitersMax } = limits;
  if (sessionsMax === undefined || lockWaitersMax === undefined) return;
  if (lockWaitersMax <= sessionsMax) return;
  throw new ParticipantMisconfigured(
    `lockWaitersMax ${lockWaitersMax} is refused: at most ${sessionsMax} branches have a session (sessionsMax), and as many may wait for locks; leave it out for half of them`,
  );
}
