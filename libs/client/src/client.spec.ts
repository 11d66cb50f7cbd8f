/**
 * What the client concludes from answers and from their absence. The other end here is a plain HTTP
 * server that answers, cuts or swallows requests as each test says; the same client meets the real
 * coordinator in test/e2e.
 */
import { jest } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ConcordatClient,
  ConcordatProblem,
  CoordinatorUnreachable,
  currentTransaction,
  propagate,
  TransactionAborted,
  TransactionAlreadyCommitted,
  TransactionInDoubt,
  type ProblemDetails,
  type Transaction,
} from './index.js';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

type Answer = (response: ServerResponse, seen: Seen) => void;

const ID = '01m7yqagbxf1n9msr29xrrrv77-6fkr70s7';

function transaction(more: Partial<Transaction> = {}): Transaction {
  return {
    transactionId: ID,
    owner: '6fkr70s7',
    status: 'active',
    branches: [],
    version: 1,
    serverTime: '2026-11-21T09:00:00.000Z',
    ...more,
  };
}
const committedNot = transaction({ status: 'aborted', decision: 'abort', endedAt: 'x' });
const committed = transaction({ status: 'committed', decision: 'commit', endedAt: 'x' });

function problem(status: number, code: string, more: Partial<ProblemDetails> = {}): ProblemDetails {
  const retryable = status === 503 || status === 429;
  return { type: `/problems#${code}`, title: code, status, code, detail: code, retryable, ...more };
}

const say =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
const refuse = (status: number, code: string, more: Partial<ProblemDetails> = {}): Answer =>
  say(status, problem(status, code, more));
/** Takes the request, and breaks the connection instead of answering. */
const cut: Answer = (response) => response.destroy();
const aborted = refuse(409, 'transaction-aborted', {
  transactionId: ID,
  decision: 'abort',
  cause: { kind: 'vote', participant: 'ledger-east', code: 'INSUFFICIENT_FUNDS' },
});

