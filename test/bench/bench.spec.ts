/** What the bench promises of itself: durable servers, honest counting, a plan that covers what is asked. */
import { jest } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { CountingProxy } from './compare/counting-proxy.js';
import { planOf } from './compare/plan.js';
import { CLIENTS_MAX, rowOf, ROWS, workOf } from './compare/shapes.js';
import { between } from './compare/written.js';
import { assertDurable } from './durable.js';
import { summarise } from './profile/cpu-profile.js';
import { ROOT } from './root.js';

jest.setTimeout(60_000);

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.dispose());

async function sql(url: string, ...texts: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const text of texts) await client.query(text);
  await client.end();
}

describe('no figure is bought with durability', () => {
  afterEach(async () => {
    await sql(server.url(), 'ALTER SYSTEM RESET ALL', 'SELECT pg_reload_conf()');
    const isDurable = () =>
      assertDurable(server.url()).then(
        () => true,
        () => false,
      );
    await waitFor(isDurable, { what: 'the server to be durable again' });
  });

  it('takes a server as it is started here', async () => {
    await expect(assertDurable(server.url())).resolves.toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
    });
  });

  it.each(['fsync', 'full_page_writes', 'synchronous_commit'])(
    'refuses a server with %s off',
    async (name) => {
      await sql(server.url(), `ALTER SYSTEM SET ${name} = off`, 'SELECT pg_reload_conf()');
      const refused = async (): Promise<string> => {
        const asked = assertDurable(server.url());
        return asked.then(
          () => refused(), // The server takes a moment to read its configuration again.
          (error: Error) => error.message,
        );
      };
      await expect(refused()).resolves.toContain(`${name}=off`);
    },
  );

  it('refuses a server with a role or database that does not wait for the flush', async () => {
    await sql(server.url(), 'ALTER ROLE postgres SET synchronous_commit = off');
    await expect(assertDurable(server.url())).rejects.toThrow('synchronous_commit=off');
    await sql(server.url(), 'ALTER ROLE postgres RESET synchronous_commit');
  });

  it('asks every server that any part of the bench starts', () => {
    const folder = resolve(ROOT, 'test/bench');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /^(?!dist).*\.ts$/.test(name) && !/\.(spec|nightly)\.ts$/.test(name))
      .map((name) => ({ name, text: readFileSync(resolve(folder, name), 'utf8') }));
    const starters = files.filter(({ text }) => /\b(embeddedStack|startPostgres)\(/.test(text));
    expect(starters.map((one) => one.name).sort()).toEqual([
      'compare/arena.ts',
      'lists/lists.ts',
      'stage.ts',
    ]);
    for (const { name, text } of starters) {
      expect({ name, asks: /^(?! *\/\/).*await assertDurable\(/m.test(text) }).toEqual({
        name,
        asks: true,
      });
    }
  });
});

describe('counting round trips', () => {
  it('counts a round trip per statement, and one for all that leave at once', async () => {
    const proxy = await CountingProxy.open(server.host, server.port);
    const client = new pg.Client({ connectionString: proxy.address(server.url()) });
    await client.connect();
    const before = proxy.count;
    await client.query('SELECT 1');
    await client.query('SELECT 2');
    await client.query('BEGIN; SELECT 3; COMMIT');
    expect(proxy.count - before).toBe(3);
    await client.end();
    await proxy.close();
  });
});

