/** "ledger" as a number: one instance migrates, the others wait. TypeORM itself takes no lock. */
export const LOCK_MIGRATIONS = 'SELECT pg_advisory_lock(118970778215794)';
export const UNLOCK_MIGRATIONS = 'SELECT pg_advisory_unlock(118970778215794)';
