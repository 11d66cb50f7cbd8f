/** Layer 3: the client of a coordinator in NestJS. */
export { ConcordatModule } from './concordat.module.js';
export type { ConcordatModuleOptions } from './concordat-module-options.js';
export {
  GlobalTransaction,
  transactionHere,
  type GlobalTransactionOptions,
} from './global-transaction.js';
export {
  axiosWithContext,
  natsOptionsWithContext,
  type PropagationOptions,
} from './propagation.js';
export { ConcordatHealthIndicator } from './health.js';
