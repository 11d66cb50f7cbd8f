/**
 * A participant as of its last answers, by all its instances together. Guards "what is not known is absent":
 * a number is there only while an instance that sees its database reports it, and of one that does not answer
 * only what cannot change is left.
 */
import type { ParticipantSeen, SeenLockWaits } from '@concordat/diagnosis';
import type { ParticipantReport } from '@concordat/channel';
import type { InstanceReport } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';

/** A participant as of its last answers, by all its instances together. */
export interface SeenParticipant extends ParticipantSeen {
  readonly instances: readonly ParticipantReport[];
  /** Prepared in its database. Absent, as the three below it, where no instance reports it now. */
  readonly inDoubt?: number;
  readonly oldestMs?: number;
  readonly slots?: { readonly used: number; readonly max: number };
  /** That wait for what a branch holds, at work or prepared, or are branches that wait for others. */
  readonly blockedSessions?: number;
  /** Branches that wait for a lock without a session, of the instances that report it. */
  readonly recalled?: number;
  readonly lastError?: string;
}

/**
 * Of the report, only what cannot change is left: what is prepared and what waits is not known now. With `why`
 * where the silence is this coordinator's own: then it says nothing about the participant.
 */
export function silenced(
  { participant, schema, lastSeenAtMs, lastKnown }: SeenParticipant,
  why?: string,
): SeenParticipant {
  return {
    participant,
    state: 'silent',
    instances: [],
    blockedBy: new Map(),
    ...(why === undefined ? {} : { lastError: why }),
    ...(schema === undefined ? {} : { schema }),
    ...(lastSeenAtMs === undefined ? {} : { lastSeenAtMs }),
    ...(lastKnown ? { lastKnown } : {}),
  };
}

/** Instances of one participant look at the same database: the largest number is the newest. */
export function together(
  participant: ParticipantName,
  instances: readonly ParticipantReport[],
  nowMs: number,
  before: SeenParticipant | undefined,
): SeenParticipant {
  const details = instances.map((one) => one.details);
  const most = (read: (report: InstanceReport) => number | undefined): number | undefined =>
    details.reduce<number | undefined>((so, one) => larger(so, read(one)), undefined);
  const blockedBy = new Map<string, number>();
  for (const { gid, sessions } of details.flatMap((one) => one.blocked?.branches ?? [])) {
    blockedBy.set(gid, Math.max(blockedBy.get(gid) ?? 0, sessions));
  }
  const slots = details.find((one) => one.slots !== undefined)?.slots;
  const oldestMs = most((one) => one.oldestMs);
  // What an instance itself counts is no count of its database's.
  const inDoubt = most((one) => one.preparedCount);
  const blockedSessions = larger(
    most((one) => one.lockWaits?.sessions),
    most((one) => one.blocked?.sessions),
  );
  const lockWaits = lockWaitsOf(participant, details, nowMs, before?.lockWaits);
  const recalled = sumOf(details.map((one) => one.recalled));
  const lastKnown = inDoubt === undefined ? before?.lastKnown : { inDoubt, atMs: nowMs };
  const lastError = details.map(troubleOf).find((one) => one !== undefined);
  const schema = instances.map(schemaOf).find((one) => one !== undefined);
  return {
    participant,
    state: lastError === undefined ? 'up' : 'troubled',
    instances,
    ...(inDoubt === undefined ? {} : { inDoubt }),
    ...(oldestMs === undefined || inDoubt === 0 ? {} : { oldestMs }),
    ...(slots ? { slots } : {}),
    ...(blockedSessions === undefined ? {} : { blockedSessions }),
    blockedBy,
    ...(lockWaits ? { lockWaits } : {}),
    ...(recalled === undefined ? {} : { recalled }),
    ...(schema === undefined ? {} : { schema }),
    ...(lastError === undefined ? {} : { lastError }),
    lastSeenAtMs: nowMs,
    ...(lastKnown ? { lastKnown } : {}),
  };
}

/**
 * All instances see the same sessions, and each only its own branches without one. A wait that was known
 * before keeps the instant at which it began.
 */
function lockWaitsOf(
  participant: ParticipantName,
  details: readonly InstanceReport[],
  nowMs: number,
  before: SeenLockWaits | undefined,
): SeenLockWaits | undefined {
  const told = details.flatMap(({ lockWaits }) => (lockWaits ? [lockWaits] : []));
  const [first, ...others] = told;
  if (!first) return undefined;
  const most = others.reduce((a, b) => (b.sessions > a.sessions ? b : a), first);
  const without = told.flatMap(({ waits }) => waits.filter((one) => one.withoutSession));
  const since = new Map(before?.waits.map(({ id, sinceMs }) => [id, sinceMs]));
  const waits = [...most.waits.filter((one) => !one.withoutSession), ...without];
  return {
    waits: waits.map((one) => {
      const sinceMs = since.get(one.id) ?? nowMs - one.waitingMs;
      return { ...one, participant, sinceMs, heardAtMs: nowMs };
    }),
    truncated: told.some((one) => one.truncated === true),
  };
}

function sumOf(counts: readonly (number | undefined)[]): number | undefined {
  const known = counts.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0);
}

const SCHEMA_MAX = 63;

/** Its outcome table's schema, from the report as it came: not every participant has one. */
function schemaOf({ report }: ParticipantReport): string | undefined {
  const { schema } = (report['database'] ?? {}) as { readonly schema?: unknown };
  const isName = typeof schema === 'string' && schema !== '' && schema.length <= SCHEMA_MAX;
  return isName ? schema : undefined;
}

/** What an instance says is wrong now. */
function troubleOf(report: InstanceReport): string | undefined {
  return report.failures?.[0] ?? report.lastError;
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
