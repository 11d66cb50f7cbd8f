/**
 * Floor 2: the wire over core NATS. Connections that never pretend, the coordinator's two channels,
 * and what serves each end. Only this package knows `@nats-io/*`.
 */
export {
  connectChannel,
  BrokerUnreachable,
  type BrokerCredentials,
  type BrokerTls,
  type ChannelOptions,
} from './link/connect.js';
export { ChannelConnection, NotPermitted, type ConnectionStatus } from './link/connection.js';
export type { ChannelIncident, IncidentKind } from './link/incidents.js';
export type { LaneLimits } from './link/lane.js';
export type { RequestCounters } from './link/request-inbox.js';
export { SharedTimersClock } from './link/shared-timers.js';
export { SystemClock, SystemEntropy } from './link/system.js';
export {
  NatsParticipantChannel,
  type ParticipantChannelOptions,
  type ParticipantReport,
} from './coordinator/participant-channel.js';
export {
  NatsCoordinatorChannel,
  type Asker,
  type CoordinatorChannelOptions,
} from './coordinator/coordinator-channel.js';
export { NatsWaitQuestions } from './coordinator/wait-questions.js';
export type {
  Forward,
  ForwardAnswer,
  Forwarded,
  ForwardRole,
  ForwardVerb,
} from './coordinator/forwarding.js';
export {
  serveCoordinator,
  type CoordinatorHandlers,
  type RegisterSeen,
  type ServeCoordinatorOptions,
  type ServedCoordinator,
} from './coordinator/serve-coordinator.js';
export { serveParticipant, type ServedParticipant } from './participant/serve-participant.js';
export type {
  LaneName,
  ParticipantHandlers,
  ServeParticipantOptions,
} from './participant/options.js';
export {
  ClusterNotFound,
  clustersOn,
  discoverCluster,
  type DiscoverOptions,
} from './participant/discover-cluster.js';
export { decode, encode, RefusalCode, type Decoded } from './wire/codec.js';
export { sendFault, type SendFault } from './wire/sendable.js';
export * from './wire/limits.js';
export { jsonSchemas } from './wire/json-schemas.js';
export { MESSAGES, type CataloguedMessage } from './wire/catalogue.js';
export * from './wire/subjects.js';
export { inSpan, type SpanOptions } from './trace/spans.js';
