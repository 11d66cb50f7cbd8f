/**
 * Admission: whether a branch may begin here, and which branches wait for a session. Guards protocol §4.2,
 * admission before any work: a refused branch has touched nothing, and its no names what was short: sessions,
 * slots or places in the queue. A session is free again after the next vote, so a branch waits for one, the
 * oldest transaction first, as long as its no can still arrive in time. A branch that gave its session back while it
 * waited for a lock also waits, and so does one whose crowd is at work (ADR 46): it keeps its place and tries when
 * a session is free, or at once if a cycle of waits may lead through it (ADR 31). If branches in doubt hold all slots of the database server, a
 * new branch is refused at once: they may be held until an operator acts.
 *
 * Waiting holds nothing here, but an interactive transaction may hold sessions elsewhere meanwhile: two
 * that wait for one another's end with their time, like every wait between databases.
 */
import { NoCode, protocolNo, type VoteAgainst } from '@concordat/protocol';
import { durationText } from '@concordat/words';
import type { SessionDemand } from './lock-share.js';
import type { Clock } from './ports/index.js';

const VOTE_MARGIN_MS_MAX = 500;
const VOTE_MARGIN_SHARE = 4;
/** More than these do not wait: each holds its request in memory. */
const WAITING_MAX = 4_096;

/** How much of its time a branch reserves for reporting why it votes no, for any wait. */
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

/** What a branch that waits offers to those that end it meanwhile. */
export interface Waiting {
  /** Its place in the order in which branches begin: the lowest first. */
  readonly place?: number;
  stopWaiting?: ((why: VoteAgainst) => void) | undefined;
}

/** Why a branch waits to run again: it waited for a lock, and gave its session back. */
export interface Recalled {
  /** Behind whom it waited, if that was seen. */
  readonly behind?: string | undefined;
  /** Whether it has one of these marks ({@link Room.crowded}). */
  readonly isIn?: (marks: ReadonlySet<string>) => boolean;
  /** Since when it is said that it may be in a cycle of waits, if that is so. */
  readonly suspectedSince: () => number | undefined;
  /** Called at once when it may run again. */
  readonly turn: () => void;
  /** The no that it votes when its time is over. */
  readonly tooLate: () => VoteAgainst;
}

/** What says whether one that was recalled may try again. */
export interface Room {
  /** Behind whom branches wait here now. */
  queues(): ReadonlySet<string | undefined>;
  /** Marks of crowds of which enough are at work. */
  crowded(): ReadonlySet<string>;
  /** Whether one more may wait for a lock, as far as those are concerned that go before it. */
  hasRoom(place: number): boolean;
  /** How many more may have a session because they may be in a cycle of waits. */
  placesOfSuspected(): number;
}

interface Entry {
  readonly place: number;
  readonly recalled?: Recalled | undefined;
  readonly end: (why: VoteAgainst | undefined) => void;
}

const ENOUGH_ROOM: Room = {
  queues: () => new Set(),
  crowded: () => new Set(),
  hasRoom: () => true,
  placesOfSuspected: () => Number.POSITIVE_INFINITY,
};

export class Admission {
  private admitting = true;
  /** Notified that a session is free, and not running yet. */
  private promised = 0;
  /** In the order of their places: those that have not begun, and those that wait to run again. */
  private readonly fresh: Entry[] = [];
  private readonly again: Entry[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly limits: AdmissionLimits,
    private readonly load: () => Load,
    private readonly room: Room = ENOUGH_ROOM,
  ) {}

  /** Undefined when the branch may begin at once, `wait` when it may wait, otherwise why not. */
  check(): VoteAgainst | 'wait' | undefined {
    if (!this.admitting) return shuttingDown();
    // Branches that wait to run again, and for which no session is free, give their turn to others.
    const isNext = this.fresh.length === 0 && !this.suspected()[0] && !this.nextAgain();
    if (isNext && this.hasSession()) {
      const full = this.slotsInDoubt();
      if (full || this.hasSlot()) return full;
    }
    if (this.waiting < WAITING_MAX) return 'wait';
    const reason = `Memory is kept for ${this.waiting} branches that wait here to begin, and they do; more may not.`;
    return protocolNo(NoCode.overloaded, reason);
  }

