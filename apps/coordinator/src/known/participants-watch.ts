/**
 * What participants report about themselves, asked once for all viewers. Guards "looking costs the databases
 * nothing": however many views are open, a coordinator asks every two seconds, and every thirty without a
 * viewer; closer looks are shared too; and "what is not known is absent": a number is there only while an
 * instance that sees its database reports it. A missing answer is no zero, and neither is an unreachable
 * database: the last known state is separate, with its time.
 */
import { NatsParticipantChannel, type ParticipantReport } from '@concordat/channel';
import type { ParticipantStore, RememberedParticipant } from '@concordat/decision-log';
import type { BranchImpact, CheckReport, Clock } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import { Logger } from '@nestjs/common';
import { silenced, together, type SeenParticipant } from './seen-participant.js';

export type { SeenParticipant } from './seen-participant.js';

/** What a closer look at one participant has brought. */
export interface CloserLook {
  readonly heard: boolean;
  /** Absent where its database could not be looked into: that is no empty list. */
  readonly impact?: readonly BranchImpact[];
  readonly fates: ReadonlyMap<string, string>;
  readonly checks?: readonly CheckReport[];
  /** Why something is absent. */
  readonly why?: string;
}

/** The part of the decision log that remembers who takes part. */
export type Remembering = Pick<ParticipantStore, 'answered' | 'list' | 'undelivered'>;

export interface WatchTiming {
  readonly lookedMs: number;
  readonly idleMs: number;
}

const TIMING: WatchTiming = { lookedMs: 2_000, idleMs: 30_000 };
/** Somebody looks for so long after they last asked. */
const INTEREST_MS = 15_000;
/** Older than this, an answer is waited for rather than given as it is. */
const STALE_MS = 10_000;
/** A roll can miss one whose database is slow; two in a row are silence. */
const MISSED_MAX = 2;
const REMEMBER_EVERY_MS = 30_000;
const CLOSER_MS = 2_000;
const CLOSER_KEPT_MAX = 500;
const OLDEST_MAX = 200;
const UNDELIVERED_KEPT_MS = 3_000;

interface Heard {
  seen: SeenParticipant;
  /** When it answered anything, a command for example: later than what it reported about itself. */
  answeredAtMs?: number;
  missed: number;
  /** When the register was updated with it, and with what. */
  notedAtMs: number;
  notedInDoubt?: number;
  /** Whether the register has it on its list, as far as is known here. */
  isListed: boolean;
}

type Undelivered = ReadonlyMap<ParticipantName, number>;

export class ParticipantsWatch {
  private readonly logger = new Logger('Participants');
  private readonly heard = new Map<ParticipantName, Heard>();
  private readonly closerLooks = new Map<
    string,
    { readonly atMs: number; readonly asked: Promise<CloserLook> }
  >();
  private readonly listeners = new Set<() => void>();
  private running: Promise<void> | undefined;
  /** Names that have answered and are in no list yet. */
  private readonly freshened = new Set<ParticipantName>();
  private lastUndelivered:
    | { readonly atMs: number; readonly asked: Promise<Undelivered> }
    | undefined;
  private rememberedAtMs = Number.NEGATIVE_INFINITY;
  private rolledAtMs = Number.NEGATIVE_INFINITY;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private cancel: () => void = () => undefined;
  private isStopped = false;
  private told = '';

  constructor(
    private readonly channel: NatsParticipantChannel,
    private readonly clock: Clock,
    private readonly store: Remembering,
    private readonly timing: WatchTiming = TIMING,
  ) {}

  start(): void {
    void this.roll().then(() => this.schedule());
  }

  stop(): void {
    this.isStopped = true;
    this.cancel();
  }

  /** Calls the listener after a roll that brought something new. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** All participants, by name. Counts as a look. */
  async look(): Promise<readonly SeenParticipant[]> {
    const now = this.clock.now();
    const wasIdle = now - this.lookedAtMs > INTEREST_MS;
    this.lookedAtMs = now;
    const ageMs = now - this.rolledAtMs;
    if (ageMs > STALE_MS) await this.roll();
    else if (wasIdle && ageMs > this.timing.lookedMs) void this.roll();
    if (wasIdle) this.schedule();
    return this.known();
  }

  /**
   * Whether the register has reported which names have ever answered: until then an unknown name may be one
   * of them.
   */
  get hasReadNames(): boolean {
    return Number.isFinite(this.rememberedAtMs);
  }

  /** Whether every instance of a participant that answers commits in one phase; false of who is not known. */
  knowsOnePhase(participant: ParticipantName): boolean {
    const instances = this.heard.get(participant)?.seen.instances ?? [];
    return instances.length > 0 && instances.every((one) => one.details.onePhase === true);
  }

