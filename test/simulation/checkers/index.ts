/** All checkers, in the order in which their complaints say most. */
import { agreement, irrevocability, nothingUntold, oneTruth, validity } from './agreement.js';
import type { Checker, Remains } from './checker.js';
import { conservation, exactlyOnce, joined, keyedOnce, noOrphans } from './effects.js';
import { cyclesEnd, restarts, victimsOfCycles, waitsTakenBack } from './deadlocks.js';
import { heuristics, honesty, noNeedlessAborts } from './honesty.js';
import { ownOnly } from './own-only.js';
import { endedLast, notPassed, shownAsItIs, termination, unbroken } from './termination.js';

export type { Checker, Remains } from './checker.js';
export { OPENING_BALANCE } from './effects.js';

export const CHECKERS: readonly Checker[] = [
  unbroken,
  ownOnly,
  agreement,
  irrevocability,
  validity,
  oneTruth,
  nothingUntold,
  exactlyOnce,
  conservation,
  keyedOnce,
  joined,
  noOrphans,
  endedLast,
  notPassed,
  shownAsItIs,
  honesty,
  heuristics,
  noNeedlessAborts,
  victimsOfCycles,
  cyclesEnd,
  restarts,
  waitsTakenBack,
  termination,
];

export function check(remains: Remains): string[] {
  return CHECKERS.flatMap((one) =>
    one.complaints(remains).map((complaint) => `${one.name}: ${complaint}`),
  );
}
