/** Cycles of waits are broken in time, at the right transaction, and no other transaction pays for one. */
import type { Checker, Remains } from './checker.js';
import { FEW_SESSIONS_MAX, isFaultless } from '../options.js';
import type { Victim, WaitTruth } from '../wait-truth.js';

/** Longer than two looks, two reports, a round and a second look take where nothing is lost. */
export const CYCLE_MS_MAX = 1_000;
/** And where sessions are few: a branch without one runs again first. */
const AGAIN_MS_MAX = 1_500;
/** And where one branch at a time may do so because of a cycle: others wait for that place. */
const IN_TURN_MS_MAX = 3_000;

export const victimsOfCycles: Checker = {
  name: 'victims of cycles',
  holds: 'nothing is aborted for a deadlock that was none, and of one only the youngest',
  complaints: ({ waits }) =>
    waits.victims.flatMap((victim) => {
      const { transaction } = victim;
      const members = victim.waits.map((one) => one.transaction);
      const youngest = members.reduce((a, b) => (a > b ? a : b));
      if (youngest !== transaction) return [`${transaction} gave way, and ${youngest} is younger`];
      if (!isClosed(victim)) return [`${transaction} gave way to waits that are no cycle`];
      if (!heldTogether(victim, waits)) {
        return [`${transaction} gave way to a cycle that never was: ${members.join(', ')}`];
      }
      return [];
    }),
};

export const cyclesEnd: Checker = {
  name: 'cycles end',
  holds: `where nothing is lost, no cycle of waits outlives ${CYCLE_MS_MAX} ms, or somewhat more where sessions are few`,
  complaints: ({ options, waits }) =>
    isFaultless(options)
      ? waits.cycles
          .filter(({ since, until }) => until - since > boundOf(options))
          .map(
            ({ youngest, since, until }) =>
              `${youngest} was the youngest of a cycle for ${until - since} ms from ${since}`,
          )
      : [],
};

export const waitsTakenBack: Checker = {
  name: 'waits taken back',
  holds: 'where nothing is lost, no wait is shown at its owner long after it is over',
  complaints: ({ options, waits }) => (isFaultless(options) ? waits.stale : []),
};

function boundOf({ sessionsMax }: Remains['options']): number {
  if (sessionsMax < 4) return IN_TURN_MS_MAX;
  return sessionsMax <= FEW_SESSIONS_MAX ? AGAIN_MS_MAX : CYCLE_MS_MAX;
}

export const restarts: Checker = {
  name: 'restarts',
  holds:
    'what gives way without a cycle does so once per request, where others wait, and its client never sees it',
  complaints: ({ history, waits: { restarted, waited } }) => [
    ...restarted
      .filter((one, at) => restarted.findIndex(({ first }) => first === one.first) !== at)
      .map(
        ({ transaction, first }) => `${transaction}, a later attempt of ${first}, gave way again`,
      ),
    ...restarted
      .filter(({ at }) => !waited.some(({ since }) => since <= at))
      .map(({ transaction }) => `${transaction} gave way, and nothing has ever waited`),
    ...history.clients
      .filter(({ isRestarted }) => isRestarted)
      .map(({ transaction }) => `the client learned that ${transaction} gave way`),
  ],
};

/** Each waits for the next one, and the last for the first. */
function isClosed({ waits }: Victim): boolean {
  return waits.every(({ heldBy }, at) => heldBy === waits[(at + 1) % waits.length]?.transaction);
}

/** Whether there was a moment at which each waited for the next one, before it was broken. */
function heldTogether({ waits, at }: Victim, truth: WaitTruth): boolean {
  let moments = [{ since: 0, until: at }];
  for (const { transaction, heldBy } of waits) {
    const held = truth.waited.filter((one) => one.from === transaction && one.to === heldBy);
    moments = moments.flatMap((moment) =>
      held
        .map((one) => ({
          since: Math.max(one.since, moment.since),
          until: Math.min(one.until, moment.until),
        }))
        .filter(({ since, until }) => since <= until),
    );
  }
  return moments.length > 0;
}
