/** What the bench promises of itself: durable servers, honest counting, a plan that covers what is asked. */
import { jest } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openDecisionLog } from '@concordat/decision-log';
import { SystemClock } from '@concordat/participant';
import { lowestTransactionIdAt } from '@concordat/protocol';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { CountingProxy } from './compare/counting-proxy.js';
import { machine } from './compare/machine.js';
import { planOf, type Case } from './compare/plan.js';
import { Progress } from './compare/progress.js';
import type { WayResult } from './compare/measure.js';
import { merged, ReportFile, type Report } from './compare/report.js';
import { CLIENTS_MAX, rowOf, ROWS, workOf } from './compare/shapes.js';
import { sizingOf } from './compare/sizing.js';
import { targetTable } from './compare/targets.js';
import { REFERENCES, WAY_NAMES } from './compare/ways.js';
import { between } from './compare/written.js';
import { assertDurable } from './durable.js';
import { summarise } from './profile/cpu-profile.js';
import { Sampler, type Look } from './pruning/sampler.js';
import { told, verdictOf, type Moment } from './pruning/verdict.js';
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

  it('turns it off nowhere, but to fill a log before anything is measured on it', () => {
    const folder = resolve(ROOT, 'test/bench');
    const off = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /^(?!dist).*\.ts$/.test(name) && !name.endsWith('.spec.ts'))
      .filter((name) =>
        /(fsync|full_page_writes|synchronous_commit)['"]?\s*[=:]\s*['"]?(off|false|local)/.test(
          readFileSync(resolve(folder, name), 'utf8'),
        ),
      );
    expect(off).toEqual(['lists/filling.ts']);
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

  it('measures every way in some case, and what targets are about in one with its reference', () => {
    const ways = new Set(full.flatMap((one) => one.ways));
    // A full log takes 20 GB: it is asked for by name.
    expect(WAY_NAMES.filter((name) => !ways.has(name))).toEqual(['full-log']);
    for (const one of full.filter((each) => !each.ways.includes('hand'))) {
      const references = one.ways.filter((way) => REFERENCES.some((other) => other === way));
      expect({ ways: one.ways, references }).toMatchObject({ references: [expect.any(String)] });
    }
  });

  it('is over in 40 minutes where a start takes what it takes on two quiet cores', () => {
    const plan = planOf({ quick: false });
    const minutes = Number(/\d+/.exec(new Progress(plan.stages, plan, true).left())?.[0]);
    expect(minutes).toBeLessThanOrEqual(36);
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

describe('a report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'concordat-report-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const plan = planOf({ quick: false });
  const on = { ...machine(), revision: '0000001' };
  const [first, second] = plan.cases as [Case, Case];
  const file = (name: string) => join(folder, name);

  it('holds each case as soon as it was measured, for a run that goes on where one was cut off', () => {
    const cut = ReportFile.open(file('cut'), plan, on, false);
    cut.add({ case: first, ways: {} });
    const on2 = ReportFile.open(file('cut'), plan, on, true);
    expect([on2.has(first), on2.has(second)]).toEqual([true, false]);
    on2.add({ case: second, ways: {} });
    expect(ReportFile.open(file('cut'), plan, on, true).value.cases).toHaveLength(2);
    expect(ReportFile.open(file('cut'), plan, on, false).value.cases).toEqual([]);
  });

  it('is made of several files of one revision, and of no other', () => {
    ReportFile.open(file('a'), plan, on, false).add({ case: first, ways: {} });
    ReportFile.open(file('b'), plan, on, false).add({ case: second, ways: {} });
    expect(merged([file('a'), file('b')]).cases.map((one) => one.case)).toEqual([first, second]);
    const other = { ...on, revision: '0000002' };
    ReportFile.open(file('c'), plan, other, false).add({ case: second, ways: {} });
    expect(() => merged([file('a'), file('c')])).toThrow(/c holds revision 0000002.*--resume/);
    expect(() => ReportFile.open(file('a'), plan, other, true)).toThrow(/0000002.*--json/);
  });

  it('says of each target whether it was met, and by how much not', () => {
    const ratios = (perSecond: number) => ({ perSecond, p50Ms: 1, p99Ms: 1 });
    const way = (perSecond: number) =>
      ({ of: { hand: ratios(perSecond) }, processorMs: {} }) as never;
    const ways = { decided: way(0.61), completed: way(0.4) };
    const many = plan.cases.find((one) => one.clients === 32) as Case;
    const table = targetTable([{ case: many, ways }]) ?? '';
    expect(table).toContain('| ≥ 0.6 | 0.61 | yes |');
    expect(table).toContain('| ≥ 0.5 | 0.40 | no: by 20 % |');
    expect(targetTable([])).toBeUndefined();
  });
});

describe('a run under a retention of minutes', () => {
  const look = (bytes: number, overdue = 0): Look => ({
    relations: [{ name: 'decision', kind: 'table', bytes: bytes * 1_048_576 }],
    ...{ deadRows: 0, autovacuums: 0, due: overdue, overdue },
  });
  const moments = (size: (minute: number) => number, slow = 0, overdue = 0): Moment[] =>
    Array.from({ length: 40 }, (_, minute) => ({
      ...{ minute, perSecond: 100, p50Ms: 10, p99Ms: 20, failed: 0 },
      maxMs: minute === 30 ? 50 + slow : 50,
      looks: { register: look(size(minute), overdue) },
    }));
  const times = { dueMinute: 10, settledMinute: 15 };
  const flat = (minute: number) => Math.min(minute, 12);

  it('is flat, keeps up and pauses nowhere where that is so', () => {
    const lines = told(verdictOf(moments(flat), times));
    expect(lines).toHaveLength(3);
    expect(lines.filter((one) => one.includes(': yes'))).toHaveLength(3);
  });

  it.each([
    ['Sizes stay flat', moments((minute) => minute)],
    ['Pruning keeps up', moments(flat, 0, 1)],
    ['No pause', moments(flat, 5_000)],
  ])('says no to "%s" where it is not so, and to nothing else', (what, some) => {
    const lines = told(verdictOf(some, times));
    expect(lines.filter((one) => one.includes(': **no**'))).toEqual([
      expect.stringMatching(new RegExp(`^${what}`)),
    ]);
  });

  it('shows nothing before its first retention is over', () => {
    expect(told(verdictOf(moments(flat).slice(0, 16), times))[0]).toContain('shows nothing');
  });

  it('counts what is due and overdue in a database until it is pruned, with all sizes', async () => {
    const url = await server.createDatabase('concordat');
    const log = await openDecisionLog({ url, clock: new SystemClock(), horizonMs: 0 });
    const kept = { tables: ['concordat.decision'], keptMs: 60_000, graceMs: 60_000 };
    const sampler = await Sampler.open(url, kept);
    const insert = (agoMs: number) =>
      sql(
        url,
        `INSERT INTO concordat.decision (transaction, decision, finisher, branches, ended_at, outcome)
         VALUES ('${lowestTransactionIdAt(Date.now() - agoMs)}', 'abort', 'aaaaaaaa', '[]', now() - interval '1 hour', 'aborted')`,
      );
    for (const agoMs of [0, 90_000, 300_000]) await insert(agoMs);
    const before = await sampler.look();
    expect(before).toMatchObject({ due: 2, overdue: 1 });
    expect(before.relations.map((one) => one.name)).toEqual(
      expect.arrayContaining(['decision', 'decision_pkey', 'journal']),
    );
    await log.register.prune(60_000);
    expect(await sampler.look()).toMatchObject({ due: 0, overdue: 0 });
    await sampler.close();
    await log.close();
  });
});

/** A report of one case, with what its coordinator took and the messages of a transaction. */
function ofTwoBranches(coordinatorMs: number, messages: number): Report {
  const counts = { flushes: 5, walBytes: 5_000, messages, messageBytes: 1_800 };
  const trips = { tripsToParticipants: 6, tripsToRegister: 1 };
  const processorMs = { coordinator: coordinatorMs, 'ledger-1': 1, 'ledger-2': 1, postgres: 1 };
  const one = planOf({ quick: false, clients: '32', participants: '2' }).cases[0] as Case;
  const way = { ...counts, processorMs } as unknown as WayResult;
  return {
    ...{ machine: machine(), servers: [], rounds: 7, durationMs: 1_500 },
    cases: [{ case: one, ways: { completed: way } }],
    counted: [{ shape: 'write', way: 'completed', ...trips, ...counts }],
  };
}

describe('the page of arithmetic', () => {
  const page = (name: string) => readFileSync(resolve(ROOT, 'docs', name), 'utf8');
  const [sizing, performance] = [page('sizing.md'), page('performance.md')];
  /** The cells behind the first one, of the lines that begin so. */
  const rows = (text: string, start: string): string[][] =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`| ${start}`))
      .map((line) => line.split('|').slice(2, -1))
      .map((cells) => cells.map((cell) => cell.trim().replaceAll(',', '')));
  const last = (start: string) => Number(rows(performance, start)[0]?.at(-1));
  const said = (start: string) => Number(/\d+/.exec(rows(sizing, start)[0]?.[0] ?? '')?.[0]);

  it('has the bytes of a finished transaction that were measured', () => {
    const [ofJournal, ofDecision] = rows(performance, 'its indexes').map((cells) =>
      Number(cells.at(-1)),
    );
    const story = last('journal |') + Number(ofJournal) + last('participants, with index');
    expect(said('register: decision') / (last('decision |') + Number(ofDecision))).toBeCloseTo(
      1,
      1,
    );
    expect(said('register: story') / story).toBeCloseTo(1, 1);
    expect(said('each participant: outcome') / last('each participant: outcome')).toBeCloseTo(1, 1);
  });

  it('counts messages, flushes and round trips of two branches as they were counted', () => {
    const counted = rows(performance, 'write | Concordat, completed')[0]?.slice(1).map(Number);
    const [trips = NaN, , flushes = NaN, messages = NaN] = counted ?? [];
    expect(messages / (2 * said('NATS messages published'))).toBeCloseTo(1, 1);
    expect(trips / (2 * said('round trips to each participant'))).toBeCloseTo(1, 1);
    const all = 2 * said('flushes of participants') + said('flushes of the register');
    expect(flushes / all).toBeGreaterThan(0.85);
    expect(flushes / all).toBeLessThan(1.1);
  });

  it('calculates its example right', () => {
    const example = sizing.slice(sizing.indexOf('## A worked example'));
    const of = (start: string) => rows(example, start)[0] as [string, string];
    const sums = (arithmetic: string) =>
      arithmetic
        .split(' + ')
        .map((part) =>
          part.split('×').reduce((all, one) => all * Number(/[\d.]+/.exec(one)?.[0]), 1),
        );
    const gigabytes = (start: string) => {
      const [, rate, each] = /^([\d]+) × \(?([^)]*?)\)? bytes/.exec(of(start)[0]) ?? [];
      return (Number(rate) * sums(each ?? '').reduce((all, one) => all + one, 0)) / 1e9;
    };
    expect(gigabytes('register’s disk')).toBeCloseTo(
      Number(/\d+/.exec(of('register’s disk')[1])?.[0]),
      0,
    );
    expect(gigabytes('each service’s disk')).toBeCloseTo(
      Number(/\d+/.exec(of('each service’s disk')[1])?.[0]),
      0,
    );
  });

  it('gets what a run measured between its markers', () => {
    expect(between(sizing, 'sizing', 'new')).toContain('new');
    expect(sizingOf(ofTwoBranches(0.7, 8))).toMatch(
      /coordinator, \*c\* \| 0.70 ms \| 1.0 cores: 1 coordinator \|/,
    );
    expect(sizingOf({ ...ofTwoBranches(0.7, 8), counted: [] })).toBeUndefined();
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
    for (const name of ['compare', 'pruning'])
      expect(() => between(page, name, 'new')).not.toThrow();
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
