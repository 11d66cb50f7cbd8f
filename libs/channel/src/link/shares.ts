/**
 * Shares: how much of a lane one asker may take up at once. Guards "one participant that floods keeps no
 * other waiting": an asker with too many questions under way is asked to try later, even if there is
 * capacity.
 */
export class Shares {
  private readonly underWay = new Map<string, number>();

  constructor(private readonly max: number) {}

  /** Takes a part for one question; false when the asker has all it may. */
  take(asker: string): boolean {
    const held = this.underWay.get(asker) ?? 0;
    if (held >= this.max) return false;
    this.underWay.set(asker, held + 1);
    return true;
  }

  /** Gives it back once the question is answered. Who holds none is not remembered. */
  giveBack(asker: string): void {
    const held = this.underWay.get(asker) ?? 0;
    if (held <= 1) this.underWay.delete(asker);
    else this.underWay.set(asker, held - 1);
  }
}
