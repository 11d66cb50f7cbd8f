/** "ledger" as a number: one instance migrates, the others wait. TypeORM itself takes no lock. */
export const LOCK_MIGRATIONS = 'SELECT pg_advisory_lock(118970778215794)';
export const UNLOCK_MIGRATIONS = 'SELECT pg_advisory_unlock(118970778215794)';

/** How long another instance may take to migrate. */
export const WAIT_FOR_OTHERS = `SELECT set_config('lock_timeout', '60s', false)`;

/**
 * A table that is locked is no reason to wait forever: while ALTER TABLE waits for it, every reader waits
 * behind that, also when the process that waited is long dead.
 */
export const WAIT_FOR_TABLES = `SELECT set_config('lock_timeout', '5s', false)`;
export const WAIT_AS_USUAL = 'RESET lock_timeout';
