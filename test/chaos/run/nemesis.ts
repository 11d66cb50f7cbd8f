/**
 * Carries out a plan: each fault at its time, its recovery when it is over, both written down. One
 * fault at a time for each thing; what is down or paused already is skipped.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Product, ServiceId } from '../../stage/product.js';
import type { Databases } from './database.js';
import type { Keeper } from './keeper.js';
import type { Fault, Plan, PlannedFault } from './plan.js';
import type { Recorder } from './recorder.js';

const AGAIN_MS = 200;

export class Nemesis {
  private readonly running = new Set<Promise<void>>();
  private readonly busy = new Set<string>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly product: Product,
    private readonly keeper: Keeper,
    private readonly databases: Databases,
    private readonly recorder: Recorder,
  ) {}

  /** Resolves when the last fault was injected; recoveries may still be under way. */
  async run(plan: Plan): Promise<void> {
    const from = performance.now();
    for (const planned of plan.faults) {
      await this.over(planned.atMs - (performance.now() - from));
      if (this.stopping.signal.aborted) return;
      const work = this.carryOut(planned).finally(() => this.running.delete(work));
      this.running.add(work);
      if (plan.apartMs === undefined) continue;
      await work;
      await this.over(plan.apartMs);
    }
  }

  /** Ends what is under way at once, and undoes it. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running);
  }

  private async carryOut({ id, fault }: PlannedFault): Promise<void> {
    const { kind, target } = fault;
    const event = { type: 'fault', id, fault: kind, target } as const;
    if (!this.isPossible(fault)) {
      this.recorder.record({ ...event, phase: 'skipped' });
      return;
    }
    this.busy.add(thingOf(fault));
    try {
      this.recorder.record({ ...event, phase: 'inject' });
      const detail = await this.inject(id, fault);
      this.recorder.record({ ...event, phase: 'recovered', ...(detail ? { detail } : {}) });
    } catch (error) {
      // The database may be down for those who need it: then it is just not done.
      const detail = (error as Error).message;
      this.recorder.record({ ...event, phase: 'recovered', detail: `not done: ${detail}` });
    } finally {
      this.busy.delete(thingOf(fault));
    }
  }

  private isPossible(fault: Fault): boolean {
    const { kind, target } = fault;
    if (this.busy.has(thingOf(fault))) return false;
    return kind === 'kill' || kind === 'pause' ? this.keeper.isUp(target as ServiceId) : true;
  }

  private async inject(id: number, fault: Fault): Promise<string | undefined> {
    const { postgres, nats } = this.product.stack;
    switch (fault.kind) {
      case 'kill':
        await this.keeper.kill(fault.target);
        await this.over(fault.downMs);
        await this.keeper.start(fault.target);
        return undefined;
      case 'pause':
        this.keeper.signal(fault.target, 'SIGSTOP');
        await this.over(fault.forMs);
        this.keeper.signal(fault.target, 'SIGCONT');
        return undefined;
      case 'nats-kill':
        await nats.kill();
        await this.over(fault.downMs);
        await untilDone(() => nats.start());
        return undefined;
      case 'nats-pause':
        await nats.pause();
        await this.over(fault.forMs);
        nats.resume();
        return undefined;
      case 'postgres-crash':
        await postgres.stop({ mode: 'immediate' });
        await this.over(fault.downMs);
        await untilDone(() => postgres.start());
        return undefined;
      case 'terminate':
        return `${await this.databases.terminate(fault.count)} sessions`;
      case 'plant': {
        const { gid, xid } = await this.databases.plant(id, fault.name, fault.target);
        this.recorder.record({ type: 'plant', gid, xid, database: fault.target });
        return gid;
      }
    }
  }

  /** The time of a fault, cut short when the nemesis is stopped. */
  private async over(ms: number): Promise<void> {
    const { signal } = this.stopping;
    if (ms <= 0 || signal.aborted) return;
    await pause(ms, undefined, { signal }).catch(() => undefined);
  }
}

/** What can suffer one fault at a time: a service and its database may have one name. */
function thingOf({ kind, target }: Fault): string {
  return kind === 'plant' ? `planting in ${target}` : target;
}

/** A server that does not come up at once comes up later: its port may be released a moment late. */
async function untilDone(start: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === 20) throw error;
      await pause(AGAIN_MS);
    }
  }
}
