/**
 * The broker dies, comes back, stalls. A connection must never pretend: what was in flight is
 * unknown, what is asked meanwhile is refused at once, and everything works again by itself.
 */
import {
  BrokerUnreachable,
  connectChannel,
  NatsCoordinatorChannel,
  type ConnectionStatus,
} from '@concordat/channel';
import { waitFor } from '@concordat/testing';
import { Socket } from 'node:net';
import { NATS } from '../faults/proxy/nats-frames.js';
import { startProxy } from '../faults/proxy/tcp-proxy.js';
import {
  EAST,
  finishRequest,
  FIRST,
  gate,
  instanceId,
  newTransaction,
  OWNER,
  prepareRequest,
  Stage,
} from './channel-stage.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  await stage.close();
});

describe('a broker that is killed', () => {
  it('leaves what was in flight unknown, at once, and everything works after its restart', async () => {
    const received = gate();
    const { connection: participantSide } = await stage.participant({
      prepare: () => {
        received.open();
        return new Promise(() => undefined);
      },
    });
    const channel = await stage.commander();
    const start = performance.now();
    const inFlight = channel.prepare(prepareRequest({ timeLeftMs: 60_000 }));
    await received.opened;
    await stage.broker.kill();
    expect(await inFlight).toMatchObject({ kind: 'no-answer', isLost: true });
    const meanwhile = await channel.finish(finishRequest({ timeLeftMs: 60_000 }));
    expect(meanwhile).toMatchObject({
      kind: 'no-answer',
      isLost: true,
      why: expect.stringContaining('the broker is away') as string,
    });
    expect(performance.now() - start).toBeLessThan(5_000);

    await stage.broker.start();
    await participantSide.ready();
    const answer = await waitFor(
      async () => {
        const one = await channel.finish(finishRequest());
        return one.kind === 'answered' && one;
      },
      { what: 'an answer after the restart' },
    );
    expect(answer).toMatchObject({ answer: { kind: 'acknowledged' } });
  });

  it('is followed by the status of every connection', async () => {
    const { connection } = await stage.coordinator();
    const seen: ConnectionStatus['kind'][] = [];
    connection.onStatus((status) => seen.push(status.kind));
    await stage.broker.kill();
    await waitFor(() => seen.includes('disconnected'), { what: 'the loss to be noticed' });
    expect(connection.unusable).toContain('the broker is away');
    await stage.broker.start();
    await connection.ready();
    expect(connection.unusable).toBeUndefined();
    expect(seen.at(-1)).toBe('connected');
  });

  it('keeps a participant from nothing but answering: its work is done, its answer is lost', async () => {
    const begun = gate();
    const hold = gate();
    const done = gate();
    const { connection } = await stage.participant({
      finish: async () => {
        begun.open();
        await hold.opened;
        done.open();
        return { kind: 'acknowledged', outcome: { kind: 'committed' } };
      },
    });
    const channel = await stage.commander();
    const asked = channel.finish(finishRequest());
    await begun.opened;
    await stage.broker.kill();
    expect(await asked).toMatchObject({ kind: 'no-answer' });
    await waitFor(() => connection.unusable, { what: 'the participant to notice' });
    hold.open();
    await done.opened;
    await waitFor(() => stage.count('answer-lost') === 1, {
      what: 'the answer to be counted lost',
    });
  });
});

describe('a coordinator whose connection breaks', () => {
  it('announces itself as soon as it is back, so that no branch in doubt need wait', async () => {
    const wire = await startProxy(NATS, 'coordinator, broker');
    try {
      let nudges = 0;
      await stage.participant({}, { onCoordinatorUp: () => (nudges += 1) });
      const servers = wire.inFrontOf(stage.broker.url);
      const { connection } = await stage.coordinator({}, OWNER, { servers });
      expect(nudges).toBe(0);
      wire.cutAll();
      await waitFor(() => nudges > 0, { what: 'the participant to be nudged' });
      expect(connection.unusable).toBeUndefined();
      await connection.close();
    } finally {
      await wire.close();
    }
  });
});

