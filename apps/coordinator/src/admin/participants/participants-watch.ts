/**
 * What participants say of themselves, asked once for everybody who looks. Guards "looking costs the
 * databases nothing": however many views are open, a coordinator asks every two seconds, and every
 * thirty while nobody looks; closer looks are shared too. Who is silent proves nothing: the last that
 * was heard is kept, and is said to be old.
 */
import { NatsParticipantChannel, type ParticipantReport } from '@concordat/channel';
import type { BranchImpact, CheckReport, Clock, InstanceReport } from '@concordat/engine';
import type { ParticipantName } from '@concordat/protocol';
import { Logger } from '@nestjs/common';

export type ParticipantState = 'up' | 'troubled' | 'silent';

/** A participant as it was last heard, by all its instances together. */
export interface SeenParticipant {
  readonly participant: ParticipantName;
  readonly state: ParticipantState;
  readonly instances: readonly ParticipantReport[];
  readonly inDoubt: number;
  readonly oldestMs?: number;
  readonly slots?: { readonly used: number; readonly max: number };
  /** Of its outcome table, where it says so: a participant may be another's work. */
  readonly schema?: string;
  readonly blockedSessions: number;
  /** Sessions that wait, by the branch they wait for. */
  readonly blockedBy: ReadonlyMap<string, number>;
  readonly lastError?: string;
  readonly lastSeenAtMs?: number;
}

/** What a closer look at one participant has brought. */
export interface CloserLook {
  readonly heard: boolean;
  readonly impact: readonly BranchImpact[];
  readonly fates: ReadonlyMap<string, string>;
  readonly checks: readonly CheckReport[];
  readonly why?: string;
}

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

interface Heard {
  seen: SeenParticipant;
  missed: number;
}

export class ParticipantsWatch {
  readonly #logger = new Logger('Participants');
  readonly #heard = new Map<ParticipantName, Heard>();
  readonly #closer = new Map<
    string,
    { readonly atMs: number; readonly asked: Promise<CloserLook> }
  >();
  readonly #listeners = new Set<() => void>();
  #running: Promise<void> | undefined;
  #rememberedAtMs = Number.NEGATIVE_INFINITY;
  #rolledAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => undefined;
  #isStopped = false;
  #told = '';

  constructor(
    private readonly channel: NatsParticipantChannel,
    private readonly clock: Clock,
    /** Names that transactions have used, whoever answers. */
    private readonly names: () => Promise<readonly ParticipantName[]>,
    private readonly timing: WatchTiming = TIMING,
  ) {}

  start(): void {
    void this.#roll().then(() => this.#schedule());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Calls the listener after a roll that brought something new. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Everybody, by name. Says that somebody looks. */
  async look(): Promise<readonly SeenParticipant[]> {
    const now = this.clock.now();
    const wasIdle = now - this.#lookedAtMs > INTEREST_MS;
    this.#lookedAtMs = now;
    const ageMs = now - this.#rolledAtMs;
    if (ageMs > STALE_MS) await this.#roll();
    else if (wasIdle && ageMs > this.timing.lookedMs) void this.#roll();
    if (wasIdle) this.#schedule();
    return this.known();
  }

  /** Everybody as last heard, without asking. */
  known(): readonly SeenParticipant[] {
    return [...this.#heard.values()]
      .map((one) => one.seen)
      .sort((a, b) => (a.participant < b.participant ? -1 : 1));
  }

  one(participant: string): SeenParticipant | undefined {
    return this.#heard.get(participant as ParticipantName)?.seen;
  }

  /** What the oldest prepared branches of a participant hold, and its settings. */
  closer(participant: ParticipantName): Promise<CloserLook> {
    return this.#share(`${participant} oldest`, () =>
      this.#ask(participant, { oldest: OLDEST_MAX, checks: true }),
    );
  }

  /** What became of these branches of a participant, and what they hold. */
  branches(participant: ParticipantName, gids: readonly string[]): Promise<CloserLook> {
    return this.#share(`${participant} ${gids.join(' ')}`, () => this.#ask(participant, { gids }));
  }

  /** Forgets what is shared, because something was done that changes it. */
  changed(): void {
    this.#closer.clear();
    void this.#roll();
  }

  async #ask(
    participant: ParticipantName,
    look: Parameters<NatsParticipantChannel['look']>[1],
  ): Promise<CloserLook> {
    const answer = await this.channel.look(participant, look);
    if (answer.kind !== 'answered') {
      const why = answer.kind === 'no-responders' ? 'no instance is connected' : answer.why;
      return { heard: false, impact: [], fates: new Map(), checks: [], why };
    }
    const { impact, fates = [], checks = [] } = answer.answer.details;
    return {
      heard: true,
      impact: impact?.branches ?? [],
      fates: new Map(fates.map(({ gid, fate }) => [gid, fate])),
      checks,
    };
  }

