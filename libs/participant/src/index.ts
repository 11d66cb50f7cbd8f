/** Floor 3: what a service adds to become a participant. */
export * from './standalone.js';
export { ParticipantModule } from './nest/participant.module.js';
export type {
  ParticipantModuleAsyncOptions,
  ParticipantModuleFactoryOptions,
  ParticipantModuleOptions,
  ParticipantOptionsFactory,
} from './nest/participant-module-options.js';
export { Operation, Participant } from './nest/participant.decorator.js';
export { BranchContext } from './nest/branch-context.js';
export { BranchRunner } from './nest/branch-runner.js';
export {
  InjectBranchContext,
  InjectBranchRunner,
  InjectParticipantHost,
  participantToken,
  type OfParticipant,
} from './nest/inject-participant.js';
export { ParticipantHost } from './nest/participant.host.js';
export { participantHealth } from './nest/participant-health.js';
export {
  JoinTransaction,
  JoinTransactionInterceptor,
  type JoinOptions,
} from './nest/join-transaction.interceptor.js';
export { guardDataSource } from './typeorm/data-source-pool.js';
export { followBranches } from './typeorm/follow-branches.js';
export {
  InjectBranchRepository,
  branchRepository,
  branchRepositoryToken,
} from './nest/branch-repository.js';
