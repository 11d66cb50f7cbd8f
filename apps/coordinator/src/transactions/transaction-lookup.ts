/**
 * What is known of a transaction, by its id, at any coordinator. Guards protocol §5 for people as the
 * inquirer does for participants: memory first, then the register, then the owner; and "aborted" is never
 * returned for a transaction whose owner is gone before an abort is on record. An owner that does not answer
 * is not gone. A mere look never writes for an id without a trace.
 */
import { Injectable } from '@nestjs/common';
import { hasEnded, type KnownTransaction } from '@concordat/diagnosis';
import { Liveness, TransactionManager, type Moment, type TraceContext } from '@concordat/engine';
import { decidedAt, isTransactionId, ownerOf, type TransactionId } from '@concordat/protocol';
import { Problem } from '../problems/problem.js';
import { Identity } from '../platform/identity.js';
import { TransactionRecords } from './transaction-records.js';
import { liveElsewhere, takenOver, takenOverUnrecorded } from '../known/known-transaction.js';

/** What a wait is for: one of the two moments, or any change after a version. */
export type Until = Moment | { readonly versionAbove: number };

/** Calls the listener when a wait is to end early. Returns how to forget it. */
export type Stop = (listener: () => void) => () => void;

const POLL_MS = 250;

@Injectable()
export class TransactionLookup {
  constructor(
    private readonly manager: TransactionManager,
    private readonly liveness: Liveness,
    private readonly records: TransactionRecords,
    private readonly identity: Identity,
  ) {}

  /** Reads an id from a URL. Throws the problem `unknown-or-forgotten` for what is no id. */
  idOf(text: string): TransactionId {
    if (isTransactionId(text)) return text;
    throw unknownTransaction(text);
  }

  /** Whether it is in this coordinator's memory, or this is the only one that can have it there. */
  isHere(id: TransactionId): boolean {
    return ownerOf(id) === this.identity.incarnation || this.manager.view(id) !== undefined;
  }

  /** The trace that it was begun in, where it is in this coordinator's memory. */
  traceOf(id: TransactionId): TraceContext | undefined {
    return this.manager.traceOf(id);
  }

  /** What is on record; no owner is asked. Rejects when the register is away. */
  recorded(id: TransactionId): Promise<KnownTransaction | undefined> {
    return this.records.find(id);
  }

  /**
   * Everything known, or undefined when there is no trace. Throws the problem `not-known-now` when
   * what is known would be a guess. Rejects when the register is away.
   */
  async find(id: TransactionId): Promise<KnownTransaction | undefined> {
    const live = this.manager.view(id);
    if (live && !live.takenOver) return live;
    // Asked before the row is: a note that is written in between would be in neither.
    const isHistoryBehind = this.records.isHistoryBehind();
    const recorded = await this.records.find(id);
    if (live) return recorded ? takenOver(live, recorded) : takenOverUnrecorded(live);
    // A decision is on record; or its owner noted the end: a presumed abort, or votes all read-only.
    if (recorded && (recorded.decision !== undefined || hasEnded(recorded))) return recorded;
    if (ownerOf(id) === this.identity.incarnation) {
      // It ended here and is no longer in memory. A commit with read-only votes is only in the history: no
      // abort may be made of it because the history is behind.
      if (decidedAt(id) !== undefined) return this.decidedThere(id, recorded);
      if (recorded || isHistoryBehind) throw endNotRecorded(id);
      return undefined;
    }
    const said = await this.liveness.atOwner(id);
    switch (said.kind) {
      case 'live':
        return recorded ?? liveElsewhere(id, said.principal);
      case 'silent':
        if (recorded) return recorded;
        throw ownerSilent(id);
      case 'gone':
      case 'not-live':
        // In one phase its participant may have committed what nothing is noted of.
        if (decidedAt(id) !== undefined) return this.decidedThere(id, recorded);
        if (!recorded) return undefined;
        // Its owner is gone and no decision is on record. Crash window closed here: the owner may have
        // proposed commit at this moment, so the answer is what is on record afterwards, not what was
        // proposed.
        await this.manager.inquire({ transaction: id });
        return (await this.records.find(id)) ?? recorded;
    }
  }

