/** What a service in Nest does as a client: transactions by decorator, and their context on its calls. */
import {
  ConcordatClient,
  TransactionAborted,
  contextValue,
  currentTransaction,
} from '@concordat/client';
import {
  ConcordatHealthIndicator,
  ConcordatModule,
  GlobalTransaction,
  axiosWithContext,
  natsOptionsWithContext,
  transactionHere,
} from '@concordat/client-nest';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import axios from 'axios';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OrmsOnStage } from './stage.js';

@Injectable()
class Shop {
  @GlobalTransaction({ label: 'purchase', timeoutMs: 10_000 })
  async buy(sku: string, quantity: number): Promise<string> {
    const transaction = transactionHere();
    await transaction.call('stock-drizzle', 'reserve', { sku, quantity });
    await this.note(sku);
    return transaction.id;
  }

  @GlobalTransaction()
  async note(sku: string): Promise<void> {
    await transactionHere().call('stock-kysely', 'insert', { sku, available: 1 });
  }

  /** Calls services, and says in which transaction. */
  @GlobalTransaction({ timeoutMs: 10_000 })
  async call(urls: readonly string[]): Promise<string> {
    for (const url of urls) {
      await fetch(url);
      await fetch(new Request(url, { headers: { own: 'kept' } }));
      await client.get(url);
    }
    return transactionHere().id;
  }
}

const client = axios.create();

/** Declares the tests. */
export function showNestClient(stage: () => OrmsOnStage): void {
  let app: INestApplicationContext;
  let named: Listener;
  let stranger: Listener;

  beforeAll(async () => {
    named = await Listener.start();
    stranger = await Listener.start();
    const options = () => ({
      url: stage().product.coordinatorUrl,
      apiKey: stage().product.clientKey,
      propagate: { to: [named.url] },
    });
    const module = {
      module: class Application {},
      imports: [ConcordatModule.forRootAsync({ useFactory: options })],
      providers: [Shop],
    };
    app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
    axiosWithContext(client, { to: (url) => url.origin === named.url });
  });

  afterAll(async () => {
    await app?.close();
    await named?.stop();
    await stranger?.stop();
  });

  it('runs a method in a transaction, and those that it calls in the same one', async () => {
    await stage().transaction({ drizzle: ['insert', { sku: 'a', available: 2 }] });
    const id = await app.get(Shop).buy('a', 2);
    const { body } = await stage().product.request('GET', `/v1/transactions/${id}`);
    expect(body).toMatchObject({ label: 'purchase', decision: 'commit' });
    await stage().product.untilAllEnded();
    expect([await stage().stock('drizzle'), await stage().stock('kysely')]).toEqual([
      { a: 0 },
      { a: 1 },
    ]);
    await expect(app.get(Shop).buy('a', 1)).rejects.toThrow(TransactionAborted);
  });

  it('carries the context to the services that are named, and to no other', async () => {
    const id = await app.get(Shop).call([named.url, stranger.url]);
    const context = contextValue(id);
    expect(named.seen).toEqual([
      { context, own: undefined },
      { context, own: 'kept' },
      { context, own: undefined },
    ]);
    expect(stranger.seen.map((one) => one.context)).toEqual([undefined, undefined, undefined]);
    await fetch(named.url);
    expect(named.seen.at(-1)?.context).toBeUndefined();
  });

  it('puts the context among the headers of Nest’s NATS client while there is a transaction', async () => {
    const nats = natsOptionsWithContext({
      servers: ['nats://127.0.0.1'],
      headers: { own: 'kept' },
    });
    expect(nats.headers).toEqual({ own: 'kept' });
    await app.get(ConcordatClient).run({}, (transaction) => {
      expect(nats.headers).toMatchObject({
        own: 'kept',
        'Concordat-Context': contextValue(transaction.id),
      });
    });
    expect(currentTransaction()).toBeUndefined();
  });

  it('reports to terminus whether a coordinator answers', async () => {
    const health = app.get(ConcordatHealthIndicator);
    expect(await health.isHealthy('concordat')).toMatchObject({ concordat: { status: 'up' } });
  });
}

/** A service that notes what it was called with. */
class Listener {
  readonly seen: { context: unknown; own: unknown }[] = [];

  private constructor(private readonly server: Server) {
    server.on('request', ({ headers }, response) => {
      this.seen.push({ context: headers['concordat-context'], own: headers['own'] });
      response.end();
    });
  }

  static async start(): Promise<Listener> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Listener(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
