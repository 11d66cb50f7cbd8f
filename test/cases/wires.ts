/**
 * The wires of a product on stage: a proxy between every service and its database, and one between
 * it and the broker, so that a fault concerns exactly one service.
 */
import type { ServiceId } from '../stage/product.js';
import { NATS } from '../faults/proxy/nats-frames.js';
import { POSTGRES } from '../faults/proxy/postgres-frames.js';
import { startProxy, type TcpProxy } from '../faults/proxy/tcp-proxy.js';

export interface Wire {
  readonly database: TcpProxy;
  readonly broker: TcpProxy;
}

export class Wires {
  private constructor(private readonly wires: ReadonlyMap<ServiceId, Wire>) {}

  static async lay(services: readonly ServiceId[]): Promise<Wires> {
    const wires = new Map<ServiceId, Wire>();
    for (const id of services) {
      wires.set(id, {
        database: await startProxy(POSTGRES, `${id}, database`),
        broker: await startProxy(NATS, `${id}, broker`),
      });
    }
    return new Wires(wires);
  }

  of(id: ServiceId): Wire {
    const wire = this.wires.get(id);
    if (!wire) throw new Error(`${id} has no wires: name it when they are laid`);
    return wire;
  }

  get all(): TcpProxy[] {
    return [...this.wires.values()].flatMap(({ database, broker }) => [database, broker]);
  }

  /** For a product: the addresses of the proxies instead of those of the servers. */
  reroute(id: ServiceId, env: Readonly<Record<string, string>>): Record<string, string> {
    const wire = this.wires.get(id);
    if (!wire) return {};
    return {
      DATABASE_URL: wire.database.inFrontOf(env['DATABASE_URL'] ?? ''),
      NATS_URL: wire.broker.inFrontOf(env['NATS_URL'] ?? ''),
    };
  }

  /** Everything passes again. Returns which rules never fired. */
  mend(): string[] {
    return this.all.flatMap((proxy) => proxy.mend());
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((proxy) => proxy.close()));
  }
}
