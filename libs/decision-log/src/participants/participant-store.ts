/**
 * The participants that the decision database knows: which names have ever answered a coordinator, when they
 * last answered, and what was prepared there then. Guards "a participant is a name that has answered": a
 * name that was only asked for is never in here, and one that is retired comes back by answering.
 */
import type { ParticipantName } from '@concordat/protocol';
import type pg from 'pg';
import { ask } from '../register/question.js';
import { COUNT_UNDELIVERED, LIST_PARTICIPANTS, NOTE_ANSWERED, RETIRE } from './participants.sql.js';

/** Commits on record that are looked at, at most. */
const COMMITS_MAX = 10_000;

/** A name that has answered just now, and what is prepared there, if it could say. */
export interface AnsweredParticipant {
  readonly participant: ParticipantName;
  readonly inDoubt?: number;
}

export interface RememberedParticipant {
  readonly participant: ParticipantName;
  /** By the database's clock. Absent where only its vote for a commit on record shows it. */
  readonly seenAtMs?: number;
  /** What was prepared there when its database was last seen. Absent: never reported. */
  readonly lastKnown?: { readonly inDoubt: number; readonly atMs: number };
}

interface Row {
  readonly participant: ParticipantName;
  readonly seen_at_ms: number | null;
  readonly in_doubt: number | null;
  readonly looked_at_ms: number | null;
}

export class ParticipantStore {
  constructor(
    private readonly pool: pg.Pool,
    private readonly reading: pg.Pool,
  ) {}

  /** Notes which names have answered. Rejects with `RegisterUnknown`. */
  async answered(names: readonly AnsweredParticipant[]): Promise<void> {
    if (names.length === 0) return;
    await ask(this.pool, 'note-participants', NOTE_ANSWERED, [
      names.map((one) => one.participant),
      names.map((one) => one.inDoubt ?? null),
    ]);
  }

  /** All names that have answered and are not retired. Rejects with `RegisterUnknown`. */
  async list(): Promise<readonly RememberedParticipant[]> {
    const rows = await ask<Row>(this.reading, 'participants', LIST_PARTICIPANTS, [COMMITS_MAX]);
    return rows.map(({ participant, seen_at_ms, in_doubt, looked_at_ms }) => ({
      participant,
      ...(seen_at_ms === null ? {} : { seenAtMs: seen_at_ms }),
      ...(in_doubt === null || looked_at_ms === null
        ? {}
        : { lastKnown: { inDoubt: in_doubt, atMs: looked_at_ms } }),
    }));
  }

  /**
   * Branches of commits on record that are not on record as finished, by participant. Counts are exact up
   * to 10,000 such commits. Rejects with `RegisterUnknown`.
   */
  async undelivered(): Promise<ReadonlyMap<ParticipantName, number>> {
    const rows = await ask<{ participant: ParticipantName; count: number }>(
      this.reading,
      'undelivered',
      COUNT_UNDELIVERED,
      [COMMITS_MAX],
    );
    return new Map(rows.map((row) => [row.participant, row.count]));
  }

  /**
   * Takes a name off the list until it answers again. False when it is not on the list, when a commit on
   * record that has not ended names it, or when it decides one in one phase that has no end yet. Rejects with `RegisterUnknown`.
   */
  async retire(participant: ParticipantName): Promise<boolean> {
    const rows = await ask(this.pool, 'retire', RETIRE, [participant]);
    return rows.length > 0;
  }
}