describe('a broker that stalls', () => {
  it('delivers late: the late command runs, its late answer is ignored', async () => {
    const ran = gate<string>();
    await stage.participant({
      finish: async ({ to }) => {
        ran.open(to.transaction);
        return { kind: 'acknowledged', outcome: { kind: 'committed' } };
      },
    });
    const channel = await stage.commander();
    await stage.broker.pause();
    const request = finishRequest({ timeLeftMs: 150 });
    const silence = await channel.finish(request);
    expect(silence).toMatchObject({ kind: 'no-answer' });
    expect(silence).not.toHaveProperty('isLost'); // It may come yet.
    stage.broker.resume();
    expect(await ran.opened).toBe(request.to.transaction);
    await waitFor(() => stage.count('unawaited-answer') === 1, { what: 'the late answer' });
    expect(await channel.finish(finishRequest())).toMatchObject({ kind: 'answered' });
  });

  it('is noticed by its silence and reported, then used again', async () => {
    const connection = await stage.connection('impatient', { pingMs: 100 });
    const seen: ConnectionStatus['kind'][] = [];
    connection.onStatus((status) => seen.push(status.kind));
    await stage.broker.pause();
    await waitFor(() => seen.includes('disconnected'), { what: 'the stall to be noticed' });
    stage.broker.resume();
    await connection.ready();
    expect(connection.status.kind).toBe('connected');
  });
});

describe('a broker that is not there yet', () => {
  it('is waited for', async () => {
    await stage.broker.kill();
    const waiting: string[] = [];
    const connecting = stage.connection('early', {
      firstConnectMs: undefined,
      onWaiting: (why) => waiting.push(why),
    });
    await waitFor(() => waiting.length > 1, { what: 'two attempts' });
    await stage.broker.start();
    const connection = await connecting;
    expect(connection.status.kind).toBe('connected');
  });

  it('is named, with the remedy and without the password, when the wait is bounded', async () => {
    await stage.broker.kill();
    const servers = stage.broker.url.replace('//', '//user:secret@');
    const attempt = connectChannel({ servers, name: 'early', firstConnectMs: 50 });
    await expect(attempt).rejects.toThrow(BrokerUnreachable);
    await expect(attempt).rejects.toThrow(
      /early found no NATS broker at .*\nRemedy: start one there/,
    );
    await expect(attempt).rejects.not.toThrow(/secret/);
  });

  it('is no longer waited for once the process is asked to stop', async () => {
    await stage.broker.kill();
    const stop = new AbortController();
    const connecting = connectChannel({
      servers: stage.broker.url,
      name: 'early',
      signal: stop.signal,
      onWaiting: () => stop.abort(),
    });
    await expect(connecting).rejects.toThrow(/asked to stop/);
  });
});

