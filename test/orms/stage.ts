/**
 * Services with every ORM, as processes of their own on the product's stage: one database for each, real
 * drivers, and the built packages. The services are compiled as a service would be: without a loader.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { spawnService, type Service } from '@concordat/testing';
import { transformFileSync } from '@swc/core';
import pg from 'pg';
import { Product } from '../stage/product.js';

const ROOT = resolve(import.meta.dirname, '../..');
const POINTS = resolve(ROOT, 'test/crash/crash-points.mjs');

export const ORMS = [
  'drizzle',
  'kysely',
  'knex',
  'sequelize',
  'mikro-orm',
  'prisma',
  'typeorm',
  'nestjs-cls',
] as const;
export type Orm = (typeof ORMS)[number];

export class OrmsOnStage {
  private service?: Service;

  private constructor(
    readonly product: Product,
    private readonly main: string,
    private readonly urls: Readonly<Partial<Record<Orm, string>>>,
  ) {}

  static async start(orms: readonly Orm[]): Promise<OrmsOnStage> {
    const main = compiled();
    const product = await Product.start({ participants: [], env: tracing(main) });
    try {
      const urls: Partial<Record<Orm, string>> = {};
      for (const orm of orms) urls[orm] = await databaseFor(product, orm);
      const stage = new OrmsOnStage(product, main, urls);
      await stage.startServices();
      return stage;
    } catch (error) {
      await product.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await this.service?.stop();
    await this.product.dispose();
    rmSync(resolve(this.main, '../..'), { recursive: true, force: true });
  }

  /** Starts the process of the services, which can be made to die at a crash point. */
  async startServices(crash?: string): Promise<void> {
    const { PATH, HOME } = process.env;
    this.service = await spawnService({
      name: 'stocks',
      args: [...(crash ? ['--import', POINTS] : []), this.main],
      env: {
        ...{ PATH, HOME },
        ...tracing(this.main),
        NATS_URL: this.product.stack.nats.url,
        ORM_URLS: JSON.stringify(this.urls),
        ...(crash ? { CRASH_POINTS: crash, CRASH_SIDE: 'participant' } : {}),
      },
      readyWhen: 'every stock is ready',
    });
  }

  /** Ends the process in good order and starts it again, perhaps with a crash point. */
  async restartServices(crash?: string): Promise<void> {
    await this.service?.stop();
    await this.startServices(crash);
  }

  /** Resolves when the process has died. */
  async untilDead(): Promise<void> {
    await this.service?.exited;
  }

  /** Runs operations in one transaction, one branch for each ORM, and waits for its end. */
  async transaction(
    branches: Readonly<Partial<Record<Orm, readonly [name: string, input: object]>>>,
    until: 'decided' | 'completed' = 'completed',
  ) {
    return this.product.request('POST', `/v1/transactions?until=${until}&wait=60s`, {
      body: {
        timeoutMs: 20_000,
        commit: true,
        branches: Object.entries(branches).map(([orm, [name, input]]) => ({
          participant: `stock-${orm}`,
          operations: [{ name, input }],
        })),
      },
    });
  }

  /** What the database of an ORM holds, read without the product. */
  async stock(orm: Orm): Promise<Record<string, number>> {
    const rows = await sql<{ sku: string; available: number }>(
      this.urls[orm] ?? '',
      'SELECT sku, available FROM stock ORDER BY sku',
    );
    return Object.fromEntries(rows.map(({ sku, available }) => [sku, available]));
  }

  /** The spans of a transaction that every process has exported so far. */
  spansOf(transaction: string): Span[] {
    const spans = readFileSync(traceFile(this.main), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Span);
    const ofIt = spans.find((one) => one.attributes['concordat.transaction'] === transaction);
    return spans.filter((one) => one.traceId === ofIt?.traceId);
  }

  async clear(): Promise<void> {
    await Promise.all(Object.values(this.urls).map((url) => sql(url, 'DELETE FROM stock')));
  }
}

/** A span as `file-exporter.mjs` writes it. */
export interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const traceFile = (main: string): string => join(dirname(main), 'spans.jsonl');

/** The environment of a host that traces. */
function tracing(main: string): Record<string, string> {
  const exporter = join(import.meta.dirname, 'file-exporter.mjs');
  return { NODE_OPTIONS: `--import ${exporter}`, TRACE_FILE: traceFile(main) };
}

async function databaseFor({ stack }: Product, orm: Orm): Promise<string> {
  const url = await stack.postgres.createDatabase(`stock_${orm.replace('-', '_')}`);
  await sql(url, 'CREATE TABLE stock (sku text PRIMARY KEY, available integer NOT NULL)');
  return url;
}

async function sql<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Compiles the services into a folder from which the packages of this repository are found. */
function compiled(): string {
  const target = join(ROOT, 'node_modules/.cache', `concordat-orms-${process.pid}`);
  for (const folder of ['services', 'prisma/generated']) {
    const from = join(import.meta.dirname, folder);
    for (const entry of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
      if (!entry.endsWith('.ts')) continue;
      const { code } = transformFileSync(join(from, entry), {
        swcrc: false,
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      });
      const file = join(target, folder, relative(from, join(from, entry)));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file.replace(/\.ts$/, '.js'), code);
    }
  }
  writeFileSync(join(target, 'package.json'), '{ "type": "module" }\n');
  return join(target, 'services/main.js');
}
