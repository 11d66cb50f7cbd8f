/** Everything that needs neither Nest nor TypeORM: for plain scripts and other frameworks. */
export { SystemClock, SystemEntropy } from '@concordat/channel';
export { JoinRefused } from '@concordat/engine';
export { VoteNo } from './branch/vote-no.js';
export { Branch, NoBranch, currentBranch, findBranch } from './branch/current-branch.js';
export { assertOutsideBranch, outsideBranch } from './branch/branch-scope.js';
export { guardPool } from './branch/pool-guard.js';
export {
  branchConnection,
  branchPool,
  type BranchPoolOptions,
  type PoolClass,
} from './orm/branch-pool.js';
export type { BranchConnection } from './orm/branch-connection.js';
export { aroundTransaction } from './orm/parts.js';
export type { Hook } from './branch/branch-hooks.js';
export { CONTEXT_HEADER, contextHeaderOf, parseContext } from './branch/transaction-context.js';
export {
  ConnectionLost,
  createParticipant,
  StandaloneParticipant,
  type Readiness,
} from './participant/participant.js';
export type { InputSchema, ParsingSchema, StandardSchema } from './participant/input-schema.js';
export type {
  OperationDefinition,
  ParticipantDatabase,
  ParticipantLimits,
  ParticipantLog,
  ParticipantOptions,
  TypeOrmDataSource,
} from './participant/participant-options.js';
export { ParticipantMisconfigured } from './participant/operation-table.js';
export {
  DatabaseUnreachable,
  untilDatabaseAnswers,
  type DatabaseWait,
} from './participant/database-wait.js';
export { describeStartFailure } from './participant/start-failure.js';
export {
  settleInDoubt,
  type LeftInDoubt,
  type SettleLimits,
  type SettleOptions,
  type Settlement,
} from './participant/settle.js';
export { MigrationBlocked, MigrationDenied } from './postgres/migrate.js';
export {
  BranchEnded,
  BranchMisuse,
  PostgresSession,
  type BranchClient,
} from './postgres/branch-session.js';
export {
  PostgresResource,
  type PostgresResourceOptions,
  type RefusedBranch,
  type RememberedOutcome,
} from './postgres/postgres-resource.js';
export {
  DatabaseUnfit,
  examine,
  examineCluster,
  examineServer,
  examineTable,
  type ClusterExpectations,
  type Finding,
  type ServerExpectations,
  type ServerReport,
} from './postgres/doctor.js';
export { StandbyServer, type LockImpact } from './postgres/inventory.js';
export type { IsolationLevel } from './postgres/branch.sql.js';
