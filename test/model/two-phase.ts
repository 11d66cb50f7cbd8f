/**
 * Lamport's TwoPhase, written directly: the specification of two-phase commit from the TLA+ examples, whose
 * state counts are published. It is here to calibrate the searcher, not to say anything about ours.
 *
 * One word holds a state: two bits per resource manager, two for the transaction manager, one per
 * resource manager whose vote it has received, and the messages ever sent (they are never removed).
 */
import type { Emit, Invariant, Specification } from './search.js';

const WORKING = 0;
const PREPARED = 1;
const COMMITTED = 2;
const ABORTED = 3;
const INIT = 0;

export class TwoPhase implements Specification {
  readonly width = 1;
  private readonly manager: number;
  private readonly received: number;
  private readonly prepared: number;
  private readonly commit: number;
  private readonly abort: number;
  private readonly next = new Int32Array(1);

  constructor(private readonly resources: number) {
    this.manager = 2 * resources;
    this.received = this.manager + 2;
    this.prepared = this.received + resources;
    this.commit = 1 << (this.prepared + resources);
    this.abort = this.commit << 1;
  }

  initial(): Int32Array {
    return new Int32Array(1);
  }

  successors(state: Int32Array, emit: Emit): void {
    const now = state[0] as number;
    const go = (to: number, label: string): void => {
      this.next[0] = to;
      emit(this.next, 'progress', label);
    };
    const all = (1 << this.resources) - 1;
    const undecided = ((now >> this.manager) & 3) === INIT;
    if (undecided && ((now >> this.received) & all) === all) {
      go(now | (COMMITTED << this.manager) | this.commit, 'TMCommit');
    }
    if (undecided) go(now | (ABORTED << this.manager) | this.abort, 'TMAbort');
    for (let rm = 0; rm < this.resources; rm++) {
      const voted = 1 << (this.prepared + rm);
      if (undecided && now & voted) go(now | (1 << (this.received + rm)), `TMRcvPrepared(${rm})`);
      if (this.stateOf(now, rm) === WORKING) {
        go(this.with(now, rm, PREPARED) | voted, `RMPrepare(${rm})`);
        go(this.with(now, rm, ABORTED), `RMChooseToAbort(${rm})`);
      }
      if (now & this.commit) go(this.with(now, rm, COMMITTED), `RMRcvCommitMsg(${rm})`);
      if (now & this.abort) go(this.with(now, rm, ABORTED), `RMRcvAbortMsg(${rm})`);
    }
  }

  /** TCConsistent: no resource manager has committed while another has aborted. */
  consistent(): Invariant {
    return {
      name: 'TCConsistent',
      says: 'no resource manager has committed while another has aborted',
      violatedBy: (state) => {
        let seen = 0;
        for (let rm = 0; rm < this.resources; rm++) {
          seen |= 1 << this.stateOf(state[0] as number, rm);
        }
        const torn = (1 << COMMITTED) | (1 << ABORTED);
        return (seen & torn) === torn ? 'committed here, aborted there' : undefined;
      },
    };
  }

  private stateOf(state: number, rm: number): number {
    return (state >> (2 * rm)) & 3;
  }

  private with(state: number, rm: number, to: number): number {
    return (state & ~(3 << (2 * rm))) | (to << (2 * rm));
  }
}
