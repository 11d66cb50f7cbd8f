/**
 * What the last comparison of participants' databases with the register has found. Guards "found by
 * comparing both ways": nothing here guesses; before the first comparison there is nothing to tell.
 */
import type { FoundOrphan, Reconciler, ReconcileReport } from '@concordat/engine';

export class OrphanList {
  constructor(private readonly reconciler: Reconciler) {}

  report(): ReconcileReport {
    return this.reconciler.report();
  }

  count(): number {
    return this.report().orphans.length;
  }

  find(gid: string, participant: string): FoundOrphan | undefined {
    return this.report().orphans.find((one) => one.gid === gid && one.participant === participant);
  }
}
