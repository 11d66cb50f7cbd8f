/**
 * The services of `examples/` as processes of their own, built as `npm run build` builds them, on the product's
 * stage: a database for each, real drivers, and spans of every process in one file.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, spawnService, type Service } from '@concordat/testing';
import { Product, type Json } from '../stage/product.js';

const ROOT = resolve(import.meta.dirname, '../..');
const POINTS = resolve(ROOT, 'test/crash/crash-points.mjs');
const EXPORTER = resolve(ROOT, 'test/orms/file-exporter.mjs');

export const SERVICES = ['order', 'stock', 'payment'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A span as `test/orms/file-exporter.mjs` writes it. */
export interface Span {
  readonly name: string;
  readonly traceId: string;
  /** The traces that it links to. */
  readonly links: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
}

export class ExamplesOnStage {
  private readonly running = new Map<ServiceName, { service: Service; port: number }>();
  private readonly databases = new Map<ServiceName, string>();

  private constructor(
    readonly product: Product,
    private readonly folder: string,
    private readonly tracing: Readonly<Record<string, string>>,
  ) {}

  static async start(): Promise<ExamplesOnStage> {
    const folder = mkdtempSync(join(tmpdir(), 'concordat-examples-'));
    const tracing = {
      NODE_OPTIONS: `--import ${EXPORTER}`,
      TRACE_FILE: join(folder, 'spans.jsonl'),
    };
    const product = await Product.start({ participants: [], env: tracing });
    const stage = new ExamplesOnStage(product, folder, tracing);
    try {
      await Promise.all(SERVICES.map((name) => stage.startService(name)));
      return stage;
    } catch (error) {
      await stage.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.running.values()].map(({ service }) => service.stop()));
    await this.product.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts a service, again on its port and its database; perhaps with a crash point. */
  async startService(name: ServiceName, crash?: string): Promise<void> {
    const { product } = this;
    const database =
      this.databases.get(name) ?? (await product.stack.postgres.createDatabase(`example_${name}`));
    this.databases.set(name, database);
    const port = this.running.get(name)?.port ?? (await freePort());
    const { PATH, HOME } = process.env;
    const service = await spawnService({
      name,
      args: [
        ...(crash ? ['--import', POINTS] : []),
        resolve(ROOT, 'examples', name, 'dist/main.js'),
      ],
      env: {
        ...{ PATH, HOME },
        ...this.tracing,
        DATABASE_URL: database,
        NATS_URL: product.stack.nats.url,
        PORT: String(port),
        ...(name === 'order'
          ? { CONCORDAT_URL: product.coordinatorUrl, CONCORDAT_API_KEY: product.clientKey }
          : {}),
        ...(crash ? { CRASH_POINTS: crash, CRASH_SIDE: 'participant' } : {}),
      },
      readyWhen: () => answers(`http://127.0.0.1:${port}/readyz`),
    });
    this.running.set(name, { service, port });
  }

  async restartService(name: ServiceName, crash?: string): Promise<void> {
    await this.running.get(name)?.service.stop();
    await this.startService(name, crash);
  }

  /** Resolves when the process of a service has died. */
  async untilDead(name: ServiceName): Promise<void> {
    await this.running.get(name)?.service.exited;
  }

  /** Orders something, as a customer's browser would. */
  async order(customer: string, sku: string, quantity: number) {
    const response = await fetch(`${this.url('order')}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ customer, sku, quantity }),
    });
    return { status: response.status, body: (await response.json()) as Json };
  }

  /** What each service reports over HTTP of a customer and an article. */
  async state(customer: string, sku: string) {
    const [stock, account] = await Promise.all([
      this.get('stock', `/stock/${sku}`),
      this.get('payment', `/accounts/${customer}`),
    ]);
    return { available: Number(stock['available']), balance: Number(account['balance']) };
  }

  async get(name: ServiceName, path: string): Promise<Json> {
    return (await (await fetch(`${this.url(name)}${path}`)).json()) as Json;
  }

  /** What every process has exported so far, and is about a transaction or in its trace. */
  spansOf(transaction: string): Span[] {
    const lines = readFileSync(join(this.folder, 'spans.jsonl'), 'utf8').trim().split('\n');
    const spans = lines.map((line) => JSON.parse(line) as Span);
    const isAboutIt = ({ attributes }: Span) => attributes['concordat.transaction'] === transaction;
    const traces = new Set(spans.filter(isAboutIt).map(({ traceId }) => traceId));
    return spans.filter(({ traceId }) => traces.has(traceId));
  }

  private url(name: ServiceName): string {
    return `http://127.0.0.1:${this.running.get(name)?.port ?? 0}`;
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
