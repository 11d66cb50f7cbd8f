import { ConcordatClient } from '@concordat/client';
import {
  freePort,
  spawnService,
  startConcordat,
  type ConcordatStack,
  type Service,
} from '@concordat/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('__service__', () => {
  let stack: ConcordatStack;
  let service: Service;
  let concordat: ConcordatClient;

  /** Starts the service as it was built, on real servers. */
  const start = async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    service = await spawnService({
      name: '__service__',
      args: ['dist/main.js'],
      env: {
        ...process.env,
        DATABASE_URL: stack.databases['__database__'],
        NATS_URL: stack.natsUrl,
        PORT: new URL(url).port,
      },
      readyWhen: async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok === true,
    });
  };

  /** One operation as a transaction of its own. */
  const transaction = (name: string, account: string, amount: number) =>
    concordat.transactions.submit(
      {
        branches: [
          { participant: '__service__', operations: [{ name, input: { account, amount } }] },
        ],
      },
      { until: 'completed' },
    );

  beforeAll(async () => {
    stack = await startConcordat({ databases: ['__database__'] });
    concordat = new ConcordatClient({ url: stack.coordinatorUrl, apiKey: stack.apiKey });
    await start();
  });

  afterAll(async () => {
    await service?.stop();
    await stack?.dispose();
  });

  it('keeps what a transaction has committed', async () => {
    await transaction('credit', 'alice', 100);
    const { status, branches } = await transaction('debit', 'alice', 30);
    expect([status, branches[0]?.outputs]).toEqual(['committed', [{ balance: 70 }]]);
  });

  it('keeps nothing of a transaction that it refuses', async () => {
    const refused = concordat.transactions.submit({
      branches: [
        {
          participant: '__service__',
          operations: [
            { name: 'credit', input: { account: 'bob', amount: 100 } },
            { name: 'debit', input: { account: 'bob', amount: 101 } },
          ],
        },
      ],
    });
    await expect(refused).rejects.toMatchObject({ cause: { code: 'INSUFFICIENT_FUNDS' } });
    await expect(transaction('debit', 'bob', 1)).rejects.toMatchObject({
      cause: { code: 'UNKNOWN_ACCOUNT' },
    });
  });

  it('has all that was committed when it is back after kill -9', async () => {
    await transaction('credit', 'carol', 50);
    service.kill('SIGKILL');
    await service.exited;
    await start();
    const { branches } = await transaction('credit', 'carol', 1);
    expect(branches[0]?.outputs).toEqual([{ balance: 51 }]);
  });
});
