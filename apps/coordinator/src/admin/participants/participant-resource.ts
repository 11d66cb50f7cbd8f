/**
 * From what a participant says of itself to what the admin API shows. Guards "what is not known is
 * absent": no number is made of silence, and of a database that is away only what was known last is told.
 */
import type { InstanceReport } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import { preparedResource } from '../transactions/prepared-resource.js';
import type { CloserLook, SeenParticipant } from './participants-watch.js';
import type {
  AdminParticipantResource,
  CheckResource,
  ParticipantSummaryResource,
} from './prepared.schema.js';

const instant = (ms: number): string => new Date(ms).toISOString();

/** What it may still have to be told; undefined where the register does not answer. */
export type Undelivered = ReadonlyMap<ParticipantName, number> | undefined;

/** Whether an instance tells now what lies prepared in its database. */
export function isSeen({ inDoubt }: SeenParticipant): boolean {
  return inDoubt !== undefined;
}

export function participantSummary(
  seen: SeenParticipant,
  undelivered: Undelivered,
): ParticipantSummaryResource {
  const { participant, slots, inDoubt, oldestMs, blockedSessions, lastError, lastSeenAtMs } = seen;
  const { lastKnown } = seen;
  return {
    participant,
    state: seen.state,
    instances: seen.instances.length,
    ...(inDoubt === undefined ? {} : { inDoubt }),
    ...(slots ? { slotsUsed: slots.used, slotsMax: slots.max } : {}),
    ...(oldestMs === undefined ? {} : { oldestMs }),
    ...(blockedSessions === undefined ? {} : { blockedSessions }),
    ...(isSeen(seen) || !lastKnown
      ? {}
      : { lastKnown: { inDoubt: lastKnown.inDoubt, at: instant(lastKnown.atMs) } }),
    ...(isSeen(seen) || !undelivered ? {} : { undelivered: undelivered.get(participant) ?? 0 }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(lastSeenAtMs === undefined ? {} : { lastSeenAt: instant(lastSeenAtMs) }),
  };
}

/** Without what may be done about it. */
export function participantResource(
  seen: SeenParticipant,
  undelivered: Undelivered,
  closer: CloserLook | undefined,
): Omit<AdminParticipantResource, 'actions' | 'etag'> {
  const { participant } = seen;
  const prepared = closer?.impact?.flatMap((one) => preparedResource(participant, one) ?? []);
  return {
    ...participantSummary(seen, undelivered),
    instanceReports: seen.instances.map(({ instance, version, details }) => ({
      instance,
      version,
      ...instanceOf(details),
    })),
    ...(prepared ? { prepared } : {}),
    checks: checksOf(participant, closer),
  };
}

function checksOf(at: ParticipantName, closer: CloserLook | undefined): CheckResource[] {
  if (closer?.checks) return closer.checks.map((check) => ({ ...check, at }));
  const found = closer?.why ?? 'no instance answers';
  return [{ name: 'settings', at, result: 'unknown', found }];
}

function instanceOf(
  details: InstanceReport,
): Omit<AdminParticipantResource['instanceReports'][number], 'instance' | 'version'> {
  const { operations, working, limits, database, lookedAtMs, lastError } = details;
  return {
    ...(operations ? { operations: [...operations] } : {}),
    ...(working === undefined ? {} : { openBranches: working }),
    ...(limits ? { limits: { ...limits } } : {}),
    ...(database ? { database: { ...database } } : {}),
    ...(lookedAtMs === undefined ? {} : { lookedAt: instant(lookedAtMs) }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}
