/**
 * A Nest service as a participant, on a real Postgres and a real broker: what its author may rely on,
 * with TypeORM and with plain pg, and what the library refuses.
 */
import type { INestApplication } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  NatsRecordBuilder,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { headers } from '@nats-io/nats-core';
import { connectChannel } from '@concordat/channel';
import { formatGid, makeBranchId, type TransactionId } from '@concordat/protocol';
import { embeddedStack, waitFor, type TestStack } from '@concordat/testing';
import pg from 'pg';
import { lastValueFrom } from 'rxjs';
import {
  ConnectionLost,
  Operation,
  Participant,
  ParticipantHost,
  createParticipant,
  type ParticipantModuleOptions,
} from '../index.js';
import {
  AnswerEverything,
  CLUSTER,
  NAME,
  NoteInput,
  NotesByMessage,
  NotesParticipant,
  afterVote,
  detached,
  seen,
  serviceModule,
} from './notes-service.spec-support.js';
import { ScriptedCoordinator } from './scripted-coordinator.spec-support.js';

describe('a Nest service with TypeORM', () => {
  let stack: TestStack;
  let url: string;
  let coordinator: ScriptedCoordinator;
  let db: pg.Pool;
  let app: INestApplication;
  let address: string;

  async function startService(
    options: Partial<ParticipantModuleOptions> = {},
    more?: Parameters<typeof serviceModule>[2],
    microservice?: MicroserviceOptions,
  ): Promise<INestApplication> {
    const module = serviceModule(url, { natsUrl: stack.nats.url, ...options }, more);
    const started = await NestFactory.create(module, { logger: false, abortOnError: false });
    if (microservice) {
      started.connectMicroservice(microservice);
      await started.startAllMicroservices();
    }
    await started.listen(0, '127.0.0.1');
    await started.get(ParticipantHost).participant?.ready();
    return started;
  }

  const textOf = async (id: string): Promise<string | undefined> => {
    const { rows } = await db.query<{ text: string }>('SELECT text FROM note WHERE id = $1', [id]);
    return rows[0]?.text;
  };
  const inDoubt = async (): Promise<number> => {
    const { rows } = await db.query(
      'SELECT 1 FROM pg_prepared_xacts WHERE database = current_database()',
    );
    return rows.length;
  };
  const one = (name: string, input: object) => [{ name, input }];

  beforeAll(async () => {
    stack = await embeddedStack();
    url = stack.databases.ledger_east;
    db = new pg.Pool({ connectionString: url, max: 2 });
    await db.query('CREATE TABLE note (id text PRIMARY KEY, text text NOT NULL)');
    coordinator = await ScriptedCoordinator.start(stack.nats.url, CLUSTER);
    app = await startService(
      {},
      { providers: [{ provide: APP_FILTER, useClass: AnswerEverything }] },
    );
    address = await app.getUrl();
  }, 90_000);

  afterAll(async () => {
    await app.close();
    await coordinator.stop();
    await db.end();
    await stack.dispose();
  });

  async function committed(name: string, input: { id: string; text?: string }): Promise<void> {
    const transaction = coordinator.begin();
    const { vote } = await coordinator.prepare(NAME, transaction, one(name, input));
    expect(vote).toEqual({ kind: 'prepared' });
    expect(await coordinator.finish(NAME, transaction, 'commit')).toEqual({
      kind: 'acknowledged',
      outcome: { kind: 'committed' },
    });
  }

  describe('operations', () => {
    it('work in the branch through injected repositories, and answer outputs', async () => {
      const transaction = coordinator.begin();
      const answer = await coordinator.prepare(
        NAME,
        transaction,
        one('write', { id: 'a', text: 'b' }),
      );
      expect(answer).toMatchObject({ vote: { kind: 'prepared' }, outputs: [{ id: 'a' }] });
      expect(await textOf('a')).toBeUndefined();
      await coordinator.finish(NAME, transaction, 'commit');
      expect(await textOf('a')).toBe('b');
    });

    it('share one session between TypeORM and raw queries', async () => {
      await committed('write-both-ways', { id: 'both' });
      expect(await textOf('both')).toBe('raw');
    });

    it('may lock rows, save entities, and follow one another in one branch', async () => {
      await committed('write', { id: 'locked', text: 'old' });
      const transaction = coordinator.begin();
      const calls = ['new', 'newer'].map((text) => ({
        name: 'rewrite',
        input: { id: 'locked', text },
      }));
      const answer = await coordinator.prepare(NAME, transaction, calls);
      expect(answer).toMatchObject({ vote: { kind: 'prepared' }, outputs: ['old', 'new'] });
      await coordinator.finish(NAME, transaction, 'commit');
      expect(await textOf('locked')).toBe('newer');
    });

    it('that only read vote read-only', async () => {
      const transaction = coordinator.begin();
      const { vote } = await coordinator.prepare(NAME, transaction, one('read', { id: 'nobody' }));
      expect(vote).toEqual({ kind: 'read-only' });
    });

    it('S27: that swallow a failed statement vote no', async () => {
      const transaction = coordinator.begin();
      const { vote } = await coordinator.prepare(
        NAME,
        transaction,
        one('swallow', { id: 'twice' }),
      );
      expect(vote).toMatchObject({ kind: 'no', code: 'ROLLED_BACK' });
      expect(await inDoubt()).toBe(0);
    });

    it('may use TypeORM’s own transactions inside: they are savepoints', async () => {
      await committed('savepoint', { id: 'outer' });
      expect(await textOf('outer')).toBe('kept');
      expect(await textOf('outer-part')).toBeUndefined();
    });

    it('refuse by a vote with code and details, which no exception filter can turn into a yes', async () => {
      const transaction = coordinator.begin();
      const { vote } = await coordinator.prepare(NAME, transaction, one('refuse', { id: 'no' }));
      expect(vote).toMatchObject({ kind: 'no', code: 'NOT_TODAY', details: { id: 'no' } });
      expect(await inDoubt()).toBe(0);
      await waitFor(() => seen.includes('aborted no'), { what: 'its hook' });
    });

    it('get validated input, and what does not fit is a no that names the field', async () => {
      const transaction = coordinator.begin();
      const { vote } = await coordinator.prepare(NAME, transaction, one('write', { id: 7 }));
      expect(vote).toMatchObject({ code: 'INVALID_INPUT', details: { field: 'id' } });
    });

    it('that do not exist are a no that lists those that do', async () => {
      const transaction = coordinator.begin();
      const { vote } = await coordinator.prepare(NAME, transaction, one('erase', {}));
      expect(vote).toMatchObject({ code: 'UNKNOWN_OPERATION' });
      expect(JSON.stringify(vote)).toMatch(/forget-to-await, guarded, hook/);
    });

    it('are guarded by Nest’s guards, whose refusal is a vote', async () => {
      const transaction = coordinator.begin();
      const call = one('guarded', { id: 'g', text: 'enemy' });
      const { vote } = await coordinator.prepare(NAME, transaction, call);
      expect(vote).toMatchObject({ kind: 'no', code: 'FORBIDDEN' });
      await committed('guarded', { id: 'g', text: 'friend' });
    });

    it('that forget to await cannot write after the branch: the late write rejects', async () => {
      const transaction = coordinator.begin();
      const call = one('forget-to-await', { id: 'forgot' });
      expect((await coordinator.prepare(NAME, transaction, call)).vote.kind).toBe('prepared');
      afterVote.open();
      expect(String(await detached[0])).toMatch(/has ended|already released/);
      await coordinator.finish(NAME, transaction, 'commit');
      expect(await textOf('forgot')).toBe('awaited');
      expect(await textOf('forgot-late')).toBeUndefined();
    });

    it('get the outcome by hooks', async () => {
      await committed('hook', { id: 'h1' });
      await waitFor(() => seen.includes('committed h1'), { what: 'the hook of a commit' });
      const transaction = coordinator.begin();
      await coordinator.prepare(NAME, transaction, one('hook', { id: 'h2' }));
      await coordinator.finish(NAME, transaction, 'abort');
      await waitFor(() => seen.includes('aborted h2'), { what: 'the hook of an abort' });
    });

    it('injected repositories say where they may be used when used elsewhere', () => {
      const operations = app.get(NotesParticipant);
      return expect(operations.write({ id: 'x', text: '' })).rejects.toThrow(
        /no branch here.*ordinary repository/,
      );
    });
  });

  describe('direct calls', () => {
    const call = (id: string, transaction: TransactionId | undefined, text = 'direct') =>
      fetch(`${address}/notes/${id}`, {
        method: 'POST',
        body: JSON.stringify({ text }),
        headers: {
          'content-type': 'application/json',
          ...(transaction ? { 'concordat-CONTEXT': `v1;tx=${transaction}` } : {}),
        },
      });

    it('with a context enlist, work in the branch, and commit with the transaction', async () => {
      const transaction = coordinator.begin();
      const enlisted = coordinator.enlisted;
      const first = await call('d1', transaction);
      const second = await call('d2', transaction);
      expect([first.status, second.status]).toEqual([201, 201]);
      expect(first.headers.get('Concordat-Branch')).toBe('1');
      expect(coordinator.enlisted).toBe(enlisted + 1);
      expect(await textOf('d1')).toBeUndefined();
      expect((await coordinator.prepare(NAME, transaction)).vote).toEqual({ kind: 'prepared' });
      await coordinator.finish(NAME, transaction, 'commit');
      expect([await textOf('d1'), await textOf('d2')]).toEqual(['direct', 'direct']);
    });

    it('that cannot enlist are refused, and nothing is done', async () => {
      coordinator.refuse = { kind: 'refused', code: 'not-active', reason: 'It has ended.' };
      const response = await call('refused', coordinator.begin());
      coordinator.refuse = undefined;
      expect(response.status).toBe(409);
      expect(response.headers.get('content-type')).toMatch(/problem\+json/);
      expect(await response.json()).toMatchObject({ code: 'not-active', detail: 'It has ended.' });
      expect(await textOf('refused')).toBeUndefined();
    });

    it('that refuse report it to their caller, and the branch votes no', async () => {
      const transaction = coordinator.begin();
      await call('d3', transaction);
      const response = await call('d4', transaction, 'refused');
      expect(response.status).toBe(409);
      expect(await response.json()).toMatchObject({ code: 'NOT_TODAY', details: { id: 'd4' } });
      const { vote } = await coordinator.prepare(NAME, transaction);
      expect(vote).toMatchObject({ kind: 'no', code: 'NOT_TODAY' });
      expect(await textOf('d3')).toBeUndefined();
    });

    it('with a context that cannot be read are refused, never run outside of it', async () => {
      const response = await fetch(`${address}/notes/unread`, {
        method: 'POST',
        headers: { 'Concordat-Context': 'v9;tx=whatever' },
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'unknown-context-version' });
    });
  });

  describe('direct calls over Nest’s NATS transport', () => {
    it('join by the same header, whatever its casing, and are refused alike', async () => {
      const transport = {
        transport: Transport.NATS,
        options: { servers: stack.nats.url },
      } as const;
      const service = await startService({}, { controllers: [NotesByMessage] }, transport);
      const client = ClientProxyFactory.create(transport);
      try {
        const transaction = coordinator.begin();
        const send = (id: string, tx = transaction) => {
          const context = headers();
          context.set('CONCORDAT-context', `v1;tx=${tx}`);
          const message = new NatsRecordBuilder({ id, text: 'by message' }).setHeaders(context);
          return lastValueFrom(client.send<unknown>('notes.write', message.build()));
        };
        expect(await send('m1')).toEqual({ id: 'm1' });
        expect(await textOf('m1')).toBeUndefined();
        expect((await coordinator.prepare(NAME, transaction)).vote).toEqual({ kind: 'prepared' });
        await coordinator.finish(NAME, transaction, 'commit');
        expect(await textOf('m1')).toBe('by message');
        coordinator.refuse = { kind: 'refused', code: 'not-active', reason: 'It has ended.' };
        await expect(send('m2', coordinator.begin())).rejects.toMatchObject({ code: 'not-active' });
        expect(await textOf('m2')).toBeUndefined();
      } finally {
        coordinator.refuse = undefined;
        await client.close();
        await service.close();
      }
    });
  });

  describe('recovery', () => {
    it('a branch left in doubt by a dead instance is finished by the next one', async () => {
      const transaction = coordinator.begin();
      await coordinator.prepare(NAME, transaction, one('write', { id: 'doubt', text: 'kept' }));
      expect(await inDoubt()).toBe(1);
      await app.close();
      coordinator.decisions.set(transaction, 'commit');
      app = await startService(
        {},
        { providers: [{ provide: APP_FILTER, useClass: AnswerEverything }] },
      );
      address = await app.getUrl();
      await waitFor(async () => (await inDoubt()) === 0, { what: 'the branch to be finished' });
      expect(await textOf('doubt')).toBe('kept');
    });

    it('waits while no coordinator answers, and goes on when one comes up', async () => {
      const transaction = coordinator.begin();
      await coordinator.prepare(NAME, transaction, one('write', { id: 'patient' }));
      await coordinator.goAway();
      const { participant } = app.get(ParticipantHost);
      await participant?.resolveNow();
      expect(await inDoubt()).toBe(1);
      coordinator.decisions.set(transaction, 'abort');
      await coordinator.comeUp();
      await waitFor(async () => (await inDoubt()) === 0, { what: 'the branch to be finished' });
      expect(await textOf('patient')).toBeUndefined();
    }, 20_000);

    it('reports to a coordinator what it finds finished against the decision', async () => {
      const transaction = coordinator.begin();
      const answer = await coordinator.prepare(NAME, transaction, one('write', { id: 'taken' }));
      expect(answer.vote).toEqual({ kind: 'prepared' });
      const key = { cluster: CLUSTER, transaction, branch: makeBranchId(1) };
      // Between the list and the finish a DBA commits what was to be aborted.
      const gid = formatGid(key);
      coordinator.beforeAnswering = async () => {
        coordinator.beforeAnswering = undefined;
        await db.query(`COMMIT PREPARED '${gid}'`);
      };
      coordinator.decisions.set(transaction, 'abort');
      await waitFor(() => coordinator.reported.length > 0, { what: 'the report' });
      expect(coordinator.reported[0]).toMatchObject({
        transaction,
        branch: '1',
        participant: NAME,
        evidence: { decision: 'abort', found: 'committed' },
      });
    });

    it('hooks are called for branches that another instance finished', async () => {
      const transaction = coordinator.begin();
      await coordinator.prepare(NAME, transaction, one('hook', { id: 'elsewhere' }));
      const key = { cluster: CLUSTER, transaction, branch: makeBranchId(1) };
      await db.query(`COMMIT PREPARED '${formatGid({ ...key })}'`);
      await waitFor(() => seen.includes('committed elsewhere'), {
        what: 'the hook',
      });
    });
  });

  describe('start and stop', () => {
    it('a class that is marked for another participant keeps the service from starting', async () => {
      await expect(startService({ name: 'other' })).rejects.toThrow(
        /marked @Participant\('notes'\), but the module is configured for 'other'/,
      );
    });

    it('two operations of one name keep the service from starting', async () => {
      @Participant()
      class Twice {
        @Operation('write', NoteInput)
        write(): void {}
      }
      await expect(startService({}, { providers: [Twice] })).rejects.toThrow(
        /operation write is defined twice/,
      );
    });

    it('a service that is not fit does not start, and the error says what to do', async () => {
      await expect(startService({ inDoubtMax: 100_000 })).rejects.toThrow(
        /the in-doubt limit is 100000.*Remedy: set inDoubtMax below/,
      );
      await expect(startService({ sessionsMax: 50 })).rejects.toThrow(/give the pool at least 50/);
    });

    it('stopping lets open work vote, gives every session back, and leaves what is prepared', async () => {
      const open = coordinator.begin();
      const service = app;
      const response = await fetch(`${address}/notes/open`, {
        method: 'POST',
        body: JSON.stringify({ text: 'open' }),
        headers: { 'content-type': 'application/json', 'Concordat-Context': `v1;tx=${open}` },
      });
      expect(response.status).toBe(201);
      const stopping = service.close();
      expect((await coordinator.prepare(NAME, open)).vote).toEqual({ kind: 'prepared' });
      await stopping;
      expect(await inDoubt()).toBe(1);
      expect((await service.get(ParticipantHost).readiness()).ready).toBe(false);
      coordinator.decisions.set(open, 'commit');
      app = await startService();
      address = await app.getUrl();
      await waitFor(async () => (await textOf('open')) === 'open', { what: 'the commit' });
    });
  });

  it('a plain script can take part too, with a pool or an address and no framework', async () => {
    const participant = createParticipant({
      name: 'script',
      natsUrl: stack.nats.url,
      database: { url },
      schema: 'script',
      operations: [
        {
          name: 'write',
          input: NoteInput,
          run: async (input, branch) => {
            const { id, text } = input as NoteInput;
            await branch.client.query('INSERT INTO note VALUES ($1, $2)', [id, text]);
            return { wrote: branch.participant };
          },
        },
      ],
    });
    await participant.start();
    await participant.ready();
    expect(participant.cluster).toBe(CLUSTER); // Discovered.
    const transaction = coordinator.begin();
    const call = one('write', { id: 'script', text: 'plain' });
    const answer = await coordinator.prepare('script', transaction, call);
    expect(answer).toMatchObject({
      vote: { kind: 'prepared' },
      outputs: [{ wrote: 'script' }],
    });
    await coordinator.finish('script', transaction, 'commit');
    expect(await textOf('script')).toBe('plain');
    expect(await participant.readiness()).toEqual({ ready: true, reasons: [] });
    await participant.stop();
  });

  it('a broker connection that is closed permanently is reported, so that the process can be ended', async () => {
    const connection = await connectChannel({ servers: stack.nats.url, name: 'losing' });
    const service = await startService({ connect: async () => connection });
    const host = service.get(ParticipantHost);
    await connection.close();
    const lost = await host.closed;
    expect(lost).toBeInstanceOf(ConnectionLost);
    expect(lost?.message).toMatch(/notes lost its broker connection permanently.*restart it/);
    expect((await host.readiness()).ready).toBe(false);
    await service.close();
    const stopped = await startService();
    await stopped.close();
    expect(await stopped.get(ParticipantHost).closed).toBeUndefined();
  });

  it('an operation that hangs keeps no process from stopping within its drain time', async () => {
    let begun: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => (begun = resolve));
    const participant = createParticipant({
      name: 'hanging',
      natsUrl: stack.nats.url,
      cluster: CLUSTER,
      database: { url },
      schema: 'hanging',
      drainMs: 200,
      operations: [
        {
          name: 'hang',
          run: async (_input, branch) => {
            await branch.client.query(`INSERT INTO note VALUES ('hanging', 'never seen')`);
            begun();
            await new Promise(() => undefined);
          },
        },
      ],
    });
    await participant.start();
    await participant.ready();
    const asked = coordinator.prepare('hanging', coordinator.begin(), one('hang', {}));
    const unanswered = asked.then(
      () => 'a vote',
      () => 'no vote',
    );
    await hanging;
    const start = performance.now();
    await participant.stop();
    expect(performance.now() - start).toBeLessThan(3_000);
    expect(await textOf('hanging')).toBeUndefined();
    expect(await unanswered).toBe('no vote');
  });
});
