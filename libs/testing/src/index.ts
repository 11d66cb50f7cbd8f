// Real Postgres and NATS servers on ports of their own, for tests and for the development stack, and
// what a test of real processes needs: waiting by condition, services that can be killed, free ports.

export { embeddedStack, STACK_DATABASES, TestStack } from './stack/embedded-stack.js';
export type { StackDatabase, StackOptions } from './stack/embedded-stack.js';
export { startConcordat } from './stack/concordat-stack.js';
export type { ConcordatOptions, ConcordatStack } from './stack/concordat-stack.js';
export { PostgresServer, startPostgres } from './postgres/postgres-server.js';
export type { PostgresOptions, PostgresStopMode } from './postgres/postgres-server.js';
export { choosePostgres } from './postgres/find-postgres.js';
export { AS_EVER } from './postgres/as-ever.js';
export { createOwnedDatabase } from './postgres/owned-database.js';
export { NatsServer, startNats } from './nats/nats-server.js';
export type { NatsOptions } from './nats/nats-server.js';
export { findNats } from './nats/find-nats.js';
export type { FindNatsOptions, NatsBinary, NatsStep } from './nats/find-nats.js';
export type { NatsRelease } from './nats/official-release.js';
export { Service, spawnService } from './processes/service.js';
export type { ServiceOptions } from './processes/service.js';
export type { Exit } from './processes/child-process.js';
export { freePort, isFree } from './ports/free-port.js';
export { waitFor } from './waiting/wait-for.js';
export type { WaitOptions } from './waiting/wait-for.js';
