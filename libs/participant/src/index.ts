/** Floor 3: what a service adds to become a participant. */
export { SystemClock, SystemEntropy } from '@concordat/channel';
export { BranchMisuse, type BranchClient, PostgresSession } from './postgres/branch-session.js';
export * from './postgres/postgres-resource.js';
export { examine, type DoctorOptions, type DoctorReport, type Finding } from './postgres/doctor.js';
export { StandbyServer, type LockImpact } from './postgres/inventory.js';
