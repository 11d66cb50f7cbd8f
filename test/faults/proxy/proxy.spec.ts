/** The proxy itself, on a real Postgres and a real nats-server: it adds nothing, and it hits what it aims at. */
import { connect, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { headers } from '@nats-io/nats-core';
import {
  startNats,
  startPostgres,
  waitFor,
  type NatsServer,
  type PostgresServer,
} from '@concordat/testing';
import pg from 'pg';
import { completion, delivered, published, statement } from './frame.js';
import { NATS } from './nats-frames.js';
import { POSTGRES } from './postgres-frames.js';
import { startProxy, type TcpProxy } from './tcp-proxy.js';

describe('A proxy in front of Postgres', () => {
  let server: PostgresServer;
  let proxy: TcpProxy;
  let url: string;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    server = await startPostgres();
    proxy = await startProxy(POSTGRES, 'test');
    url = proxy.inFrontOf(server.url());
    const direct = await client(server.url());
    await direct.query('CREATE TABLE note (id int PRIMARY KEY, text text)');
  });

  afterEach(async () => {
    expect(proxy.mend()).toEqual([]);
    proxy.cutAll();
    await Promise.all(clients.splice(0).map((one) => one.end().catch(() => undefined)));
  });

  afterAll(async () => {
    await proxy.close();
    await server.dispose();
  });

  async function client(to = url): Promise<pg.Client> {
    const one = new pg.Client({ connectionString: to });
    one.on('error', () => undefined);
    clients.push(one);
    await one.connect();
    return one;
  }

  async function ids(where: string): Promise<number[]> {
    const direct = await client(server.url());
    const { rows } = await direct.query<{ id: number }>(
      `SELECT id FROM note WHERE ${where} ORDER BY id`,
    );
    return rows.map((row) => row.id);
  }

  it('is not noticed: simple, extended, pipelined and large statements pass unchanged', async () => {
    const one = await client();
    const watched = proxy.rule('every note', completion(/INSERT INTO note/), 'watch');
    await one.query("INSERT INTO note VALUES (1, 'simple'), (2, 'simple')");
    const large = 'x'.repeat(1_000_000);
    const named = { name: 'note', text: 'INSERT INTO note VALUES ($1, $2)' };
    const [first, second] = await Promise.all([
      one.query({ ...named, values: [3, large] }),
      one.query({ ...named, values: [4, 'named again'] }),
    ]);
    expect([first.rowCount, second.rowCount]).toEqual([1, 1]);
    await expect(one.query('INSERT INTO note VALUES (1, $1)', ['twice'])).rejects.toMatchObject({
      code: '23505',
    });
    const read = await one.query<{ length: number }>('SELECT length(text) FROM note WHERE id = 3');
    expect(read.rows).toEqual([{ length: 1_000_000 }]);
    // A failed statement has no completion; a named one is known by its SQL both times.
    expect(watched.caught.map((frame) => frame.text)).toEqual([
      'INSERT 0 2',
      'INSERT 0 1',
      'INSERT 0 1',
    ]);
  });

  it.each([
    ['cut-before', 'the statement', statement(/VALUES \(10/), 10, []],
    ['cut-after', 'the statement', statement(/VALUES \(11/), 11, [11]],
    ['cut-before', 'the completion', completion(/VALUES \(12/), 12, [12]],
  ] as const)(
    '%s %s: the client loses its connection, and the server did what it received',
    async (action, what, at, id, there) => {
      const one = await client();
      const rule = proxy.rule(what, at, action);
      await expect(one.query(`INSERT INTO note VALUES (${id})`)).rejects.toThrow(/terminated/);
      await rule.waitForHit();
      await waitFor(async () => (await ids(`id = ${id}`)).length === there.length, {
        what: 'the server to have done it',
      });
      expect(await ids(`id = ${id}`)).toEqual(there);
    },
  );

  it('counts: the n-th frame and no other', async () => {
    const one = await client();
    const rule = proxy.rule('the third', statement(/SELECT 'turn'/), 'cut-before', { nth: 3 });
    await one.query("SELECT 'turn'");
    await one.query("SELECT 'turn'");
    await expect(one.query("SELECT 'turn'")).rejects.toThrow(/terminated/);
    expect(rule.hits).toBe(1);
  });

  it('a held statement of a client that died arrives when it is released', async () => {
    const one = await client();
    const rule = proxy.rule('the late insert', statement(/VALUES \(20/), 'hold');
    const lost = one.query('INSERT INTO note VALUES (20)').catch(() => 'lost');
    await rule.waitForHit();
    (one as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect(await lost).toBe('lost');
    expect(await ids('id = 20')).toEqual([]);
    rule.lift();
    await waitFor(async () => (await ids('id = 20')).length === 1, { what: 'the late insert' });
  });

  it('half-open: neither end gets an error, and only new connections work', async () => {
    const one = await client();
    const rule = proxy.rule('the insert', statement(/VALUES \(30/), 'half-open');
    const silent = one.query('INSERT INTO note VALUES (30)').then(
      () => 'answered',
      () => 'told',
    );
    await rule.waitForHit();
    expect((await (await client()).query('SELECT 1')).rowCount).toBe(1);
    expect(await Promise.race([silent, ids('id = 30')])).toEqual([]);
  });

  it('a rule that never fired is named', () => {
    proxy.rule('never sent', statement(/never/), 'cut-before');
    expect(proxy.mend()).toEqual(['cut-before at never sent (test)']);
  });

  it('loses no part of a stream', () => {
    expect(() => proxy.rule('a part', statement(/x/), 'drop')).toThrow(/is a stream: cut it/);
  });
});

describe('A proxy in front of NATS', () => {
  let server: NatsServer;
  let proxy: TcpProxy;
  let sender: NatsConnection;
  let receiver: NatsConnection;
  const heard: string[] = [];
  let subscription: Subscription;

  beforeAll(async () => {
    server = await startNats();
    proxy = await startProxy(NATS, 'test');
    sender = await connect({ servers: proxy.inFrontOf(server.url) });
    receiver = await connect({ servers: server.url });
    subscription = receiver.subscribe('news.>', {
      callback: (_, message) => {
        heard.push(`${message.subject} ${message.string()}`);
      },
    });
    await receiver.flush();
  });

  beforeEach(() => {
    heard.length = 0;
  });

  afterEach(() => {
    expect(proxy.mend()).toEqual([]);
  });

  afterAll(async () => {
    subscription.unsubscribe();
    await Promise.all([sender.close(), receiver.close()]);
    await proxy.close();
    await server.dispose();
  });

  const until = (count: number) =>
    waitFor(() => heard.length >= count, { what: `${count} messages` });

  it('is not noticed: messages with and without headers, large and empty, pass unchanged', async () => {
    const watched = proxy.rule('all', published(/^news\./), 'watch');
    const large = 'PUB news.fake 3\r\nabc\r\n'.repeat(20_000);
    sender.publish('news.large', large);
    sender.publish('news.empty');
    const named = headers();
    named.set('kind', 'headed');
    sender.publish('news.headed', 'with headers', { headers: named, reply: 'somewhere' });
    await until(3);
    expect(heard).toEqual([`news.large ${large}`, 'news.empty ', 'news.headed with headers']);
    expect(watched.caught.map((frame) => frame.text)).toEqual([large, '', 'with headers']);
    const back = sender.subscribe('back');
    const arriving = proxy.rule('the answer', delivered(/^back$/), 'watch');
    await sender.flush();
    receiver.publish('back', 'hello');
    for await (const message of back) {
      expect(message.string()).toBe('hello');
      break;
    }
    expect(arriving.hits).toBe(1);
  });

  it('loses, doubles and delays the messages of its rules, and no other', async () => {
    proxy.rule('the lost', published(/lost/), 'drop');
    proxy.rule('the doubled', published(/doubled/), { copies: 3 });
    proxy.rule('the slow', published(/slow/), { delayMs: 100 });
    for (const subject of ['lost', 'slow', 'doubled', 'plain']) {
      sender.publish(`news.${subject}`, '.');
    }
    await until(5);
    expect(heard).toEqual([
      ...Array.from({ length: 3 }, () => 'news.doubled .'),
      'news.plain .',
      'news.slow .',
    ]);
  });

  it('holds one message, which the others overtake', async () => {
    const rule = proxy.rule('the first', published(/news/), 'hold');
    sender.publish('news.one', '.');
    sender.publish('news.two', '.');
    await rule.waitForHit();
    await until(1);
    expect(heard).toEqual(['news.two .']);
    rule.lift();
    await until(2);
    expect(heard).toEqual(['news.two .', 'news.one .']);
  });

  it('lets everything wait while it is clogged, in order', async () => {
    proxy.clog();
    sender.publish('news.one', '.');
    sender.publish('news.two', '.');
    receiver.publish('news.direct', '.');
    await until(1);
    expect(heard).toEqual(['news.direct .']);
    proxy.unclog();
    await until(3);
    expect(heard).toEqual(['news.direct .', 'news.one .', 'news.two .']);
  });

  it('cut: the client notices, connects again and goes on', async () => {
    const rule = proxy.rule('the cut', published(/cut/), 'cut-before');
    sender.publish('news.cut', '.');
    await rule.waitForHit();
    await waitFor(
      () => {
        sender.publish('news.again', '.');
        return heard.includes('news.again .');
      },
      { what: 'the client to be back' },
    );
    expect(heard).not.toContain('news.cut .');
  });
});
