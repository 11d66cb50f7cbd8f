/**
 * Whether this coordinator can do its work now. Guards "not ready without the register, the broker or
 * the right time": the register is asked, not assumed; the broker's state follows its connection; both
 * recover by themselves. A stop has three steps: leaving, which a load balancer sees before anything is
 * refused; draining, when nothing new is admitted and clients that only watch are disconnected; and the end
 * of the drain, when clients that wait for a decision get the state at that time. What a
 * driver says, with addresses and roles in it, goes to the log: these routes need no key.
 */
import type { Clock } from '@concordat/engine';
import { durationText } from '@concordat/words';
import { Problem, type ProblemCode } from '../problems/problem.js';

export interface DependencyState {
  readonly ok: boolean;
  /** For anybody to read: how it is, in general words. */
  readonly detail: string;
  /** While it is away: within so long it is known again, if it answers from now on. A second if unsaid. */
  readonly againMs?: number;
}

export interface Dependency {
  readonly name: 'register' | 'broker' | 'clock' | 'peers';
  /** The problem that a refused request gets while it is away. */
  readonly code: Extract<
    ProblemCode,
    'register-unavailable' | 'broker-unavailable' | 'clock-off' | 'another-register'
  >;
  /** What it cannot be seen without, and what is said of it while that is away. */
  readonly seenThrough?: { readonly name: Dependency['name']; readonly lastSeen: string };
  /** Its state now. Resolves within the probe's time-out; never rejects. */
  probe(): Promise<DependencyState>;
  /** What is known without asking. */
  known(): DependencyState;
}

export interface ReadinessReport {
  readonly status: 'ready' | 'not-ready' | 'draining';
  readonly dependencies: Readonly<Record<string, DependencyState>>;
}

export class Readiness {
  private readonly listeners = new Set<() => void>();
  private readonly waitingForEnd = new Set<() => void>();
  private leaving = false;
  private draining = false;
  private isEnding = false;

  constructor(private readonly dependencies: readonly Dependency[]) {}

  get isDraining(): boolean {
    return this.draining;
  }

  /** True from the first step of a stop: connections are better opened elsewhere. */
  get isLeaving(): boolean {
    return this.leaving;
  }

  /** Not ready from now on; admits and answers as before. */
  beginLeaving(): void {
    this.leaving = true;
  }

  beginDraining(): void {
    this.leaving = true;
    this.draining = true;
    tell(this.listeners);
  }

  /** The drain is over: requests that still wait are answered now. */
  beginEnding(): void {
    this.beginDraining();
    this.isEnding = true;
    tell(this.waitingForEnd);
  }

  /**
   * Calls the listener once when the coordinator begins to drain, at once when it has. Returns the function
   * that stops waiting: call it once answered, since a shutdown may be months away.
   */
  onDraining(listener: () => void): () => void {
    return wait(this.listeners, this.draining, listener);
  }

  /** The same for the end of the drain: until then decisions can still be returned. */
  onEnding(listener: () => void): () => void {
    return wait(this.waitingForEnd, this.isEnding, listener);
  }

  /** How many wait for the shutdown: requests that are held, and streams. */
  get waiting(): number {
    return this.listeners.size + this.waitingForEnd.size;
  }

  /** What is known of a dependency without asking it. */
  known(name: Dependency['name']): DependencyState {
    const dependency = this.dependencies.find((one) => one.name === name);
    return dependency?.known() ?? { ok: true, detail: 'it answers' };
  }

  async report(): Promise<ReadinessReport> {
    const probed = await Promise.all(
      this.dependencies.map(async (one) => [one.name, await one.probe()] as const),
    );
    const isReady = probed.every(([, state]) => state.ok);
    const states = new Map(probed);
    const detailOf = (name: Dependency['name'], { ok, detail }: DependencyState): string => {
      const through = this.dependencies.find((one) => one.name === name)?.seenThrough;
      const isSeen = !through || states.get(through.name)?.ok !== false;
      return ok && !isSeen ? through.lastSeen : detail;
    };
    return {
      status: this.leaving ? 'draining' : isReady ? 'ready' : 'not-ready',
      dependencies: Object.fromEntries(
        probed.map(([name, state]) => [name, { ok: state.ok, detail: detailOf(name, state) }]),
      ),
    };
  }

