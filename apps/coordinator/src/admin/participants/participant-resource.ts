/**
 * From what a participant reports to what the admin API shows. Guards "what is not known is absent": a
 * missing answer never becomes a number, and of an unreachable database only the last known state is shown.
 */
import type { SeenLockWait, Undelivered, WaitPicture } from '@concordat/diagnosis';
import type {
  AdminParticipantResource,
  CheckResource,
  ParticipantSummaryResource,
} from '@concordat/api';
import type { InstanceReport } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import { preparedResource } from '../transactions/prepared-resource.js';
import { blockerResource, sessionWaitResource } from '../../waits/wait-resource.js';
import type { CloserLook } from '../../known/participants-watch.js';
import type { SeenParticipant } from '../../known/seen-participant.js';

const WAITS_SHOWN = 50;

const instant = (ms: number): string => new Date(ms).toISOString();

/** Whether an instance reports now what is prepared in its database. */
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
    ...(seen.recalled === undefined ? {} : { waitingWithoutSession: seen.recalled }),
    ...longestWait(seen),
    ...(isSeen(seen) || !lastKnown
      ? {}
      : { lastKnown: { inDoubt: lastKnown.inDoubt, at: instant(lastKnown.atMs) } }),
    ...(isSeen(seen) || !undelivered ? {} : { undelivered: undelivered.get(participant) ?? 0 }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(lastSeenAtMs === undefined ? {} : { lastSeenAt: instant(lastSeenAtMs) }),
  };
}

/** Of branches alone: what others wait for is theirs, unless a branch holds it. */
export function waitingBranches({
  lockWaits,
}: SeenParticipant): readonly SeenLockWait[] | undefined {
  return lockWaits?.waits.filter(({ waiter }) => waiter.kind === 'branch');
}

function longestWait(
  seen: SeenParticipant,
): Pick<ParticipantSummaryResource, 'waitingBranches' | 'longestWaitMs'> {
  const waits = waitingBranches(seen);
  if (!waits) return {};
  const longestWaitMs = Math.max(0, ...waits.map(waitedMs));
  return { waitingBranches: waits.length, ...(waits.length > 0 ? { longestWaitMs } : {}) };
}

/** How long it had waited when it was last reported. */
export function waitedMs({ heardAtMs, sinceMs }: SeenLockWait): number {
  return Math.max(0, heardAtMs - sinceMs);
}

/** Without what may be done about it. */
export function participantResource(
  seen: SeenParticipant,
  undelivered: Undelivered,
  closer: CloserLook | undefined,
  waits: WaitPicture,
): Omit<AdminParticipantResource, 'actions' | 'etag'> {
  const { participant } = seen;
  const prepared = closer?.impact?.flatMap(
    (one) => preparedResource(participant, one, waits) ?? [],
  );
  return {
    ...participantSummary(seen, undelivered),
    instanceReports: seen.instances.map(({ instance, version, details }) => ({
      instance,
      version,
      ...instanceOf(details),
    })),
    ...(prepared ? { prepared } : {}),
    ...waitsAt(seen, waits),
    checks: checksOf(participant, closer),
  };
}

/** Absent where no instance reports the waits there. */
function waitsAt(
  { participant, lockWaits }: SeenParticipant,
  picture: WaitPicture,
): Pick<AdminParticipantResource, 'lockWaits' | 'blockers'> {
  const waits = picture.at(participant);
  if (!lockWaits && waits.length === 0) return {};
  const longest = [...waits].sort((a, b) => a.sinceMs - b.sinceMs);
  const blockers = picture.blockers().filter((one) => one.participant === participant);
  return {
    lockWaits: longest.slice(0, WAITS_SHOWN).map(sessionWaitResource),
    blockers: blockers.slice(0, WAITS_SHOWN).map(blockerResource),
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
