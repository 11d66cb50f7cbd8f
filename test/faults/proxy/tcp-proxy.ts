/**
 * A TCP proxy that understands what it carries: one in front of a service's database or broker, so
 * that a test can cut, hold, lose or double exactly the frame it means. It adds nothing of its own.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Frame, Predicate, WireProtocol } from './frame.js';
import { Pipe } from './pipe.js';
import { Rule, type Action, type RuleOptions } from './rule.js';

const HOST = '127.0.0.1';

export async function startProxy(protocol: WireProtocol, name: string): Promise<TcpProxy> {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, resolve);
  });
  return new TcpProxy(protocol, name, server);
}

export class TcpProxy {
  private rules: Rule[] = [];
  private readonly pipes = new Set<Pipe>();
  private upstream?: { readonly host: string; readonly port: number };
  private clogged?: { readonly cleared: Promise<void>; readonly clear: () => void };

  /** Use `startProxy`. */
  constructor(
    private readonly protocol: WireProtocol,
    readonly name: string,
    private readonly server: Server,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  /** Puts itself in front of a server: the address to use instead of its own. */
  inFrontOf(url: string): string {
    const address = new URL(url);
    this.upstream = { host: address.hostname, port: Number(address.port) };
    address.hostname = HOST;
    address.port = String((this.server.address() as AddressInfo).port);
    return address.toString();
  }

  /** From now on this happens to frames that match. Rules are asked in the order they were made. */
  rule(what: string, matching: Predicate, action: Action, options?: RuleOptions): Rule {
    const needsMessages = action === 'drop' || (typeof action === 'object' && 'copies' in action);
    if (needsMessages && this.protocol.unit === 'stream') {
      throw new Error(`${this.protocol.name} is a stream: cut it instead of losing a part of it`);
    }
    const rule = new Rule(`${what} (${this.name})`, matching, action, options);
    this.rules.push(rule);
    return rule;
  }

  /** Nothing passes any more, in either direction, until `unclog`. */
  clog(): void {
    if (this.clogged) return;
    let clear: () => void = () => undefined;
    const cleared = new Promise<void>((resolve) => {
      clear = resolve;
    });
    this.clogged = { cleared, clear };
  }

  unclog(): void {
    this.clogged?.clear();
    this.clogged = undefined;
  }

  /** Cuts every connection. */
  cutAll(): void {
    for (const pipe of this.pipes) pipe.cut();
  }

  /** Takes every rule away, releases what was held, and returns which rules never fired. */
  mend(): string[] {
    const rules = this.rules;
    this.rules = [];
    this.unclog();
    for (const rule of rules) rule.lift();
    // Half-open connections that will never be used again.
    for (const pipe of this.pipes) if (pipe.isSilent) pipe.cut();
    return rules.filter((rule) => rule.hits === 0).map((rule) => rule.name);
  }

  async close(): Promise<void> {
    this.mend();
    this.cutAll();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (!this.upstream) {
      client.destroy();
      return;
    }
    const server = connect({ ...this.upstream });
    const pipe = new Pipe(
      client,
      server,
      {
        unit: this.protocol.unit,
        framer: this.protocol.framer(),
        ruleFor: (frame) => this.ruleFor(frame),
        open: () => this.clogged?.cleared,
      },
      (gone) => this.pipes.delete(gone),
    );
    this.pipes.add(pipe);
    client.resume();
  }

  private ruleFor(frame: Frame): Rule | undefined {
    return this.rules.find((rule) => rule.catches(frame));
  }
}
