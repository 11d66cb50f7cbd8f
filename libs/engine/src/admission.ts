/**
 * Admission: whether a branch may begin here, and which wait for a session. Guards protocol §4.2,
 * admission before any work: a branch that is turned away has touched nothing, and is told what was
 * short: sessions, slots, or room to wait. What branches at work hold comes free with the next vote, so it
 * is waited for, in the order of arrival, as long as a no can still come in time. A branch that finds all
 * slots of the database server taken by what is in doubt is turned away at once: those may be held until
 * an operator acts.
 *
 * Waiting holds nothing here, but an interactive transaction may hold sessions elsewhere meanwhile: two
 * that wait for one another's end with their time, like every wait between databases.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import type { Clock } from './ports/index.js';

const VOTE_MARGIN_MS_MAX = 500;
const VOTE_MARGIN_SHARE = 4;
/** More than these do not wait: each holds its request in memory. */
const WAITING_MAX = 4_096;

/** How much of its time a branch keeps for saying why it votes no, wherever it has to wait. */
export function voteMarginMs(timeLeftMs: number): number {
  return Math.min(VOTE_MARGIN_MS_MAX, timeLeftMs / VOTE_MARGIN_SHARE);
}

export interface AdmissionLimits {
  readonly inDoubtMax: number;
  readonly sessionsMax: number;
}

export interface Load {
  readonly working: number;
  readonly inDoubt: number;
}

/** What a branch that waits for a session offers to whoever ends it meanwhile. */
export interface Waiting {
  stopWaiting?: ((why: VoteAgainst) => void) | undefined;
}

export class Admission {
  private admitting = true;
  /** Told that there is a session, and not at work yet. */
  private promised = 0;
  private readonly queue = new Set<(why: VoteAgainst | undefined) => void>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: AdmissionLimits,
    private readonly load: () => Load,
  ) {}

  /** Undefined when the branch may begin at once, `wait` when it may wait, otherwise why not. */
  check(): VoteAgainst | 'wait' | undefined {
    if (!this.admitting) return shuttingDown();
    if (this.queue.size === 0 && this.hasSession()) {
      const full = this.slotsInDoubt();
      if (full || this.hasSlot()) return full;
    }
    if (this.queue.size < WAITING_MAX) return 'wait';
    const reason = `Memory is kept for ${this.queue.size} branches that wait here to begin, and they do; more may not.`;
    return protocolNo(NoCode.overloaded, reason);
  }

  /**
   * Waits for a session and a slot as long as a no can still come within `timeLeftMs`. Resolves with why
   * there is none, or with undefined: then both are promised, and the caller says `seated` when it begins.
   */
  async wait(branch: Waiting, timeLeftMs: number): Promise<VoteAgainst | undefined> {
    const since = this.clock.now();
    const over = new Promise<VoteAgainst | undefined>((resolve) => {
      const end = (why: VoteAgainst | undefined): void => {
        if (!this.queue.delete(end)) return;
        cancel();
        resolve(why);
      };
      const cancel = this.clock.after(timeLeftMs - voteMarginMs(timeLeftMs), () =>
        end(this.busy(this.clock.now() - since)),
      );
      this.queue.add(end);
      branch.stopWaiting = end;
    });
    const why = await over;
    branch.stopWaiting = undefined;
    return why;
  }

  /** A branch that was promised a session begins in this very moment, or never will. */
  seated(): void {
    this.promised -= 1;
  }

  /** Branches that wait to begin. */
  get waiting(): number {
    return this.queue.size;
  }

  /** A session or a slot may have come free. */
  freed(): void {
    for (const end of [...this.queue]) {
      if (!this.hasSession()) return;
      const full = this.slotsInDoubt();
      if (!full && !this.hasSlot()) return;
      if (!full) this.promised += 1;
      end(full);
    }
  }

  /** Admits none any more; those that wait are turned away. */
  close(): void {
    this.admitting = false;
    for (const end of [...this.queue]) end(shuttingDown());
  }

  private hasSession(): boolean {
    return this.load().working + this.promised < this.limits.sessionsMax;
  }

  /** Whether one that begins now could be prepared, with those that are at work already. */
  private hasSlot(): boolean {
    const { working, inDoubt } = this.load();
    return working + this.promised + inDoubt < this.limits.inDoubtMax;
  }

  private slotsInDoubt(): VoteAgainst | undefined {
    const { inDoubt } = this.load();
    const { inDoubtMax } = this.limits;
    if (inDoubt < inDoubtMax) return undefined;
    const reason = `${inDoubt} branches in doubt take all ${inDoubtMax} prepared slots of this instance.`;
    return protocolNo(NoCode.inDoubtLimit, reason);
  }

  private busy(waitedMs: number): VoteAgainst {
    const { working, inDoubt } = this.load();
    const { inDoubtMax, sessionsMax } = this.limits;
    const within = `came free within ${Math.round(waitedMs)} ms: ${working} branches are at work here`;
    if (!this.hasSession()) {
      const reason = `No session ${within}, at most ${sessionsMax} may be.`;
      return protocolNo(NoCode.sessionsBusy, reason);
    }
    const reason = `No prepared slot ${within} and ${inDoubt} in doubt, at most ${inDoubtMax} together may be.`;
    return protocolNo(NoCode.slotsBusy, reason);
  }
}

function shuttingDown(): VoteAgainst {
  return protocolNo(NoCode.shuttingDown, 'This instance is shutting down.');
}
