/**
 * Who this process is: a fresh incarnation at each start, in the cluster that the decision database
 * names. Guards protocol §2: transaction ids carry the incarnation, so it is made once and never
 * configured.
 */
import type { Clock } from '@concordat/engine';
import type { ClusterId, Incarnation } from '@concordat/protocol';

export class Identity {
  constructor(
    readonly cluster: ClusterId,
    readonly incarnation: Incarnation,
    readonly clock: Clock,
  ) {}
}
