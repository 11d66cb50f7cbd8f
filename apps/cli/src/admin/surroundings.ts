/** Participants, orphans and the doctor's findings as tables. */
import type {
  AdminDoctor,
  AdminOrphanList,
  AdminParticipantList,
  Check,
  Orphan,
  ParticipantSummary,
} from '@concordat/client';
import { age, plain, table, toned, type Column } from '../terminal/text.js';

const PARTICIPANTS: readonly Column<ParticipantSummary>[] = [
  { title: 'PARTICIPANT', of: (one) => one.participant },
  { title: 'STATE', of: (one) => one.state },
  { title: 'INSTANCES', of: (one) => String(one.instances), right: true },
  { title: 'IN DOUBT', of: (one) => String(one.inDoubt), right: true },
  {
    title: 'OLDEST',
    of: (one) => (one.oldestMs === undefined ? '' : age(one.oldestMs)),
    right: true,
  },
  { title: 'SLOTS', of: slotsOf, right: true },
  { title: 'BLOCKS', of: (one) => String(one.blockedSessions), right: true },
  { title: 'LAST ERROR', of: (one) => one.lastError ?? '', rest: true },
];

function slotsOf({ slotsUsed, slotsMax }: ParticipantSummary): string {
  return slotsUsed === undefined || slotsMax === undefined ? '?' : `${slotsUsed}/${slotsMax}`;
}

export function describeParticipants(list: AdminParticipantList): string[] {
  if (list.participants.length === 0) {
    return ['No participant is known: none answers, and none took part in a transaction yet.'];
  }
  return table(PARTICIPANTS, list.participants);
}

const ORPHANS: readonly Column<Orphan>[] = [
  { title: 'KIND', of: (one) => one.kind },
  { title: 'PARTICIPANT', of: (one) => one.participant },
  { title: 'GID', of: (one) => one.gid },
  { title: 'HELD', of: (one) => (one.heldMs === undefined ? '' : age(one.heldMs)), right: true },
  { title: 'VERDICT', of: (one) => one.verdict ?? 'none' },
  { title: 'EVIDENCE', of: (one) => `${one.evidence} ${one.next}`, rest: true },
];

export function describeOrphans(list: AdminOrphanList): string[] {
  const silent =
    list.silent.length === 0
      ? []
      : [
          toned(
            'warning',
            `No answer, so nothing is known of theirs: ${plain(list.silent.join(', '))}`,
          ),
        ];
  if (list.orphans.length === 0) {
    return [`No orphans (compared at ${list.comparedAt ?? 'no time yet'}).`, ...silent];
  }
  return [...table(ORPHANS, list.orphans), ...silent];
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
