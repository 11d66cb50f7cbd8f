/**
 * One run: calm, chaos, healing, calm again, one stuck branch, dump, verdict. Guards "never a verdict without the whole
 * history": the run itself judges nothing; it waits, writes down what it sees, and passes all of it to
 * the checker. What cannot be waited for in time is dumped as it is, for the checker to find.
 */
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Product } from '../../stage/product.js';
import { check, type Complaint } from '../checker/check.js';
import type { Event } from '../checker/history.js';
import { Databases, type Seen } from './database.js';
import { figuresOf, type Figures } from './figures.js';
import { Keeper } from './keeper.js';
import { Nemesis } from './nemesis.js';
import { Operator } from './operator.js';
import { killsOf, planOf, SERVICES } from './plan.js';
import { Recorder } from './recorder.js';
import { COUNTERS } from './work.js';
import { Workload, type WorkKind } from './workload.js';

export interface RunOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly path: string;
  /** `hot`: two rows that all want, while only kills happen; `bank` by default. */
  readonly work?: WorkKind;
  /** Coordinators commit one branch in one phase, and clients ask for such. */
  /** Keep the history of a good run too. */
  readonly keep?: boolean;
  readonly log?: (line: string) => void;
}

export interface RunReport {
  readonly seed: number;
  readonly path: string;
  readonly complaints: readonly Complaint[];
  readonly figures: Figures;
  readonly history: readonly Event[];
}

/** T of the invariants. */
const BOUND_MS = 30_000;
/** Beyond the bound: long enough to see whether it ends late or never. */
const PATIENCE_MS = BOUND_MS + 15_000;
const POLL_MS = 1_000;
const REST_POLL_MS = 100;
/** Decisions are seen again for this long: they become visible later than they are dated. */
const OVERLAP_S = 5;

const SHORT_PERIODS = {
  CONCORDAT_GRACE_MS: '300',
  CONCORDAT_RESOLVE_PERIOD_MS: '300',
  CONCORDAT_RECOVERY_PERIOD_MS: '500',
};

/** The writer of the log wakes up seldom: what was not forced stays in memory meanwhile. */
const LATE_WRITER = { wal_writer_delay: '10s', wal_writer_flush_after: '100MB' };

export async function chaosRun(options: RunOptions): Promise<RunReport> {
  const isHot = options.work === 'hot';
  const plan = (isHot ? killsOf : planOf)(options.seed, options.durationMs);
  const product = await Product.start({
    participants: ['ledger-east', 'ledger-west', 'inventory'],
    postgres: {
      settings: {
        track_commit_timestamp: 'on',
        ...(plan.unforced === 'late' ? LATE_WRITER : {}),
      },
    },
    env: {
      ...(plan.periods === 'short' ? SHORT_PERIODS : {}),
    },
  });
  const recorder = new Recorder(options.path);
  const keeper = new Keeper(product, recorder);
  try {
    await product.startService('coordinator-2');
    await new Run(options, product, recorder, keeper).through(plan);
  } finally {
    keeper.close();
    await recorder.close();
    await product.dispose();
  }
  const complaints = check(recorder.events);
  if (complaints.length === 0 && !options.keep) rmSync(options.path);
  const { seed, path } = options;
  const { events: history } = recorder;
  return { seed, path, complaints, figures: figuresOf(history), history };
}

class Run {
  private readonly databases: Databases;
  private readonly workload: Workload;
  private sinceS = 0;

  constructor(
    private readonly options: RunOptions,
    private readonly product: Product,
    private readonly recorder: Recorder,
    private readonly keeper: Keeper,
  ) {
    this.databases = new Databases(product);
    this.workload = new Workload(product, recorder, options);
  }

  async through(plan: ReturnType<typeof planOf>): Promise<void> {
    const { recorder, keeper, workload } = this;
    const { seed, faults, periods, unforced } = plan;
    this.say(`seed ${seed}: ${faults.length} faults, ${periods} periods, unforced ${unforced}`);
    recorder.record({
      type: 'initial',
      cluster: await this.databases.cluster(),
      seed,
      boundMs: BOUND_MS,
      balances: {},
      equal: [COUNTERS],
    });
    for (const id of SERVICES) await keeper.watch(id);
    await workload.open();
    await this.calm();
    await this.chaos(plan);
    const isAtRest = await this.untilRest();
    recorder.record({ type: 'phase', phase: 'rest' });
    // What never ends has failed already; only the evidence is missing.
    if (isAtRest) {
      await this.calm();
      await this.untilRest();
      await this.oneStuck();
      await this.untilRest();
    }
    await this.databases.dump(recorder);
    recorder.record({ type: 'phase', phase: 'dumped' });
  }

