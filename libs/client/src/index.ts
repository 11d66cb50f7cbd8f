/** Floor 3: the typed HTTP client of the coordinator, for services and scripts. No Nest in it. */
export { ConcordatClient, type RunOptions } from './client.js';
export type { ConcordatClientOptions } from './client-options.js';
export { AdminClient, type NumberedAdminEvent, type SeenOperation } from './admin/admin-client.js';
export { OpenTransaction } from './open-transaction.js';
export {
  Transactions,
  type BeginOptions,
  type Begun,
  type ListFilter,
  type SubmitRequest,
  type WaitOptions,
} from './transactions.js';
export {
  CONTEXT_HEADER,
  contextValue,
  currentTransaction,
  propagate,
  withTransaction,
  type HeaderCarrier,
  type PropagatedTransaction,
} from './context.js';
export {
  ConcordatError,
  ConcordatProblem,
  CoordinatorUnreachable,
  InputNotSendable,
  TransactionAborted,
  TransactionAlreadyCommitted,
  TransactionInDoubt,
} from './errors.js';
export type * from './generated/api.js';
export type { Fetch } from './http.js';
