/**
 * A request that waits holds nothing once it is answered, and a client that is gone is noticed. The
 * transaction manager and the clock are the real ones; a transaction without branches asks neither
 * register nor channel, so these need not exist.
 */
import type { KnownTransaction } from '@concordat/diagnosis';
import { SystemClock, SystemEntropy } from '@concordat/channel';
import { TransactionManager, type TransactionManagerPorts } from '@concordat/engine';
import type { ClusterId, Incarnation, TransactionId } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { createServer, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readiness } from '../health/readiness.js';
import { Identity } from '../platform/identity.js';
import { TimelineStream } from './timeline-stream.js';
import { TransactionLookup } from './transaction-lookup.js';

const CLUSTER = 'c1uster0' as ClusterId;
const SELF = '6fkr70s7' as Incarnation;
const nothing = (): never => ({}) as never;

describe('Who waits for a transaction', () => {
  let manager: TransactionManager;
  let readiness: Readiness;
  let lookup: TransactionLookup;
  let id: TransactionId;
  let known: KnownTransaction;

  beforeEach(() => {
    const clock = new SystemClock();
    const historyWriter = { note: () => undefined };
    const ports = { clock, historyWriter, entropy: new SystemEntropy() };
    manager = new TransactionManager(ports as unknown as TransactionManagerPorts, {
      cluster: CLUSTER,
      incarnation: SELF,
    });
    readiness = new Readiness([]);
    const identity = new Identity(CLUSTER, SELF, clock);
    lookup = new TransactionLookup(manager, nothing(), nothing(), identity);
    known = manager.begin({ principal: 'client' });
    id = known.transaction;
  });

  afterEach(async () => {
    if (manager.isLive(id)) await end();
    await manager.drain(0);
  });

  const end = () => manager.rollback(id, 'over', { until: 'completed', waitMs: 1_000 });
  const settle = (waitMs: number) =>
    lookup.settle(id, 'decided', waitMs, (listener) => readiness.onDraining(listener));

  it('is forgotten when the wait is over or the transaction decided', async () => {
    await Promise.all([settle(0), settle(5)]);
    expect(readiness.waiting).toBe(0);
    const waiting = [settle(60_000), settle(60_000)];
    await waitFor(() => readiness.waiting === 2, { what: 'two to wait' });
    await end();
    for (const one of await Promise.all(waiting)) expect(one?.decision).toBe('abort');
    expect(readiness.waiting).toBe(0);
  });

  it('ends when the coordinator shuts down', async () => {
    const waiting = settle(60_000);
    readiness.beginDraining();
    expect((await waiting)?.status).toBe('active');
    expect(readiness.waiting).toBe(0);
  });

  describe('by following its timeline', () => {
    let server: Server;
    let timelines: TimelineStream;
    let handle: (response: ServerResponse) => void;

    beforeEach(async () => {
      timelines = new TimelineStream(lookup, readiness);
      server = createServer((_, response) => handle(response));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });

    afterEach(() => new Promise((resolve) => server.close(resolve)));

    const connect = () => {
      const { port } = server.address() as AddressInfo;
      const client = request({ host: '127.0.0.1', port });
      client.on('error', () => undefined); // It is cut on purpose.
      client.end();
      return client;
    };

    it('and left before the first line gives its place back', async () => {
      const over = new Promise<void>((resolve, reject) => {
        handle = (response) => {
          response.once('close', () => {
            timelines
              .stream(known, 0, response, { id: 'app', scope: 'client' })
              .then(resolve, reject);
          });
          client.destroy();
        };
      });
      const client = connect();
      await over;
      expect([timelines.open, readiness.waiting]).toEqual([0, 0]);
    }, 5_000);

    it('and left later gives its place back', async () => {
      let over: Promise<void> | undefined;
      handle = (response) => {
        over = timelines.stream(known, 0, response, { id: 'app', scope: 'client' });
      };
      const client = connect();
      await waitFor(() => readiness.waiting === 1, { what: 'the stream to wait' });
      expect(timelines.open).toBe(1);
      client.destroy();
      await waitFor(() => timelines.open === 0, { what: 'the place to be free' });
      await over;
      expect(readiness.waiting).toBe(0);
    }, 5_000);
  });
});
