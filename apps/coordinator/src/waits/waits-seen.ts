/**
 * What is known here of waits for locks: what was reported to this coordinator of its own transactions, what
 * the owner of another one answers, and what participants report of their databases. Guards "any coordinator
 * answers": the owner is asked, for a moment, and if it does not answer, the result says so.
 */
import {
  branchWaits,
  type BranchWaits,
  type KnownTransaction,
  mayWait,
  WaitPicture,
} from '@concordat/diagnosis';
import {
  DeadlockBreaker,
  WaitBoard,
  WaitQuestions,
  within,
  type BranchView,
  type BrokenCycle,
  type Wait,
} from '@concordat/engine';
import { ownerOf, type TransactionId } from '@concordat/protocol';
import { Injectable } from '@nestjs/common';
import { ParticipantsWatch, type SeenParticipant } from '../known/participants-watch.js';
import { Identity } from '../platform/identity.js';

/** How long a look waits for another coordinator. */
const OWNER_MS = 250;

const NOT_KNOWN: BranchWaits = { isKnown: false, waits: [] };

@Injectable()
export class WaitsSeen {
  constructor(
    private readonly board: WaitBoard,
    private readonly questions: WaitQuestions,
    private readonly breaker: DeadlockBreaker,
    private readonly watch: ParticipantsWatch,
    private readonly identity: Identity,
  ) {}

  /** Everything that these participants and the owners report; `asked`: what another owner has said. */
  picture(seen: Iterable<SeenParticipant>, asked: readonly Wait[] = []): WaitPicture {
    const own = [...this.board.all(), ...asked];
    const nowMs = this.identity.clock.wallNow();
    return WaitPicture.of(seen, own, (one) => this.isOwn(one), nowMs);
  }

  /** What the owner has received about the waits of a transaction; undefined where it does not say. */
  async toldToOwner({ transaction }: KnownTransaction): Promise<readonly Wait[] | undefined> {
    if (this.isOwn(transaction)) return this.board.of(transaction);
    const asked = this.questions.waitsOf(ownerOf(transaction), [transaction]);
    const said = await within(this.identity.clock, OWNER_MS, asked, undefined);
    return said?.kind === 'answered' ? said.answer.flatMap(({ waits }) => waits) : undefined;
  }

  /** What each branch waits for as reported to its owner, without asking any participant. */
  async ofBranches(
    known: KnownTransaction,
  ): Promise<(branch: BranchView) => BranchWaits | undefined> {
    if (!mayWait(known)) return () => undefined;
    const told = await this.toldToOwner(known);
    const own = this.isOwn(known.transaction) ? this.board.all() : (told ?? []);
    const picture = WaitPicture.of([], own, () => true, this.identity.clock.wallNow());
    return (branch) => {
      const there = this.watch.one(branch.participant);
      const waits = branchWaits(known, branch, picture, there);
      return waits && told === undefined ? NOT_KNOWN : waits;
    };
  }

  /** Cycles that this coordinator broke lately, with this transaction in them. */
  brokenWith(transaction: TransactionId): BrokenCycle[] {
    return this.breaker.brokenWith(transaction);
  }

  private isOwn(transaction: TransactionId): boolean {
    return ownerOf(transaction) === this.identity.incarnation;
  }
}
