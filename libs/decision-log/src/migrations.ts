/** The migrations of this version, in their order. Nothing of what applies them is loaded with them. */
import { DecisionLog1764720000000 } from './migrations/1764720000000-decision-log.js';
import { Operators1764900000000 } from './migrations/1764900000000-operators.js';
import { Reconciliation1765000000000 } from './migrations/1765000000000-reconciliation.js';
import { OneRegisterOneTime1765100000000 } from './migrations/1765100000000-one-register-one-time.js';
import { Participants1765200000000 } from './migrations/1765200000000-participants.js';
import { EndedSessions1765300000000 } from './migrations/1765300000000-ended-sessions.js';
import { Principals1765400000000 } from './migrations/1765400000000-principals.js';
import { KeyClaims1765500000000 } from './migrations/1765500000000-key-claims.js';
import { SmallJournal1765600000000 } from './migrations/1765600000000-small-journal.js';
import { OnePhase1765800000000 } from './migrations/1765800000000-one-phase.js';

/** In their order. */
export const MIGRATIONS = [
  DecisionLog1764720000000,
  Operators1764900000000,
  Reconciliation1765000000000,
  OneRegisterOneTime1765100000000,
  Participants1765200000000,
  EndedSessions1765300000000,
  Principals1765400000000,
  KeyClaims1765500000000,
  SmallJournal1765600000000,
  OnePhase1765800000000,
];

/** What the migrations of this version are called, in their order. */
export const MIGRATION_NAMES = MIGRATIONS.map((one) => one.name);