  /**
   * Waits until `until` holds or `waitMs` is over, and returns what is known then. Ends early when `stop`
   * says so: a process that shuts down holds no request. Leaves no listener behind.
   */
  async settle(
    id: TransactionId,
    until: Until,
    waitMs: number,
    stop: Stop,
  ): Promise<KnownTransaction | undefined> {
    let forget: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      forget = stop(resolve);
    });
    // Not at once: what a commit decides in this turn is returned also while draining.
    let isStopped = false;
    void stopped.then(() => (isStopped = true));
    try {
      return await this.settledBy(id, until, waitMs, stopped, () => isStopped);
    } finally {
      forget();
    }
  }

  private async settledBy(
    id: TransactionId,
    until: Until,
    waitMs: number,
    stopped: Promise<void>,
    isStopped: () => boolean,
  ): Promise<KnownTransaction | undefined> {
    const { clock } = this.identity;
    const deadline = clock.now() + waitMs;
    for (;;) {
      const live = this.manager.view(id);
      const isPlain = live !== undefined && !live.takenOver;
      const known = isPlain ? live : await this.find(id);
      const leftMs = deadline - clock.now();
      if (!known || holds(known, until) || leftMs <= 0 || isStopped()) return known;
      if (isPlain) {
        const seen = await Promise.race([this.manager.wait(id, until, leftMs), stopped]);
        if (seen && holds(seen, until)) return seen;
      } else {
        // Live elsewhere, or merged from several sources: its changes are seen by looking again.
        await Promise.race([this.pause(Math.min(POLL_MS, leftMs)), stopped]);
      }
    }
  }

  /** What its participant holds, from now on at the latest, is on record afterwards; while it is silent nothing is known. */
  private async decidedThere(
    id: TransactionId,
    recorded: KnownTransaction | undefined,
  ): Promise<KnownTransaction | undefined> {
    const answer = await this.manager.inquire({ transaction: id });
    if (answer.kind === 'undecided' && !recorded) throw participantSilent(id);
    const found = (await this.records.find(id)) ?? recorded;
    if (!found && answer.kind === 'forgotten') throw forgottenThere(id);
    return found;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.identity.clock.after(ms, resolve));
  }
}

/** Whether a wait is over. */
export function holds(known: KnownTransaction, until: Until): boolean {
  // What has ended without a decision that any process knows is not decided any more.
  if (until === 'decided') return known.decision !== undefined || hasEnded(known);
  if (until === 'completed') return hasEnded(known);
  return known.version > until.versionAbove || hasEnded(known);
}

export function unknownTransaction(id: string): Problem {
  return new Problem(
    'unknown-or-forgotten',
    'Nothing is known under this id. It was never begun, belongs to another client, ended in an abort ' +
      'that left no trace (no record means abort), or is past retention. If it was begun and its ' +
      'coordinator is gone, POST …/rollback makes the abort certain.',
    isTransactionId(id) ? { transactionId: id } : {},
  );
}

/** Its owner may be slow, asleep or cut off, and may still commit it: neither 404 nor "aborted". */
function ownerSilent(id: TransactionId): Problem {
  const place = decidedAt(id);
  const knows = place
    ? `; participant ${place}, which decides it, is not asked behind its back`
    : ' and alone knows what becomes of it';
  return notKnownNow(
    id,
    `Coordinator ${ownerOf(id)}, which began it, does not answer at this moment${knows}.`,
  );
}

/** It may have committed it, and decides it: neither 404 nor "aborted". */
function participantSilent(id: TransactionId): Problem {
  return notKnownNow(
    id,
    `Participant ${decidedAt(id)}, at which it is decided, does not answer at this moment.`,
  );
}

/** It may have committed it: that no record is left is no abort. */
function forgottenThere(id: TransactionId): Problem {
  return new Problem(
    'unknown-or-forgotten',
    `It is past retention, here and at participant ${decidedAt(id)}, at which it was decided: whether it has committed is not known any more. Look for what it would have changed there.`,
    { transactionId: id },
  );
}

function endNotRecorded(id: TransactionId): Problem {
  return notKnownNow(id, 'It has ended here, and how it ended is not on record yet.');
}

function notKnownNow(id: TransactionId, why: string): Problem {
  return new Problem(
    'not-known-now',
    `${why} Nothing may be concluded from this answer; ask again.`,
    { transactionId: id, retryAfterMs: 1_000 },
  );
}
