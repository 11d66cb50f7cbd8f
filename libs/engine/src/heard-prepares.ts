/**
 * Which prepares have arrived at an instance, whatever their state: waiting, running, voted. A coordinator
 * uses it to tell a lost prepare from one whose vote is still pending. Not needed for safety: a prepare that
 * is dropped from this list is at most sent again, and the database refuses a branch that was prepared
 * before.
 */
import { formatGid, type ClusterId } from '@concordat/protocol';
import type { BranchAddress, Clock } from './ports/index.js';

/** Over so many the oldest is forgotten. */
const KEPT_MAX = 65_536;

export class HeardPrepares {
  /** Until when its owner waits for the vote, by gid; the oldest first. */
  private readonly heard = new Map<string, number>();
  private readonly since: number;

  constructor(
    private readonly clock: Clock,
    private readonly cluster: ClusterId,
  ) {
    this.since = clock.now();
  }

  /** A prepare has come, whose vote is awaited for so many milliseconds. */
  note(
    { transaction, branch }: Pick<BranchAddress, 'transaction' | 'branch'>,
    leftMs: number,
  ): void {
    const now = this.clock.now();
    const gid = formatGid({ cluster: this.cluster, transaction, branch });
    this.heard.delete(gid);
    this.heard.set(gid, now + leftMs);
    for (const [one, untilMs] of this.heard) {
      if (untilMs > now && this.heard.size <= KEPT_MAX) break;
      this.heard.delete(one);
    }
  }

  /** Those of the asked branches whose prepare has come here, and for how long this instance has listened. */
  report(gids: readonly string[]): { readonly heard: string[]; readonly listeningMs: number } {
    const listeningMs = Math.floor(this.clock.now() - this.since);
    return { heard: gids.filter((gid) => this.heard.has(gid)), listeningMs };
  }
}