describe('the plan', () => {
  const full = planOf({ quick: false }).cases;
  const values = (pick: (one: (typeof full)[number]) => string | number) => new Set(full.map(pick));

  it('covers the clients, participants, shapes and drivers that are asked about', () => {
    expect(values((one) => one.clients)).toEqual(new Set([1, 8, 32, 128]));
    expect(values((one) => one.participants)).toEqual(new Set([2, 1, 4, 8]));
    expect(values((one) => one.shape).size).toBe(4);
    expect(values((one) => one.through)).toEqual(new Set(['typeorm', 'pg']));
    expect(planOf({ quick: false }).rounds).toBeGreaterThanOrEqual(7);
  });

  it('measures every combination of what flags name', () => {
    const { cases } = planOf({ quick: false, clients: '1,8', shapes: 'write,refused' });
    expect(cases).toHaveLength(4);
  });

  it.each([
    [{ clients: '129' }, '--clients'],
    [{ participants: '0' }, '--participants'],
    [{ shapes: 'wrong' }, '--shapes'],
    [{ ways: 'hand,foot' }, '--ways'],
    [{ seconds: 'soon' }, '--seconds'],
  ])('names the flag that is wrong: %j', (flags, flag) => {
    expect(() => planOf({ quick: false, ...flags })).toThrow(flag);
  });
});

describe('the load', () => {
  it('gives each client rows of its own, all of which exist', () => {
    const row = (client: number) => Number(rowOf(client).slice(1));
    const drawn = Array.from({ length: 2_000 }, (_, at) => row(at % CLIENTS_MAX));
    expect(Math.max(...drawn)).toBeLessThan(ROWS);
    const owners = new Map<number, number>();
    drawn.forEach((one, at) => {
      expect(owners.get(one) ?? at % CLIENTS_MAX).toBe(at % CLIENTS_MAX);
      owners.set(one, at % CLIENTS_MAX);
    });
  });

  it('lets only the last participant refuse', () => {
    const work = workOf({ shape: 'refused', through: 'typeorm', participants: 3 }, 0);
    expect(work.map((one) => Number(one.input['amount']) > 100)).toEqual([false, false, true]);
  });
});

describe('the page', () => {
  it('gets the tables between its markers, and keeps the rest', () => {
    const page = 'a\n<!-- bench: compare -->\nold\n<!-- end of bench: compare -->\nz\n';
    const written = between(page, 'compare', 'new');
    expect(written).toContain('a\n<!-- bench: compare -->\n\nnew\n\n<!-- end');
    expect(written).not.toContain('old');
    expect(between(written, 'compare', 'new')).toBe(written);
  });

  it('has a place for them', () => {
    const page = readFileSync(resolve(ROOT, 'docs/performance.md'), 'utf8');
    expect(() => between(page, 'compare', 'new')).not.toThrow();
  });
});

describe('a profile', () => {
  const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
    id,
    callFrame: { functionName, url, lineNumber: 6 },
    children,
  });
  const { busyMs, packages, functions, inclusive } = summarise({
    nodes: [
      node(1, '(root)', '', [2, 5]),
      node(2, 'serve', 'file:///x/apps/coordinator/dist/requests/node-server.js', [3, 4]),
      node(3, 'parse', 'file:///x/node_modules/@scope/reader/lib/a.js'),
      node(4, 'serve', 'file:///x/apps/coordinator/dist/requests/node-server.js', [6]),
      node(5, '(idle)', ''),
      node(6, 'write', 'node:net'),
    ],
    samples: [2, 3, 5, 4, 6, 5],
    timeDeltas: [9_000, 1_000, 2_000, 4_000, 8_000, 16_000],
  });

  it('charges each function with its own time, and idle time to none', () => {
    // What a sample saw lasts until the next one.
    expect(busyMs).toBe(1 + 2 + 8 + 16);
    expect(functions).toEqual([
      { what: 'write node:net:7', ms: 16 },
      { what: 'serve apps/coordinator/dist/requests/node-server.js:7', ms: 1 + 8 },
      { what: 'parse @scope/reader/lib/a.js:7', ms: 2 },
    ]);
    expect(packages.map((one) => one.what)).toEqual([
      'node:net',
      'apps/coordinator/requests',
      '@scope/reader',
    ]);
  });

  it('charges callers with what they call once, however often they are on the stack', () => {
    expect(inclusive.find((one) => one.what.startsWith('serve'))?.ms).toBe(busyMs);
  });
});