  private async calm(): Promise<void> {
    this.recorder.record({ type: 'phase', phase: 'calm' });
    await this.workload.calm();
    this.recorder.record({ type: 'phase', phase: 'calm-over' });
  }

  /** The same transfers twice: with nothing wrong, and while one participant has a commit to acknowledge. */
  private async oneStuck(): Promise<void> {
    const { product, keeper, recorder, workload } = this;
    const hung = 'inventory';
    recorder.record({ type: 'phase', phase: 'steady' });
    await workload.measure();
    recorder.record({ type: 'phase', phase: 'steady-over' });
    await keeper.restartHanging(hung, 'commit.pre');
    await workload.purchase();
    await product.service(hung).waitForOutput('crash point commit.pre');
    recorder.record({ type: 'phase', phase: 'stuck' });
    await this.poll();
    await workload.measure();
    await this.poll();
    recorder.record({ type: 'phase', phase: 'stuck-over' });
    keeper.signal(hung, 'SIGCONT');
  }

  private async chaos(plan: ReturnType<typeof planOf>): Promise<void> {
    const { product, keeper, databases, recorder } = this;
    recorder.record({ type: 'phase', phase: 'chaos' });
    // One at least, however long the databases are down in a short run: others may not be possible.
    const target = 'ledger_west';
    const planted = await databases.plant(0, 'stranger', target);
    recorder.record({ type: 'plant', ...planted, database: target });
    const nemesis = new Nemesis(product, keeper, databases, recorder);
    const over = new AbortController();
    const watching = this.watch(over.signal);
    const operator = new Operator(product, recorder, this.options.seed);
    const isHot = this.options.work === 'hot';
    const working = Promise.all([this.workload.run(), ...(isHot ? [] : [operator.run()])]);
    const faults = nemesis.run(plan);
    await this.wait(this.options.durationMs);
    this.workload.stop();
    operator.stop();
    await nemesis.stop();
    // From here on nothing is wrong any more: the bound counts what the product itself still needs.
    recorder.record({ type: 'phase', phase: 'healed' });
    this.say('healed');
    await Promise.all([faults, working]);
    await keeper.heal(SERVICES);
    over.abort();
    await watching;
  }

  private async wait(durationMs: number): Promise<void> {
    const step = 10_000;
    for (let left = durationMs; left > 0; left -= step) {
      await pause(Math.min(step, left));
      const doneMs = durationMs - Math.max(0, left - step);
      this.say(
        `${Math.round(doneMs / 1_000)} of ${Math.round(durationMs / 1_000)} s, ${this.injected()} faults so far`,
      );
    }
  }

  /** Looks every second while faults last; what the faults keep from being seen is not seen. */
  private async watch(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.poll().catch(() => undefined);
      await pause(POLL_MS, undefined, { signal: over }).catch(() => undefined);
    }
  }

  /** Looks until nothing of ours is prepared or open, or patience is over. */
  private async untilRest(): Promise<boolean> {
    const from = performance.now();
    while (performance.now() - from < PATIENCE_MS) {
      const seen = await this.poll().catch(() => undefined);
      if (seen && seen.open === 0 && !this.hasOwn(seen)) return true;
      await pause(REST_POLL_MS);
    }
    this.say('it does not come to rest');
    return false;
  }

  private async poll(): Promise<Seen> {
    // Stamped before it is asked: what is in the answer was there after this instant.
    const stamp = this.recorder.stamp();
    const seen = await this.databases.poll(this.sinceS);
    const { prepared, open, decisions, now } = seen;
    this.sinceS = now - OVERLAP_S;
    this.recorder.record({ type: 'poll', prepared, open, decisions }, stamp);
    return seen;
  }

  private hasOwn({ prepared }: Seen): boolean {
    const planted = new Set(
      this.recorder.events.flatMap((event) => (event.type === 'plant' ? [event.gid] : [])),
    );
    return prepared.some(({ gid }) => gid.startsWith('cc:') && !planted.has(gid));
  }

  private injected(): number {
    const { events } = this.recorder;
    return events.filter((event) => event.type === 'fault' && event.phase === 'inject').length;
  }

  private say(line: string): void {
    this.options.log?.(line);
  }
}
