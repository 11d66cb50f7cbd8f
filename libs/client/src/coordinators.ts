/**
 * The coordinators that a client knows, and which one a request goes to. Guards "keeps to the owner": the
 * address at which a transaction was begun is remembered by the incarnation in its id, which spares a hop;
 * any coordinator answers anything, so it is never more than a preference.
 */

/** Incarnations remembered at most: each start of a coordinator is a new one. */
const OWNERS_MAX = 64;

export class Coordinators {
  private readonly owners = new Map<string, number>();
  private current = 0;

  constructor(readonly urls: readonly string[]) {}

  /** Which to ask first: the owner of the transaction in a path, else the one that answered last. */
  first(path: string): number {
    const owner = /^\/v1\/transactions\/[0-9a-z]{26}-([0-9a-z]{8})/.exec(path)?.[1];
    return (owner === undefined ? undefined : this.owners.get(owner)) ?? this.current;
  }

  /** The next in turn. One that is not there is not asked first any more, whatever was begun there. */
  after(at: number, isGone: boolean): number {
    const next = (at + 1) % this.urls.length;
    for (const [owner, kept] of this.owners) {
      if (isGone && kept === at) this.owners.delete(owner);
    }
    if (this.current === at) this.current = next;
    return next;
  }

  /** A transaction that was begun at this address. */
  began(transactionId: string, at: number): void {
    const owner = transactionId.slice(-8);
    this.owners.delete(owner);
    this.owners.set(owner, at);
    const [oldest] = this.owners.keys();
    if (this.owners.size > OWNERS_MAX && oldest !== undefined) this.owners.delete(oldest);
  }

  url(at: number): string {
    return this.urls[at] as string;
  }
}
