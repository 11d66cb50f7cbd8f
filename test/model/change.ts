/** A change: one transition's effect on the parts of a state that its rule may touch. */
import type { Kind } from './search.js';
import type { Fault } from './scenario.js';
import type { Coordinator, Participant, Slot, Truth } from './world.js';

export interface Change {
  /** A sentence of the trace; `{p}` is replaced by the participant's name. */
  readonly label: string;
  readonly kind: Kind;
  /** The fault that it uses up. */
  readonly spends?: Fault;
  readonly coordinator?: Coordinator;
  readonly truth?: Truth;
  readonly participant?: Participant;
  /** Every participant loses what tied it to the coordinator that ran here. */
  readonly everyoneLoses?: Slot;
}

export const fault = (spends: Fault): { readonly kind: Kind; readonly spends: Fault } => ({
  kind: spends === 'haste' ? 'haste' : 'fault',
  spends,
});
