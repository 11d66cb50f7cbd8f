/** Participants, orphans and the doctor's findings as tables. */
import { durationText } from '@concordat/words';
import type {
  AdminDoctor,
  AdminOrphanList,
  AdminParticipantList,
  Check,
  Orphan,
  ParticipantSummary,
} from '@concordat/client';
import { describeBlocker } from './waits.js';
import { plain, table, toned, type Column } from '../terminal/text.js';

const PARTICIPANTS: readonly Column<ParticipantSummary>[] = [
  { title: 'PARTICIPANT', of: (one) => one.participant },
  { title: 'STATE', of: (one) => one.state },
  { title: 'INSTANCES', of: (one) => String(one.instances), right: true },
  { title: 'IN DOUBT', of: (one) => known(one.inDoubt), right: true },
  {
    title: 'OLDEST',
    of: (one) => (one.oldestMs === undefined ? '' : durationText(one.oldestMs)),
    right: true,
  },
  { title: 'SLOTS', of: slotsOf, right: true },
  { title: 'BLOCKS', of: (one) => known(one.blockedSessions), right: true },
  { title: 'WAITING', of: waitingOf, right: true },
  { title: 'LAST ANSWER', of: (one) => one.lastSeenAt ?? 'never' },
  { title: 'LAST ERROR', of: (one) => one.lastError ?? '', rest: true },
];

function slotsOf({ slotsUsed, slotsMax }: ParticipantSummary): string {
  return slotsUsed === undefined || slotsMax === undefined ? NOT_KNOWN : `${slotsUsed}/${slotsMax}`;
}

/** Branches that wait for a lock, and how long the longest. */
function waitingOf({
  waitingBranches,
  longestWaitMs,
  waitingWithoutSession = 0,
}: ParticipantSummary): string {
  if (waitingBranches === undefined) return NOT_KNOWN;
  const longest = longestWaitMs === undefined ? '' : `, ${durationText(longestWaitMs)}`;
  const without = waitingWithoutSession > 0 ? `, ${waitingWithoutSession} without session` : '';
  return `${waitingBranches}${longest}${without}`;
}

const NOT_KNOWN = 'not known';

/** A number that is not reported is not known: that is no zero. */
function known(value: number | undefined): string {
  return value === undefined ? NOT_KNOWN : String(value);
}

export function describeParticipants(list: AdminParticipantList): string[] {
  if (list.participants.length === 0) {
    return ['No participant is known: none answers, and none has ever answered.'];
  }
  const unseen = list.participants.filter((one) => one.inDoubt === undefined);
  const blockers = list.participants.flatMap((one) => one.blockers ?? []);
  return [
    ...table(PARTICIPANTS, list.participants),
    ...blockers.map((one) => toned('warning', describeBlocker(one, list.serverTime))),
    ...unseen.map(describeUnseen),
  ];
}

function describeUnseen(one: ParticipantSummary): string {
  const { participant, lastKnown, undelivered } = one;
  const last = lastKnown
    ? `its database was last seen ${lastKnown.at}, with ${lastKnown.inDoubt} in doubt`
    : 'its database has never been seen';
  const commits =
    undelivered === undefined
      ? 'how many commits are undelivered is not known'
      : `${undelivered} commits undelivered`;
  return toned(
    'warning',
    `${plain(participant)}: what is prepared there is not known; ${last}; ${commits}.`,
  );
}

const ORPHANS: readonly Column<Orphan>[] = [
  { title: 'KIND', of: (one) => one.kind },
  { title: 'PARTICIPANT', of: (one) => one.participant },
  { title: 'GID', of: (one) => one.gid },
  {
    title: 'HELD',
    of: (one) => (one.heldMs === undefined ? '' : durationText(one.heldMs)),
    right: true,
  },
  { title: 'VERDICT', of: (one) => one.verdict ?? 'none' },
  {
    title: 'EVIDENCE',
    of: (one) => `${one.foundAt ? `Found ${one.foundAt}. ` : ''}${one.evidence} ${one.next}`,
    rest: true,
  },
];

export function describeOrphans(list: AdminOrphanList): string[] {
  const missed = list.notCompared.map(({ participant, why }) =>
    toned(
      'warning',
      `${plain(participant)}: not compared, so what is prepared there is not known (${plain(why)}).`,
    ),
  );
  if (list.comparedAt === undefined) {
    return ['Not compared yet: this coordinator has started lately. Ask again in a moment.'];
  }
  if (list.orphans.length === 0) {
    const whom = missed.length > 0 ? ' at the other participants' : '';
    return [`No orphans were found${whom} (compared at ${list.comparedAt}).`, ...missed];
  }
  return [...table(ORPHANS, list.orphans), ...missed];
}

const MARKS = {
  ok: () => toned('good', 'ok     '),
  warning: () => toned('warning', 'warning'),
  bad: () => toned('bad', 'BAD    '),
  unknown: () => toned('quiet', 'unknown'),
} as const;

/** What is not in order, with the remedy; of the rest only how many, unless `all` is asked for. */
export function describeDoctor({ checks }: AdminDoctor, all: boolean): string[] {
  const byPlace = new Map<string, Check[]>();
  for (const check of checks) byPlace.set(check.at, [...(byPlace.get(check.at) ?? []), check]);
  const lines = [...byPlace].flatMap(([place, found]) => {
    const shown = all ? found : found.filter((one) => one.result !== 'ok');
    const good = found.length - shown.length;
    const head = toned('strong', plain(place));
    return [
      good > 0 ? `${head}  ${toned('quiet', `${good} ok`)}` : head,
      ...shown.flatMap((check) => [
        `  ${MARKS[check.result]()}  ${plain(check.name)}: ${plain(check.found)}`,
        ...(check.remedy && check.result !== 'ok' ? [`           → ${plain(check.remedy)}`] : []),
      ]),
    ];
  });
  return [...lines, '', summaryOf(checks)];
}

function summaryOf(checks: readonly Check[]): string {
  const count = (result: Check['result']) => checks.filter((one) => one.result === result).length;
  return `${count('ok')} ok, ${count('warning')} warnings, ${count('bad')} bad, ${count('unknown')} unknown`;
}
