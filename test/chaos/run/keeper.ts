/**
 * Keeps the processes of the product as an init system would: a process that ends is started again, until it
 * stays. Guards the history: each start and end is written down, with the incarnation, and an unrequested end
 * is written as such.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Product, ServiceId } from '../../stage/product.js';
import type { Recorder } from './recorder.js';

const AGAIN_MS = 250;
const WORDS_MAX = 4_000;

export class Keeper {
  private readonly meantToEnd = new Set<ServiceId>();
  private readonly incarnations = new Map<ServiceId, string>();
  private readonly starting = new Map<ServiceId, Promise<void>>();
  private closing = false;

  constructor(
    private readonly product: Product,
    private readonly recorder: Recorder,
  ) {}

  /** Takes over a service that is up. */
  async watch(id: ServiceId): Promise<void> {
    const service = this.product.service(id);
    // Only coordinators have one; both print one line when they are ready.
    await service.waitForOutput('"ready":true');
    const incarnation = /"incarnation":"([a-z0-9]{8})"/.exec(readyLine(service.output()))?.[1];
    if (incarnation !== undefined) this.incarnations.set(id, incarnation);
    this.recorder.record({ type: 'life', service: id, event: 'up', ...this.named(id) });
    void service.exited.then(({ code, signal }) => {
      const expected = this.closing || this.meantToEnd.delete(id);
      this.recorder.record({
        type: 'life',
        service: id,
        event: 'ended',
        expected,
        ...this.named(id),
        ...(expected
          ? {}
          : { words: `${signal ?? `exit code ${code}`}\n${service.output().slice(-WORDS_MAX)}` }),
      });
      if (!expected) void this.start(id);
    });
  }

  isUp(id: ServiceId): boolean {
    return !this.starting.has(id) && this.product.service(id).alive;
  }

  async kill(id: ServiceId): Promise<void> {
    this.meantToEnd.add(id);
    await this.product.kill(id);
  }

  /** Starts a service again, so that it stops itself, as if hung, when it comes to this point. */
  async restartHanging(id: ServiceId, point: string): Promise<void> {
    await this.kill(id);
    await this.product.startService(id, { crash: `${point}#1=stop` });
    await this.watch(id);
  }

  signal(id: ServiceId, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.product.service(id).kill(signal);
  }

  /** Starts a service that has ended, as often as it takes: what it needs may be away right now. */
  start(id: ServiceId): Promise<void> {
    const running = this.starting.get(id);
    if (running) return running;
    const started = this.startUntilUp(id).finally(() => this.starting.delete(id));
    this.starting.set(id, started);
    return started;
  }

  /** All up, ready and not paused. */
  async heal(ids: readonly ServiceId[]): Promise<void> {
    await Promise.all(
      ids.map(async (id) => {
        this.signal(id, 'SIGCONT');
        if (!this.isUp(id)) await this.start(id);
        await this.product.service(id).until(() => isReady(this.product.url(id)), 'to be ready');
      }),
    );
  }

  /** From now on ends are meant. */
  close(): void {
    this.closing = true;
  }

  private async startUntilUp(id: ServiceId): Promise<void> {
    while (!this.closing) {
      try {
        await this.product.startService(id);
        return await this.watch(id);
      } catch (error) {
        const words = (error as Error).message.slice(-WORDS_MAX);
        this.recorder.record({ type: 'life', service: id, event: 'not-started', words });
        await pause(AGAIN_MS);
      }
    }
  }

  private named(id: ServiceId): { incarnation?: string } {
    const incarnation = this.incarnations.get(id);
    return incarnation === undefined ? {} : { incarnation };
  }
}

function readyLine(output: string): string {
  return output.split('\n').find((line) => line.includes('"ready":true')) ?? '';
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
  await answer.arrayBuffer();
  return answer.ok;
}
