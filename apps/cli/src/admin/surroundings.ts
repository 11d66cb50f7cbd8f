/** Participants, orphans and the doctor's findings as tables. */
import { counted, durationText, listed } from '@concordat/words';
import type {
  AdminDoctor,
  AdminOrphanList,
  AdminParticipantList,
  Check,
  Orphan,
  ParticipantSummary,
} from '@concordat/client';
import { describeBlocker } from './waits.js';
import { noted, plain, table, titled, toned, type Column } from '../terminal/text.js';

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
    return noted('No participant is known: none answers, and none is remembered.');
  }
  const unseen = list.participants.filter((one) => one.inDoubt === undefined);
  const blockers = list.participants.flatMap((one) => one.blockers ?? []);
  return [
    ...table(PARTICIPANTS, list.participants),
    ...blockers.flatMap((one) => noted(describeBlocker(one, list.serverTime), 'warning')),
    ...unseen.flatMap((one) => noted(describeUnseen(one), 'warning')),
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
      : `${counted(undelivered, 'commit')} undelivered`;
  return `${plain(participant)}: what is prepared there is not known; ${last}; ${commits}.`;
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
  const missed = list.notCompared.flatMap(({ participant, why }) =>
    noted(
      `${plain(participant)}: not compared, so what is prepared there is not known (${plain(why)}).`,
      'warning',
    ),
  );
  if (list.comparedAt === undefined) {
    return noted('Not compared yet: this coordinator has started lately. Ask again in a moment.');
  }
  if (list.orphans.length === 0) {
    const whom = missed.length > 0 ? ' at the other participants' : '';
    const found = `No orphans were found${whom} (compared at ${list.comparedAt}).`;
    return [...noted(found), ...missed];
  }
  return [...table(ORPHANS, list.orphans), ...missed];
}

const MARKS = {
  ok: () => toned('good', 'ok     '),
  warning: () => toned('warning', 'warning'),
  bad: () => toned('bad', 'BAD    '),
  unknown: () => toned('quiet', 'unknown'),
} as const;

/**
 * What is not in order, with the remedy; of the rest only how many, unless `all` is asked for. A finding that
 * several places share is told once.
 */
export function describeDoctor({ checks }: AdminDoctor, all: boolean): string[] {
  const findings = new Map<string, { readonly check: Check; readonly places: string[] }>();
  for (const check of checks) {
    if (check.result === 'ok') continue;
    const { at, ...told } = check;
    const found = findings.get(JSON.stringify(told)) ?? { check, places: [] };
    found.places.push(at);
    findings.set(JSON.stringify(told), found);
  }
  const shared = [...findings.values()].filter(({ places }) => places.length > 1);
  const isShared = new Set(
    shared.flatMap(({ check, places }) => places.map((at) => keyOf(at, check))),
  );
  const lines = [...new Set(checks.map(({ at }) => at))].flatMap((place) => {
    const here = checks.filter(({ at }) => at === place);
    const good = here.filter(({ result }) => result === 'ok');
    const own = here.filter((one) => one.result !== 'ok' && !isShared.has(keyOf(place, one)));
    if (good.length === 0 && own.length === 0) return [];
    const head = toned('strong', plain(place));
    return [
      good.length > 0 && !all ? `${head}  ${toned('quiet', `${good.length} ok`)}` : head,
      ...(all ? good : []).flatMap(describeCheck),
      ...own.flatMap(describeCheck),
    ];
  });
  return [...lines, ...shared.flatMap(describeShared), '', summaryOf(checks)];
}

const keyOf = (at: string, { name, result, found, remedy }: Check): string =>
  JSON.stringify([at, name, result, found, remedy]);

function describeShared({ check, places }: { check: Check; places: readonly string[] }): string[] {
  const names = listed(places.map(plain), places.length);
  return [...noted(names).map((line) => toned('strong', line)), ...describeCheck(check)];
}

function describeCheck({ name, found, remedy, result }: Check): string[] {
  const [first = '', ...more] = titled(' '.repeat(11), `${plain(name)}: ${plain(found)}`);
  return [
    `  ${MARKS[result]()}  ${first.trimStart()}`,
    ...more,
    ...(remedy && result !== 'ok' ? titled('           → ', plain(remedy)) : []),
  ];
}

function summaryOf(checks: readonly Check[]): string {
  const count = (result: Check['result']) => checks.filter((one) => one.result === result).length;
  return `${count('ok')} ok, ${counted(count('warning'), 'warning')}, ${count('bad')} bad, ${count('unknown')} unknown`;
}