describe('draining', () => {
  it('lets handlers at work answer, refuses what comes after, and closes', async () => {
    const begun = gate();
    const hold = gate();
    const { connection } = await stage.participant({
      prepare: async () => {
        begun.open();
        await hold.opened;
        return { kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance: instanceId(1) };
      },
    });
    const channel = await stage.commander();
    const asked = channel.prepare(prepareRequest());
    await begun.opened;
    const drained = connection.drain();
    await waitFor(async () => (await channel.finish(finishRequest())).kind === 'no-responders', {
      what: 'the participant to be gone for new commands',
    });
    hold.open();
    expect(await asked).toMatchObject({ answer: { kind: 'vote', vote: { kind: 'prepared' } } });
    await drained;
    expect(connection.status.kind).toBe('closed');
    expect(await connection.closed).toBeUndefined();
  });

  it('does not wait forever for a handler that hangs', async () => {
    const begun = gate();
    const { connection } = await stage.participant({
      prepare: () => {
        begun.open();
        return new Promise(() => undefined);
      },
    });
    const channel = await stage.commander();
    const asked = channel.prepare(prepareRequest({ timeLeftMs: 300 }));
    await begun.opened;
    await connection.drain(100);
    expect(connection.status.kind).toBe('closed');
    expect(await asked).toMatchObject({ kind: 'no-answer' });
  });

  it('of one server on a connection waits for its handlers no longer than configured', async () => {
    const begun = gate();
    const hangs = () => {
      begun.open();
      return new Promise<never>(() => undefined);
    };
    const { server: participant } = await stage.participant({ prepare: hangs });
    const inquired = gate();
    const { server: coordinator } = await stage.coordinator({
      inquire: () => {
        inquired.open();
        return new Promise<never>(() => undefined);
      },
    });
    void (await stage.commander()).prepare(prepareRequest({ timeLeftMs: 900_000 }));
    const asker = await stage.asker(EAST, 2);
    void asker.inquire({ transaction: newTransaction(), branch: FIRST, participant: EAST });
    await Promise.all([begun.opened, inquired.opened]);
    const start = performance.now();
    await Promise.all([participant.stop(100), coordinator.stop(100)]);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('ends at once while the broker is away', async () => {
    const { connection } = await stage.participant();
    await stage.broker.kill();
    await waitFor(() => connection.unusable, { what: 'the participant to notice' });
    const start = performance.now();
    await connection.drain(60_000);
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(connection.status.kind).toBe('closed');
  });

  it('refuses requests of its own side at once, and sends nothing', async () => {
    let asked = 0;
    await stage.coordinator({
      inquire: async () => {
        asked += 1;
        return { kind: 'undecided' };
      },
    });
    const begun = gate();
    const hold = gate();
    const { connection, instance } = await stage.participant({
      prepare: async () => {
        begun.open();
        await hold.opened;
        return { kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance: instanceId(1) };
      },
    });
    const coordinators = new NatsCoordinatorChannel(connection, {
      cluster: stage.cluster,
      asker: { participant: EAST, instance },
      questionMs: 60_000, // So patient that nothing is asked twice, however busy the machine.
    });
    const inquiry = { transaction: newTransaction(), branch: FIRST, participant: EAST };
    expect(await coordinators.inquire(inquiry)).toMatchObject({ kind: 'answered' });
    const prepared = (await stage.commander()).prepare(prepareRequest());
    await begun.opened;
    const drained = connection.drain();
    expect(await coordinators.inquire(inquiry)).toEqual({
      kind: 'no-answer',
      why: 'this process is shutting down',
    });
    hold.open();
    await drained;
    expect(await prepared).toMatchObject({ kind: 'answered' });
    expect(asked).toBe(1);
    await expect(connection.ready()).rejects.toThrow(/closed/);
  });

  it('stops admitting branches while it still finishes them', async () => {
    const { server } = await stage.participant();
    const channel = await stage.commander();
    await server.stopAdmitting();
    expect(await channel.prepare(prepareRequest())).toEqual({ kind: 'no-responders' });
    expect(await channel.finish(finishRequest())).toMatchObject({ kind: 'answered' });
  });
});

describe('What one turn of the event loop publishes', () => {
  const { write } = Socket.prototype;
  afterEach(() => {
    Socket.prototype.write = write;
  });

  /** Every write of this process that publishes from now on. */
  function publishingWrites(): string[] {
    const seen: string[] = [];
    Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
      const text = Buffer.from(args[0] as Uint8Array).toString('latin1');
      if (text.includes('PUB news.')) seen.push(text);
      return (write as (...given: unknown[]) => boolean).apply(this, args);
    };
    return seen;
  }

  async function listener(): Promise<string[]> {
    const heard: string[] = [];
    const connection = await stage.connection('listener');
    const subscription = connection.subscribe('news.*', ({ subject }) => void heard.push(subject));
    await connection.confirm([subscription]);
    return heard;
  }

  it('leaves in one write, though it was published from many callbacks', async () => {
    const heard = await listener();
    const connection = await stage.connection('publisher');
    const writes = publishingWrites();
    for (let each = 0; each < 5; each++) {
      expect(connection.publish(`news.${each}`, Buffer.from('x'))).toBeUndefined();
      await Promise.resolve();
    }
    expect(writes).toEqual([]);
    await waitFor(() => heard.length === 5, { what: 'all that was published' });
    expect(writes).toHaveLength(1);
  });

  it('is not kept back when it is much', async () => {
    const heard = await listener();
    const connection = await stage.connection('publisher');
    const writes = publishingWrites();
    for (let each = 0; each < 3; each++) connection.publish(`news.${each}`, Buffer.alloc(20_000));
    expect(writes).toHaveLength(1);
    await waitFor(() => heard.length === 3, { what: 'all that was published' });
  });

  it('leaves before the connection is closed', async () => {
    const heard = await listener();
    const connection = await stage.connection('publisher');
    expect(connection.publish('news.last', Buffer.from('x'))).toBeUndefined();
    await connection.close();
    await waitFor(() => heard.length === 1, { what: 'the last that was published' });
  });

  it('is refused when the connection is known to be gone', async () => {
    const connection = await stage.connection('publisher');
    await stage.broker.kill();
    await waitFor(() => connection.unusable, { what: 'the loss to be noticed' });
    expect(connection.publish('news.late', Buffer.from('x'))).toContain('the broker is away');
  });
});
