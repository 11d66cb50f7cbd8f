/**
 * Whether an undecided transaction is live at its owner, asked sparingly. Guards "a missing answer proves
 * nothing": an owner counts as gone only if the broker reports no responders, or if it says that it does not
 * know the transaction; every doubt counts as live, so that nothing is called an orphan by mistake.
 */
import { ownerOf, type Incarnation, type TransactionId } from '@concordat/protocol';
import { mayBeThere, type Liveness } from '../liveness.js';
import type { TransactionManager } from '../transaction-manager.js';

/** Questions about single transactions in one pass; what is beyond counts as live until the next. */
const QUESTIONS_MAX = 500;

export class Owners {
  private readonly alive = new Map<Incarnation, Promise<boolean>>();
  private questions = 0;

  /** For one pass: what it has learned of an owner holds until then. */
  constructor(
    private readonly liveness: Liveness,
    private readonly manager: TransactionManager,
    private readonly self: Incarnation,
  ) {}

  async mayBeLive(transaction: TransactionId): Promise<boolean> {
    const owner = ownerOf(transaction);
    if (owner === this.self) return this.manager.isLive(transaction);
    if (!(await this.mayBeAlive(owner))) return false;
    if (this.questions >= QUESTIONS_MAX) return true;
    this.questions += 1;
    return mayBeThere(await this.liveness.atOwner(transaction));
  }

  mayBeAlive(incarnation: Incarnation): Promise<boolean> {
    let asked = this.alive.get(incarnation);
    if (!asked) {
      asked = this.liveness.of(incarnation).then(mayBeThere);
      this.alive.set(incarnation, asked);
    }
    return asked;
  }
}