  #share(key: string, ask: () => Promise<CloserLook>): Promise<CloserLook> {
    const now = this.clock.now();
    const shared = this.#closer.get(key);
    if (shared && now - shared.atMs < CLOSER_MS) return shared.asked;
    for (const [other, { atMs }] of this.#closer) {
      if (now - atMs < CLOSER_MS && this.#closer.size < CLOSER_KEPT_MAX) break;
      this.#closer.delete(other); // In the order of asking: the first that is fresh ends it.
    }
    const asked = ask();
    this.#closer.delete(key);
    this.#closer.set(key, { atMs: now, asked });
    return asked;
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancel();
    const isLookedAt = this.clock.now() - this.#lookedAtMs <= INTEREST_MS;
    const { lookedMs, idleMs } = this.timing;
    this.#cancel = this.clock.after(isLookedAt ? lookedMs : idleMs, () => {
      void this.#roll().then(() => this.#schedule());
    });
  }

  #roll(): Promise<void> {
    this.#running ??= this.#rollOnce()
      .catch((error: unknown) => this.#logger.warn(`participants were not asked: ${String(error)}`))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #rollOnce(): Promise<void> {
    const [reports] = await Promise.all([this.channel.roll(), this.#remember()]);
    const nowMs = this.clock.wallNow();
    this.#rolledAtMs = this.clock.now();
    const byName = new Map<ParticipantName, ParticipantReport[]>();
    for (const one of reports) {
      byName.set(one.participant, [...(byName.get(one.participant) ?? []), one]);
    }
    for (const [participant, instances] of byName) {
      this.#heard.set(participant, { seen: together(participant, instances, nowMs), missed: 0 });
    }
    for (const [participant, heard] of this.#heard) {
      if (byName.has(participant)) continue;
      heard.missed += 1;
      if (heard.missed < MISSED_MAX || heard.seen.state === 'silent') continue;
      // Not in its database's memory any more what was waiting for it: only what is prepared stays.
      heard.seen = { ...heard.seen, state: 'silent', instances: [], ...NOTHING_WAITS };
    }
    this.#tell();
  }

  /** Who is known from transactions and never answers is listed as silent. */
  async #remember(): Promise<void> {
    const now = this.clock.now();
    if (now - this.#rememberedAtMs < REMEMBER_EVERY_MS) return;
    try {
      for (const participant of await this.names()) {
        if (this.#heard.has(participant)) continue;
        this.#heard.set(participant, { seen: unheard(participant), missed: MISSED_MAX });
      }
      this.#rememberedAtMs = now;
    } catch (error) {
      this.#logger.debug(`the names of participants were not read: ${String(error)}`);
    }
  }

  #tell(): void {
    const now = JSON.stringify(
      this.known().map((one) => [
        one.participant,
        one.state,
        one.inDoubt,
        one.blockedSessions,
        one.slots?.used,
        one.lastError,
      ]),
    );
    if (now === this.#told) return;
    this.#told = now;
    for (const listener of this.#listeners) listener();
  }
}

const NOTHING_WAITS = { blockedSessions: 0, blockedBy: new Map<string, number>() } as const;

function unheard(participant: ParticipantName): SeenParticipant {
  return { participant, state: 'silent', instances: [], inDoubt: 0, ...NOTHING_WAITS };
}

/** Instances of one participant look at the same database: the largest number is the newest. */
function together(
  participant: ParticipantName,
  instances: readonly ParticipantReport[],
  nowMs: number,
): SeenParticipant {
  const details = instances.map((one) => one.details);
  const most = (read: (report: InstanceReport) => number | undefined): number | undefined =>
    details.reduce<number | undefined>((so, one) => larger(so, read(one)), undefined);
  const blockedBy = new Map<string, number>();
  for (const { gid, sessions } of details.flatMap((one) => one.blocked?.branches ?? [])) {
    blockedBy.set(gid, Math.max(blockedBy.get(gid) ?? 0, sessions));
  }
  const slots = details.find((one) => one.slots !== undefined)?.slots;
  const oldestMs = most((one) => one.oldestMs);
  const inDoubt = most((one) => one.preparedCount ?? one.inDoubt) ?? 0;
  const lastError = details.map(troubleOf).find((one) => one !== undefined);
  const schema = instances.map(schemaOf).find((one) => one !== undefined);
  return {
    participant,
    state: lastError === undefined ? 'up' : 'troubled',
    instances,
    inDoubt,
    ...(oldestMs === undefined || inDoubt === 0 ? {} : { oldestMs }),
    ...(slots ? { slots } : {}),
    ...(schema === undefined ? {} : { schema }),
    blockedSessions: most((one) => one.blocked?.sessions) ?? 0,
    blockedBy,
    ...(lastError === undefined ? {} : { lastError }),
    lastSeenAtMs: nowMs,
  };
}

const SCHEMA_MAX = 63;

/** Its outcome table's schema, of the report as it came: not everybody's has one. */
function schemaOf({ report }: ParticipantReport): string | undefined {
  const { schema } = (report['database'] ?? {}) as { readonly schema?: unknown };
  const isName = typeof schema === 'string' && schema !== '' && schema.length <= SCHEMA_MAX;
  return isName ? schema : undefined;
}

/** What an instance says is wrong now. */
function troubleOf(report: InstanceReport): string | undefined {
  return report.failures?.[0] ?? report.lastError;
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