  /** All participants as of their last answer, without asking. */
  known(): readonly SeenParticipant[] {
    return [...this.heard.values()]
      .map(asSeen)
      .sort((a, b) => (a.participant < b.participant ? -1 : 1));
  }

  /** Asks all participants now, even if they were asked a moment ago. */
  async fresh(): Promise<void> {
    await this.running;
    await this.roll();
  }

  /** A name has answered any question: it is a participant, and was there at this moment. */
  answered(participant: ParticipantName): void {
    const before = this.heard.get(participant);
    if (before) before.answeredAtMs = this.clock.wallNow();
    if (before || this.freshened.has(participant)) return;
    this.freshened.add(participant);
    // Crash window: noted before the next roll, which may be half a minute away.
    this.store
      .answered([{ participant }])
      .then(() => this.roll())
      .then(() => {
        const seenAtMs = this.clock.wallNow();
        if (!this.heard.has(participant)) this.put(heardOf({ participant, seenAtMs }));
      })
      .catch((error: unknown) => this.logger.debug(`not noted: ${String(error)}`))
      .finally(() => this.freshened.delete(participant));
  }

  /** It is retired: off the list, until it answers again. */
  forget(participant: ParticipantName): void {
    this.heard.delete(participant);
    this.changed();
  }

  /**
   * Commits that are not known to be acknowledged, by participant, where one of these cannot be seen.
   * Undefined where all can, and where the register does not answer.
   */
  async undelivered(of: readonly SeenParticipant[]): Promise<Undelivered | undefined> {
    if (of.every((one) => one.inDoubt !== undefined)) return undefined;
    const now = this.clock.now();
    if (!this.lastUndelivered || now - this.lastUndelivered.atMs > UNDELIVERED_KEPT_MS) {
      this.lastUndelivered = { atMs: now, asked: this.store.undelivered() };
    }
    return this.lastUndelivered.asked.catch(() => (this.lastUndelivered = undefined));
  }

  one(participant: string): SeenParticipant | undefined {
    const heard = this.heard.get(participant as ParticipantName);
    return heard && asSeen(heard);
  }

  /** What the oldest prepared branches of a participant hold, and its settings. */
  closer(participant: ParticipantName): Promise<CloserLook> {
    return this.share(`${participant} oldest`, () =>
      this.ask(participant, { oldest: OLDEST_MAX, checks: true }),
    );
  }

  /** What became of these branches of a participant, and what they hold. */
  branches(participant: ParticipantName, gids: readonly string[]): Promise<CloserLook> {
    return this.share(`${participant} ${gids.join(' ')}`, () => this.ask(participant, { gids }));
  }

  /** Forgets what is shared, because something was done that changes it. */
  changed(): void {
    this.closerLooks.clear();
    this.lastUndelivered = undefined;
    void this.roll();
  }

  private async ask(
    participant: ParticipantName,
    look: Parameters<NatsParticipantChannel['look']>[1],
  ): Promise<CloserLook> {
    const answer = await this.channel.look(participant, look);
    if (answer.kind !== 'answered') {
      const why = answer.kind === 'no-responders' ? 'no instance is connected' : answer.why;
      return { heard: false, fates: new Map(), why };
    }
    const { impact, fates = [], checks, failures = [] } = answer.answer.details;
    return {
      heard: true,
      ...(impact ? { impact: impact.branches } : {}),
      fates: new Map(fates.map(({ gid, fate }) => [gid, fate])),
      ...(checks ? { checks } : {}),
      ...(failures[0] === undefined ? {} : { why: failures[0] }),
    };
  }

  private share(key: string, ask: () => Promise<CloserLook>): Promise<CloserLook> {
    const now = this.clock.now();
    const shared = this.closerLooks.get(key);
    if (shared && now - shared.atMs < CLOSER_MS) return shared.asked;
    for (const [other, { atMs }] of this.closerLooks) {
      if (now - atMs < CLOSER_MS && this.closerLooks.size < CLOSER_KEPT_MAX) break;
      this.closerLooks.delete(other); // In the order of asking: the first that is fresh ends it.
    }
    const asked = ask();
    this.closerLooks.delete(key);
    this.closerLooks.set(key, { atMs: now, asked });
    return asked;
  }

  private schedule(): void {
    if (this.isStopped) return;
    this.cancel();
    const isLookedAt = this.clock.now() - this.lookedAtMs <= INTEREST_MS;
    const { lookedMs, idleMs } = this.timing;
    this.cancel = this.clock.after(isLookedAt ? lookedMs : idleMs, () => {
      void this.roll().then(() => this.schedule());
    });
  }

