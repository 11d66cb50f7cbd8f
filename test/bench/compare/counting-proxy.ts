/**
 * A relay in front of a Postgres that counts round trips: each time a client sends after it was answered (or
 * for the first time) is one, however many messages leave at once. For counting only; nothing is timed through it.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export class CountingProxy {
  private trips = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** On a free port of the loopback, in front of this address. */
  static open(host: string, port: number): Promise<CountingProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true });
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port: own } = server.address() as { port: number };
        const proxy = new CountingProxy(server, own);
        server.on('connection', (client) =>
          proxy.relay(client, connect({ host, port, noDelay: true })),
        );
        resolve(proxy);
      });
    });
  }

  /** Round trips so far. */
  get count(): number {
    return this.trips;
  }

  /** The same database, through here. */
  address(url: string): string {
    const through = new URL(url);
    through.host = `127.0.0.1:${this.port}`;
    return through.href;
  }

  async close(): Promise<void> {
    for (const one of this.sockets) one.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private relay(client: Socket, upstream: Socket): void {
    let asking = false;
    client.on('data', (chunk) => {
      if (!asking) this.trips += 1;
      asking = true;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      asking = false;
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  }
}
