/**
 * From an event to the answers it makes old. Guards "the page asks again, and only for what changed":
 * events carry no data, so none can be shown out of order.
 */
import type { AdminEvent } from '@concordat/client';

export type StaleKey = readonly string[];

/** Keys of queries that are old after this event; an empty key means all. */
export function staleAfter(event: AdminEvent): readonly StaleKey[] {
  switch (event.type) {
    case 'transaction':
      return [['transaction', event.transactionId], ['transactions-head'], ['overview']];
    case 'participants':
      return [['participants']];
    case 'overview':
      return [['overview']];
    case 'orphans':
      return [['orphans']];
    case 'operation':
      return [['operation', event.operationId], ['operations']];
    case 'audit':
      return [['audit']];
    case 'reset':
      return [[]];
    default:
      return [];
  }
}
