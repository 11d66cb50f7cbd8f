/**
 * What the last comparison of participants' databases with the register has found. Guards "found by
 * comparing both ways": nothing here guesses; before the first comparison nothing is shown. What was found at
 * a participant that cannot be compared now is still shown, as found then: it may still be there.
 */
import type { ListedOrphan } from '@concordat/diagnosis';
import type { FoundOrphan, Reconciler, ReconcileReport } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';

export interface NotCompared {
  readonly participant: ParticipantName;
  readonly why: string;
}

export interface ListedOrphans {
  readonly orphans: readonly ListedOrphan[];
  readonly notCompared: readonly NotCompared[];
  /** Absent before the first comparison. */
  readonly comparedAtMs?: number;
}

interface LastFound {
  readonly atMs: number;
  readonly orphans: readonly FoundOrphan[];
}

export class OrphanList {
  /** Of each participant, what its last comparison found. */
  private readonly found = new Map<ParticipantName, LastFound>();

  constructor(private readonly reconciler: Reconciler) {
    reconciler.onChange((report) => this.keep(report));
  }

  report(): ListedOrphans {
    const { orphans, participants, comparedAtMs } = this.reconciler.report();
    const missed = participants.filter((one) => one.state !== 'compared');
    const before = missed.flatMap(({ participant }): ListedOrphan[] => {
      const { atMs, orphans: found = [] } = this.found.get(participant) ?? {};
      return found.map((one) => ({ ...one, foundAtMs: atMs }));
    });
    return {
      orphans: [...orphans, ...before],
      notCompared: missed.map(({ participant, why = 'it could not be compared' }) => ({
        participant,
        why,
      })),
      ...(comparedAtMs === undefined ? {} : { comparedAtMs }),
    };
  }

  find(gid: string, participant: string): ListedOrphan | undefined {
    const { orphans } = this.report();
    return orphans.find((one) => one.gid === gid && one.participant === participant);
  }

  private keep({ participants, orphans, comparedAtMs }: ReconcileReport): void {
    if (comparedAtMs === undefined) return;
    for (const { participant, state } of participants) {
      if (state !== 'compared') continue;
      const own = orphans.filter((one) => one.participant === participant);
      if (own.length > 0) this.found.set(participant, { atMs: comparedAtMs, orphans: own });
      else this.found.delete(participant);
    }
    const known = new Set(participants.map((one) => one.participant));
    for (const name of this.found.keys()) if (!known.has(name)) this.found.delete(name);
  }
}
