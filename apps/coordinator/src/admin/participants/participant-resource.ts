/** From what a participant says of itself to what the admin API shows. */
import type { InstanceReport } from '@concordat/engine';
import { preparedResource } from '../transactions/prepared-resource.js';
import type { CloserLook, SeenParticipant } from './participants-watch.js';
import type { AdminParticipantResource, ParticipantSummaryResource } from './prepared.schema.js';

const instant = (ms: number): string => new Date(ms).toISOString();

export function participantSummary(seen: SeenParticipant): ParticipantSummaryResource {
  const { slots, oldestMs, lastError, lastSeenAtMs } = seen;
  return {
    participant: seen.participant,
    state: seen.state,
    instances: seen.instances.length,
    inDoubt: seen.inDoubt,
    ...(slots ? { slotsUsed: slots.used, slotsMax: slots.max } : {}),
    ...(oldestMs === undefined ? {} : { oldestMs }),
    blockedSessions: seen.blockedSessions,
    ...(lastError === undefined ? {} : { lastError }),
    ...(lastSeenAtMs === undefined ? {} : { lastSeenAt: instant(lastSeenAtMs) }),
  };
}

export function participantResource(
  seen: SeenParticipant,
  closer: CloserLook | undefined,
): AdminParticipantResource {
  const { participant } = seen;
  return {
    ...participantSummary(seen),
    instanceReports: seen.instances.map(({ instance, version, details }) => ({
      instance,
      version,
      ...instanceOf(details),
    })),
    prepared: (closer?.impact ?? []).flatMap((one) => preparedResource(participant, one) ?? []),
    checks: (closer?.checks ?? []).map((check) => ({ ...check, at: participant })),
  };
}

function instanceOf(
  details: InstanceReport,
): Omit<AdminParticipantResource['instanceReports'][number], 'instance' | 'version'> {
  const { operations = [], working = 0, limits, database, lookedAtMs, lastError } = details;
  return {
    operations: [...operations],
    openBranches: working,
    ...(limits ? { limits: { ...limits } } : {}),
    ...(database ? { database: { ...database } } : {}),
    ...(lookedAtMs === undefined ? {} : { lookedAt: instant(lookedAtMs) }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}