describe('The client', () => {
  let server: Server;
  let client: ConcordatClient;
  let seen: Seen[];
  let script: Answer[];

  beforeAll(async () => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const one = {
          method,
          path: url,
          headers,
          body: text === '' ? undefined : JSON.parse(text),
        };
        seen.push(one);
        (script.shift() ?? refuse(500, 'script-is-over'))(response, one);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
  });

  beforeEach(() => {
    seen = [];
    script = [];
    const { port } = server.address() as AddressInfo;
    client = new ConcordatClient({
      url: `http://127.0.0.1:${port}/`,
      apiKey: 'k'.repeat(43),
      retries: 2,
    });
  });

  const branches = [{ participant: 'ledger-east', operations: [{ name: 'debit' }] }];
  const submit = (more: object = {}) => client.transactions.submit({ branches, ...more });
  const paths = () => seen.map((one) => `${one.method} ${one.path.split('?')[0]}`);

  describe('submitting a whole transaction', () => {
    it('sends the key, and an idempotency key even when none was given', async () => {
      script = [say(200, committed)];
      expect(await submit({ label: 'x' })).toEqual(committed);
      expect(seen[0]?.headers.authorization).toBe(`Bearer ${'k'.repeat(43)}`);
      expect(seen[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
      expect(seen[0]?.body).toEqual({ label: 'x', commit: true, branches });
    });

    it('repeats a lost answer under the same key and with the same body', async () => {
      script = [cut, refuse(502, 'bad-gateway'), say(200, committed)];
      expect(await submit({ idempotencyKey: 'mine' })).toEqual(committed);
      expect(seen.map((one) => one.headers['idempotency-key'])).toEqual(['mine', 'mine', 'mine']);
      expect(new Set(seen.map((one) => JSON.stringify(one.body))).size).toBe(1);
    });

    it('throws the cause of an abort, and repeats nothing', async () => {
      script = [aborted];
      const error = await submit().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionAborted);
      expect(error).toMatchObject({ transactionId: ID, cause: { code: 'INSUFFICIENT_FUNDS' } });
      expect(seen).toHaveLength(1);
    });

    it('is in doubt when no answer ever comes, and poll finds out under the same key', async () => {
      script = [cut, cut, cut, say(200, committed)];
      const error = await submit().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      expect(await (error as TransactionInDoubt).poll()).toEqual(committed);
      expect(new Set(seen.map((one) => one.headers['idempotency-key'])).size).toBe(1);
    });

    it('stays in doubt when a first answer was lost and the repeat was turned away', async () => {
      script = [cut, refuse(503, 'shutting-down'), refuse(503, 'shutting-down')];
      await expect(submit()).rejects.toBeInstanceOf(TransactionInDoubt);
    });

    it('stays in doubt when an answer was lost and a repeat aborts: the first may still commit', async () => {
      script = [cut, aborted, aborted, say(200, committed)];
      const error = await submit({ idempotencyKey: 'mine' }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      expect((error as TransactionInDoubt).transactionId).toBeUndefined();
      expect((error as TransactionInDoubt).cause).toBeInstanceOf(TransactionAborted);
      const polled = await (error as TransactionInDoubt).poll().catch((thrown: unknown) => thrown);
      expect(polled).toBeInstanceOf(TransactionInDoubt);
      expect(await (polled as TransactionInDoubt).poll()).toEqual(committed);
      expect(new Set(seen.map((one) => one.headers['idempotency-key']))).toEqual(new Set(['mine']));
    });

    it('stays in doubt when an answer was lost and the repeat is refused in any other way', async () => {
      script = [cut, refuse(422, 'idempotency-key-reused')];
      await expect(submit()).rejects.toBeInstanceOf(TransactionInDoubt);
    });

    it('stays in doubt when an answer was lost and the one that was joined later aborts', async () => {
      script = [
        cut,
        say(202, transaction({ status: 'preparing' })),
        say(200, committedNot),
        aborted,
      ];
      await expect(submit()).rejects.toBeInstanceOf(TransactionInDoubt);
    });

    it('believes an abort once what was lost has passed its time-out', async () => {
      script = [cut, aborted, aborted];
      const error = await submit({ timeoutMs: 20_000 }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      const later = performance.now() + 60_000;
      const clock = jest.spyOn(performance, 'now').mockImplementation(() => later);
      try {
        const polled = (error as TransactionInDoubt).poll();
        await expect(polled).rejects.toBeInstanceOf(TransactionAborted);
      } finally {
        clock.mockRestore();
      }
    });

    it('is in doubt when what it has begun is unknown where it asks after 202', async () => {
      script = [
        say(202, transaction({ status: 'deciding' })),
        refuse(404, 'unknown-or-forgotten'),
        refuse(404, 'unknown-or-forgotten'),
        say(200, committed),
      ];
      const error = await submit().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      const polled = await (error as TransactionInDoubt).poll().catch((thrown: unknown) => thrown);
      expect(polled).toBeInstanceOf(TransactionInDoubt);
      expect(await (polled as TransactionInDoubt).poll()).toEqual(committed);
    });

    it('is not in doubt when it was turned away from the beginning', async () => {
      script = Array.from({ length: 3 }, () => refuse(503, 'register-unavailable'));
      const error = await submit().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ConcordatProblem);
      expect(error).toMatchObject({ code: 'register-unavailable', retryable: true });
    });

    it('does not repeat what is wrong, and names the fields', async () => {
      const errors = [{ field: 'branches[0].participant', message: 'must be a participant name' }];
      script = [refuse(400, 'invalid-request', { errors })];
      await expect(submit()).rejects.toThrow('branches[0].participant must be a participant name');
      expect(seen).toHaveLength(1);
    });

    it('goes on asking after 202 until it is decided', async () => {
      script = [
        say(202, transaction({ status: 'preparing' })),
        say(200, transaction({ status: 'deciding' })),
        say(200, committed),
      ];
      expect(await submit()).toEqual(committed);
      expect(paths()).toEqual([
        'POST /v1/transactions',
        `GET /v1/transactions/${ID}`,
        `GET /v1/transactions/${ID}`,
      ]);
    });

    it('asked about after 202 and found aborted throws the cause', async () => {
      script = [
        say(202, transaction({ status: 'preparing' })),
        say(200, transaction({ status: 'aborted', decision: 'abort' })),
        aborted,
      ];
      await expect(submit()).rejects.toBeInstanceOf(TransactionAborted);
      expect(paths().at(-1)).toBe(`POST /v1/transactions/${ID}/commit`);
    });

    it('is in doubt when it is not decided within the wait, and poll asks again', async () => {
      script = [say(202, transaction({ status: 'deciding' })), say(200, committed)];
      const waiting = client.transactions.submit({ branches }, { waitMs: 0 });
      const error = await waiting.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      expect((error as TransactionInDoubt).transactionId).toBe(ID);
      expect(await (error as TransactionInDoubt).poll()).toEqual(committed);
    });

    it.each([
      ['completed', { status: 'heuristic-mixed', decision: 'commit', endedAt: 'x' }],
      ['decided', { status: 'heuristic-hazard', endedAt: 'x' }], // Of which no process knows a decision.
    ] as const)('never reports a heuristic outcome as a success: %s', async (until, ended) => {
      const heuristic = refuse(409, 'heuristic-outcome');
      script = [say(202, transaction()), say(200, transaction(ended)), heuristic];
      const waiting = client.transactions.submit({ branches }, { until });
      await expect(waiting).rejects.toMatchObject({ code: 'heuristic-outcome' });
      expect(paths().at(-1)).toMatch(/^POST .*\/commit$/); // It asks for the cause, and waits no longer.
    });

    it('keeps the time that the coordinator names before it repeats', async () => {
      script = [refuse(429, 'too-many-transactions', {}), say(200, committed)];
      script[0] = say(429, problem(429, 'too-many-transactions'), { 'Retry-After': '1' });
      const from = performance.now();
      await submit();
      expect(performance.now() - from).toBeGreaterThan(950);
    });
  });

  describe('running work', () => {
    const begun = say(201, transaction());

    it('commits when the work returns, and returns what it returned', async () => {
      script = [begun, say(200, { outputs: [{ balance: 7 }] }), say(200, committed)];
      const result = await client.run({ label: 'x', timeoutMs: 5_000 }, async (tx) => {
        expect(currentTransaction()?.id).toBe(ID);
        expect(tx.headers()).toEqual({ 'Concordat-Context': `v1;tx=${ID}` });
        return tx.call<{ balance: number }>('ledger-east', 'debit', { amount: 1 });
      });
      expect(result).toEqual({ balance: 7 });
      expect(currentTransaction()).toBeUndefined();
      expect(paths()).toEqual([
        'POST /v1/transactions',
        `POST /v1/transactions/${ID}/branches`,
        `POST /v1/transactions/${ID}/commit`,
      ]);
      expect(seen[1]?.body).toEqual({
        participant: 'ledger-east',
        operations: [{ name: 'debit', input: { amount: 1 } }],
      });
    });

    it('rolls back when the work throws, and throws the same', async () => {
      script = [begun, say(200, transaction({ status: 'aborted', decision: 'abort' }))];
      const mine = new Error('changed my mind');
      const running = client.run({}, () => {
        throw mine;
      });
      await expect(running).rejects.toBe(mine);
      expect(paths().at(-1)).toBe(`POST /v1/transactions/${ID}/rollback`);
    });

    it('throws the work’s error also when the rollback gets no answer', async () => {
      script = [begun, cut, cut, cut];
      const mine = new Error('changed my mind');
      await expect(client.run({}, () => Promise.reject(mine))).rejects.toBe(mine);
    });

    it('never commits after a call whose answer was lost, even if the work goes on', async () => {
      script = [begun, cut, cut, cut, say(200, committedNot)];
      const running = client.run({}, async (tx) => {
        await tx.call('ledger-east', 'debit').catch(() => undefined);
        return 'all is well';
      });
      await expect(running).rejects.toBeInstanceOf(CoordinatorUnreachable);
      expect(paths().at(-1)).toBe(`POST /v1/transactions/${ID}/rollback`);
    });

    it('repeats a call under its own key only: twice is not the same as once', async () => {
      const outputs = say(200, { outputs: [1] });
      script = [begun, cut, outputs, outputs, say(200, committed)];
      await client.run({}, async (tx) => {
        await tx.call('ledger-east', 'debit');
        await tx.call('ledger-east', 'debit');
      });
      const calls = seen.filter(({ path }) => path.endsWith('/branches'));
      const keys = calls.map(({ headers }) => headers['idempotency-key']);
      expect(keys).toHaveLength(3);
      expect(keys[0]).toMatch(/^.{8,}$/);
      expect(keys[1]).toBe(keys[0]);
      expect(keys[2]).not.toBe(keys[0]);
    });

    it('does not roll back what a vote has aborted already', async () => {
      script = [begun, aborted];
      const running = client.run({}, (tx) => tx.call('ledger-east', 'debit'));
      await expect(running).rejects.toBeInstanceOf(TransactionAborted);
      expect(seen).toHaveLength(2);
    });

    it('is in doubt when the answer to the commit is lost, and poll repeats the commit', async () => {
      script = [begun, cut, cut, cut, say(200, committed)];
      const error = await client.run({}, () => 1).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      expect((error as TransactionInDoubt).transactionId).toBe(ID);
      expect(await (error as TransactionInDoubt).poll()).toEqual(committed);
    });

    it.each([
      ['unknown there', refuse(404, 'unknown-or-forgotten')],
      ['owned elsewhere', refuse(409, 'owned-elsewhere')],
      ['not known now', refuse(503, 'not-known-now')],
    ])(
      'is in doubt when the commit’s answer was lost and the repeat gets: %s',
      async (_, answer) => {
        script = [begun, cut, answer, answer, say(200, committed)];
        const error = await client.run({}, () => 1).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(TransactionInDoubt);
        expect((error as TransactionInDoubt).transactionId).toBe(ID);
      },
    );

    it('is in doubt when its commit meets a coordinator that knows nothing of it', async () => {
      script = [begun, refuse(404, 'unknown-or-forgotten'), say(200, committed)];
      const error = await client.run({}, () => 1).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TransactionInDoubt);
      expect(await (error as TransactionInDoubt).poll()).toEqual(committed);
    });

    it('believes the abort of a commit whose first answer was lost: it is the same transaction', async () => {
      script = [begun, cut, aborted];
      await expect(client.run({}, () => 1)).rejects.toBeInstanceOf(TransactionAborted);
    });

    it('under a key that has committed does not run the work again', async () => {
      script = [say(200, committed, { 'Idempotent-Replayed': 'true' })];
      let ran = false;
      const running = client.run({ idempotencyKey: 'k' }, () => (ran = true));
      await expect(running).rejects.toBeInstanceOf(TransactionAlreadyCommitted);
      expect(ran).toBe(false);
    });

    it('under a key that is open elsewhere stays out of that transaction', async () => {
      script = [say(201, transaction(), { 'Idempotent-Replayed': 'true' })];
      const running = client.run({ idempotencyKey: 'k' }, () => 1);
      await expect(running).rejects.toMatchObject({ code: 'idempotency-key-in-use' });
      expect(seen).toHaveLength(1);
    });
  });

  describe('propagating a transaction', () => {
    it('puts nothing on a call outside of one', () => {
      expect([...propagate(new Map<string, string>())]).toEqual([]);
    });

    it('puts its context and the trace on everything that takes headers', async () => {
      const { port } = server.address() as AddressInfo;
      const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
      const traced = new ConcordatClient({
        url: `http://127.0.0.1:${port}`,
        apiKey: 'k'.repeat(43),
        traceparent: () => traceparent,
      });
      script = [say(201, transaction()), say(200, committed)];
      await traced.run({}, () => {
        const headers = propagate(new Headers());
        expect(headers.get('concordat-context')).toBe(`v1;tx=${ID}`);
        expect(headers.get('traceparent')).toBe(traceparent);
      });
      expect(seen[0]?.headers['traceparent']).toBe(traceparent);
    });

    it('keeps concurrent transactions apart', async () => {
      script = Array.from({ length: 8 }, (_, n): Answer => {
        return (response, { path }) =>
          path.endsWith('/commit?until=decided&wait=20000ms')
            ? say(200, committed)(response, seen[0] as Seen)
            : say(201, transaction({ transactionId: `t${n}` }))(response, seen[0] as Seen);
      });
      const ids = await Promise.all(
        [1, 2, 3, 4].map(() =>
          client.run({}, async (tx) => {
            await new Promise((resolve) => setImmediate(resolve));
            return [tx.id, currentTransaction()?.id];
          }),
        ),
      );
      for (const [own, current] of ids) expect(current).toBe(own);
      expect(new Set(ids.map(([own]) => own)).size).toBe(4);
    });
  });

  describe('following a timeline', () => {
    const event = (sequence: number) =>
      `id: ${sequence}\nevent: e\ndata: ${JSON.stringify({ sequence, at: '', type: 'e' })}\n\n`;
    const stream =
      (text: string, isCut = false): Answer =>
      (response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write(text);
        if (isCut) response.destroy();
        else response.end();
      };
    const over: Answer = (response) => response.writeHead(204).end();

    async function follow(after = 0): Promise<number[]> {
      const got: number[] = [];
      for await (const { sequence } of client.transactions.events(ID, { after }))
        got.push(sequence);
      return got;
    }

    it('takes it up again where it broke, without a gap and without a repeat', async () => {
      script = [
        stream(`retry: 1000\n\n: waiting\n\n${event(1)}${event(2)}id: 3\ndata: {"seq`),
        stream(`${event(3)}${event(4)}`),
        over,
      ];
      expect(await follow()).toEqual([1, 2, 3, 4]);
      expect(seen.map((one) => one.headers['last-event-id'])).toEqual(['0', '2', '4']);
    });

    it('reads any line end the standard allows', async () => {
      script = [stream(event(1).replaceAll('\n', '\r\n') + event(2).replaceAll('\n', '\r')), over];
      expect(await follow()).toEqual([1, 2]);
    });

    it('throws when there is no such transaction', async () => {
      script = [refuse(404, 'unknown-or-forgotten')];
      await expect(follow()).rejects.toMatchObject({ code: 'unknown-or-forgotten' });
    });
  });

  it('recognises an answer that is not the coordinator’s by its status', async () => {
    script = [
      (response) => {
        response.writeHead(404, { 'Content-Type': 'text/html' });
        response.end('<h1>nothing here</h1>');
      },
    ];
    const asked = client.transactions.get(ID);
    await expect(asked).rejects.toMatchObject({ code: 'unreadable-answer', status: 404 });
  });

  it('says where it looked when no coordinator answers', async () => {
    const absent = new ConcordatClient({ url: 'http://127.0.0.1:1', apiKey: 'k', retries: 0 });
    const error = await absent.transactions.get(ID).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CoordinatorUnreachable);
    expect(String(error)).toContain('http://127.0.0.1:1');
  });
});