  private roll(): Promise<void> {
    this.running ??= this.rollOnce()
      .catch((error: unknown) => this.logger.warn(`participants were not asked: ${String(error)}`))
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }

  private async rollOnce(): Promise<void> {
    const [reports] = await Promise.all([this.channel.roll(), this.remember()]);
    const away = this.channel.away;
    const nowMs = this.clock.wallNow();
    this.rolledAtMs = this.clock.now();
    const byName = new Map<ParticipantName, ParticipantReport[]>();
    for (const one of reports) {
      byName.set(one.participant, [...(byName.get(one.participant) ?? []), one]);
    }
    for (const [participant, instances] of byName) {
      const before = this.heard.get(participant);
      this.put({
        ...heardOf({ participant }),
        ...(before ?? { isListed: false }),
        seen: together(participant, instances, nowMs, before?.seen),
        missed: 0,
      });
    }
    for (const [participant, heard] of this.heard) {
      if (byName.has(participant)) continue;
      heard.missed += 1;
      if (away !== undefined || heard.missed >= MISSED_MAX) heard.seen = silenced(heard.seen, away);
    }
    await this.note([...byName.keys()]);
    this.tell();
  }

  private put(heard: Heard): void {
    this.heard.set(heard.seen.participant, heard);
  }

  /** Records in the register which names have answered: new ones at once, the others every half minute. */
  private async note(names: readonly ParticipantName[]): Promise<void> {
    const now = this.clock.now();
    const due = names.flatMap((name) => {
      const heard = this.heard.get(name);
      if (!heard) return [];
      const { inDoubt } = heard.seen;
      const isNews = inDoubt !== undefined && inDoubt > 0 !== (heard.notedInDoubt ?? -1) > 0;
      return isNews || now - heard.notedAtMs >= REMEMBER_EVERY_MS ? [heard] : [];
    });
    try {
      await this.store.answered(
        due.map(({ seen: { participant, inDoubt } }) => ({
          participant,
          ...(inDoubt === undefined ? {} : { inDoubt }),
        })),
      );
      for (const heard of due) {
        heard.notedAtMs = now;
        heard.isListed = true;
        heard.notedInDoubt = heard.seen.inDoubt ?? heard.notedInDoubt;
      }
    } catch (error) {
      this.logger.debug(`who answers was not noted: ${String(error)}`);
    }
  }

  /**
   * A name that has ever answered any coordinator is on the list; one that was retired, here or elsewhere, is
   * not.
   */
  private async remember(): Promise<void> {
    const now = this.clock.now();
    if (now - this.rememberedAtMs < REMEMBER_EVERY_MS) return;
    try {
      const remembered = await this.store.list();
      const names = new Set(remembered.map((one) => one.participant));
      for (const one of remembered) {
        if (!this.heard.has(one.participant)) this.put(heardOf(one));
      }
      for (const [participant, { seen, isListed }] of this.heard) {
        const isRetired = isListed && seen.state === 'silent' && !names.has(participant);
        if (isRetired) this.heard.delete(participant);
      }
      this.rememberedAtMs = now;
    } catch (error) {
      this.logger.debug(`the names of participants were not read: ${String(error)}`);
    }
  }

  private tell(): void {
    const now = JSON.stringify(
      this.known().map((one) => [
        one.participant,
        one.state,
        one.inDoubt,
        one.blockedSessions,
        one.lockWaits?.waits.map(({ id }) => id),
        one.slots?.used,
        one.lastError,
      ]),
    );
    if (now === this.told) return;
    this.told = now;
    for (const listener of this.listeners) listener();
  }
}

/** The last report, with the time of any answer after it. */
function asSeen({ seen, answeredAtMs = 0 }: Heard): SeenParticipant {
  return answeredAtMs > (seen.lastSeenAtMs ?? 0) ? { ...seen, lastSeenAtMs: answeredAtMs } : seen;
}

/** A name that does not answer now. */
function heardOf({ participant, seenAtMs, lastKnown }: RememberedParticipant): Heard {
  return {
    seen: {
      participant,
      state: 'silent',
      instances: [],
      blockedBy: new Map(),
      ...(seenAtMs === undefined ? {} : { lastSeenAtMs: seenAtMs }),
      ...(lastKnown ? { lastKnown } : {}),
    },
    missed: MISSED_MAX,
    notedAtMs: Number.NEGATIVE_INFINITY,
    isListed: true,
  };
}