  /**
   * Waits for a session and a slot as long as a no can still come within `timeLeftMs`. Resolves with why
   * there is none, or with undefined: then both are promised, and the caller says `seated` when it begins.
   */
  async wait(
    branch: Waiting,
    timeLeftMs: number,
    recalled?: Recalled,
  ): Promise<VoteAgainst | undefined> {
    if (!this.admitting) return shuttingDown();
    const since = this.clock.now();
    const over = new Promise<VoteAgainst | undefined>((resolve) => {
      const entry: Entry = {
        place: branch.place ?? 0,
        recalled,
        end: (why) => {
          if (!this.leave(entry)) return;
          cancel();
          resolve(why);
        },
      };
      const cancel = this.clock.after(timeLeftMs - voteMarginMs(timeLeftMs), () =>
        entry.end(recalled ? recalled.tooLate() : this.busy(this.clock.now() - since)),
      );
      this.enter(entry);
      branch.stopWaiting = entry.end;
    });
    this.freed();
    const why = await over;
    branch.stopWaiting = undefined;
    return why;
  }

  /** A branch that was promised a session begins in this very moment, or never will. */
  seated(): void {
    this.promised -= 1;
  }

  /** Branches that wait to begin, or to run again. */
  get waiting(): number {
    return this.fresh.length + this.again.length;
  }

  /** Those that would begin if sessions came free, and those that only a share keeps back. */
  demand(): SessionDemand {
    const hasSlot = this.hasSlot();
    const fresh = hasSlot ? this.fresh.length : 0;
    const suspected = hasSlot ? this.suspected().length : 0;
    const eligible = this.again.length > 0 ? this.eligible() : [];
    const isKeptBack = eligible[0] && !this.room.hasRoom(eligible[0].place);
    return { fresh, suspected, again: isKeptBack ? eligible.length : 0 };
  }

  /** A session, a slot or a lock may have come free. */
  freed(): void {
    // Nearly always; what is live need not be counted then.
    if (this.waiting === 0) return;
    while (this.hasSession()) {
      const next = this.next();
      const full = this.slotsInDoubt();
      if (!next || (!full && !this.hasSlot())) return;
      if (!full) {
        this.promised += 1;
        next.recalled?.turn();
      }
      next.end(full);
    }
  }

  /** Admits none any more; those that wait are turned away. */
  close(): void {
    this.admitting = false;
    for (const entry of [...this.fresh, ...this.again]) entry.end(shuttingDown());
  }

  private enter(entry: Entry): void {
    const queue = this.queueOf(entry);
    const at = queue.findLastIndex((one) => one.place <= entry.place);
    queue.splice(at + 1, 0, entry);
  }

  private leave(entry: Entry): boolean {
    const queue = this.queueOf(entry);
    const at = queue.indexOf(entry);
    if (at >= 0) queue.splice(at, 1);
    return at >= 0;
  }

  private queueOf({ recalled }: Entry): Entry[] {
    return recalled ? this.again : this.fresh;
  }

  /** Whose turn it is: those first in which a cycle of waits may be hidden, the others by their places. */
  private next(): Entry | undefined {
    const [suspected] = this.suspected();
    if (suspected) return suspected;
    const [fresh] = this.fresh;
    const again = this.nextAgain();
    if (!fresh || !again) return fresh ?? again;
    return again.place <= fresh.place ? again : fresh;
  }

  private nextAgain(): Entry | undefined {
    const [first] = this.again.length > 0 ? this.eligible() : [];
    return first && this.room.hasRoom(first.place) ? first : undefined;
  }

  /**
   * Waiting branches whose lock no branch with a session waits for: one of them finds out when the wait is
   * over. Of a crowd a few are at work at a time.
   */
  private eligible(): Entry[] {
    const queues = this.room.queues();
    const crowded = this.room.crowded();
    return this.again.filter(
      ({ recalled }) => !queues.has(recalled?.behind) && !recalled?.isIn?.(crowded),
    );
  }

  /** Branches that are admitted ahead of the queue, in the order in which they were suspected. */
  private suspected(): Entry[] {
    const since = ({ recalled }: Entry): number | undefined => recalled?.suspectedSince();
    const suspected = this.again.filter((one) => since(one) !== undefined);
    if (suspected.length === 0) return suspected;
    const places = Math.max(0, this.room.placesOfSuspected());
    return suspected.sort((a, b) => (since(a) ?? 0) - (since(b) ?? 0)).slice(0, places);
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
    const within = `came free within ${durationText(waitedMs)}: ${working} branches are at work here`;
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
