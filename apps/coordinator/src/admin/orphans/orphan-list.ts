/**
 * What the last comparison of participants' databases with the register has found. Guards "found by
 * comparing both ways": nothing here guesses; before the first comparison there is nothing to tell.
 */
import type { FoundOrphan, Reconciler, ReconcileReport } from '@concordat/engine';
import { withDurations } from '../transactions/words.js';

export class OrphanList {
  constructor(private readonly reconciler: Reconciler) {}

  /** The evidence is told in words that people use. */
  report(): ReconcileReport {
    const report = this.reconciler.report();
    return { ...report, orphans: report.orphans.map(inWords) };
  }

  count(): number {
    return this.reconciler.report().orphans.length;
  }

  find(gid: string, participant: string): FoundOrphan | undefined {
    const { orphans } = this.reconciler.report();
    const found = orphans.find((one) => one.gid === gid && one.participant === participant);
    return found && inWords(found);
  }
}

function inWords(orphan: FoundOrphan): FoundOrphan {
  return { ...orphan, evidence: withDurations(orphan.evidence) };
}
