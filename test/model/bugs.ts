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