  /** Throws the problem of a request that would begin something which cannot be carried through. */
  assertAdmitting(): void {
    if (this.draining) {
      throw new Problem(
        'shutting-down',
        'This coordinator is shutting down and begins nothing more. Send the request to another one, or again when it is back.',
        { retryAfterMs: 2_000 },
      );
    }
    for (const { name } of this.dependencies) this.assertUp(name);
  }

  /** Throws the problem of a request that cannot be served without this dependency. */
  assertUp(name: Dependency['name']): void {
    const dependency = this.dependencies.find((one) => one.name === name);
    const state = dependency?.known();
    if (!dependency || !state || state.ok) return;
    throw new Problem(
      dependency.code,
      `Nothing was begun: ${state.detail}. The coordinator takes it up again by itself; send the request again then.`,
      { retryAfterMs: state.againMs ?? 1_000 },
    );
  }
}

function wait(waiting: Set<() => void>, isOver: boolean, listener: () => void): () => void {
  if (isOver) {
    listener();
    return () => undefined;
  }
  const entry = (): void => listener(); // Its own entry, also when one listener comes twice.
  waiting.add(entry);
  return () => waiting.delete(entry);
}

function tell(waiting: Set<() => void>): void {
  const told = [...waiting];
  waiting.clear();
  for (const listener of told) listener();
}

/** Where a change of state is reported in the driver's own words. */
export interface ProbeLog {
  warn(text: string): void;
}

/**
 * Asks a dependency periodically, so that `known` is never older than a period and a time-out; more often
 * while it does not answer. A refused client gets a retry time at which an answering dependency is surely
 * known: after a missing answer the pending question may have to time out first.
 */
export class Probe implements Dependency {
  private lastKnown: DependencyState = { ok: true, detail: 'it answers' };
  private told: string | undefined;
  private asking: Promise<DependencyState> | undefined;
  private cancel: () => void = () => undefined;
  private isStopped = false;

  constructor(
    readonly name: Dependency['name'],
    readonly code: Dependency['code'],
    private readonly ask: () => Promise<string>,
    private readonly clock: Clock,
    private readonly logger: ProbeLog,
    private readonly timing = { periodMs: 1_000, awayPeriodMs: 250, timeoutMs: 2_000 },
  ) {}

  known(): DependencyState {
    return this.lastKnown;
  }

  /** Many who ask at once share one question: asking needs no key, and must cost the dependency nothing. */
  probe(): Promise<DependencyState> {
    this.asking ??= this.askOnce().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async askOnce(): Promise<DependencyState> {
    let cancel: () => void = () => undefined;
    const { timeoutMs } = this.timing;
    let isSilent = false;
    const silence = new Promise<never>((_, reject) => {
      const late = new Error(`no answer within ${durationText(timeoutMs)}`);
      cancel = this.clock.after(timeoutMs, () => {
        isSilent = true;
        reject(late);
      });
    });
    try {
      const server = await Promise.race([this.ask(), silence]);
      this.lastKnown = { ok: true, detail: 'it answers' };
      if (this.told !== undefined) this.tell(undefined, `the ${this.name} answers: ${server}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const detail = `the ${this.name} does not answer or cannot be used; the log says more`;
      const againMs = isSilent ? timeoutMs + 1_000 : 1_000;
      this.lastKnown = { ok: false, detail, againMs };
      if (this.told !== why) this.tell(why, `the ${this.name} cannot be used: ${why}`);
    } finally {
      cancel();
    }
    return this.lastKnown;
  }

  private tell(why: string | undefined, text: string): void {
    this.told = why;
    this.logger.warn(text);
  }

  start(): void {
    const tick = async (): Promise<void> => {
      await this.probe();
      if (this.isStopped) return;
      const { periodMs, awayPeriodMs } = this.timing;
      const inMs = this.lastKnown.ok ? periodMs : awayPeriodMs;
      this.cancel = this.clock.after(inMs, () => void tick());
    };
    void tick();
  }

  stop(): void {
    this.isStopped = true;
    this.cancel();
  }
}
