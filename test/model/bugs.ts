/** All seeded bugs. */
import type { Bug } from './bug.js';
import { ONE_PHASE_BUGS } from './bugs-of-one-phase.js';
import { OWNER_BUGS } from './bugs-of-the-owner.js';
import { PARTICIPANT_BUGS } from './bugs-of-participants.js';
import { RECOVERY_BUGS } from './bugs-of-recovery.js';

export const BUGS: readonly Bug[] = [
  ...OWNER_BUGS,
  ...PARTICIPANT_BUGS,
  ...RECOVERY_BUGS,
  ...ONE_PHASE_BUGS,
];

/** One for each statement: the first that it catches. */
export const FIRST_BUGS: readonly Bug[] = BUGS.filter(
  (bug) => BUGS.find((one) => one.caughtBy.name === bug.caughtBy.name) === bug,
);
