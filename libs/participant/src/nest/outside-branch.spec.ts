/**
 * Work beside a branch, in every form services know, on a real Postgres and a real broker: refused
 * while a branch is open, done where it is asked for on purpose, and free everywhere else.
 */
import { AsyncResource } from 'node:async_hooks';
import { AS_EVER, embeddedStack, waitFor } from '@concordat/testing';
import pg from 'pg';
import {
  assertOutsideBranch,
  branchRepository,
  findBranch,
  guardDataSource,
  guardPool,
  outsideBranch,
  type Branch,
} from '../index.js';
import {
  Besides,
  EAST,
  Note,
  OnInsert,
  WEST,
  dataSourceFor,
} from './outside-branch.spec-support.js';

const INSERT = 'INSERT INTO note (id) VALUES ($1)';

describe('Beside a branch', () => {
  let besides: Besides;
  let notes: ReturnType<typeof branchRepository<Note>>;
  let made = 0;

  const newId = (): string => `note-${(made += 1)}`;
  const misuse = (reason: RegExp) => ({
    kind: 'no',
    code: 'BRANCH_MISUSE',
    retryable: false,
    reason: expect.stringMatching(reason) as unknown,
  });

  beforeAll(async () => {
    besides = await Besides.open(await embeddedStack());
    notes = branchRepository(Note, besides.dataSource);
  }, 90_000);

  afterEach(() => {
    OnInsert.then = undefined;
  });

  afterAll(() => besides.close());

  /** The ways in which services reach their database. Each does its work with one note. */
  const WAYS: Record<string, (id: string) => unknown> = {
    'a query of the pool': (id) => besides.pool.query(INSERT, [id]),
    'a query of the pool with a callback': (id) =>
      byCallback((done) => besides.pool.query(INSERT, [id], done)),
    'a connection of the pool': async (id) => {
      const client = await besides.pool.connect();
      try {
        await client.query(INSERT, [id]);
      } finally {
        client.release();
      }
    },
    'a connection of the pool with a callback': (id) =>
      byCallback((done) =>
        besides.pool.connect((error, client, release) => {
          if (!client) return done(error);
          client.query(INSERT, [id], (failed) => {
            release();
            done(failed);
          });
        }),
      ),
    'a query of the data source': (id) => besides.dataSource.query(INSERT, [id]),
    'its entity manager': (id) => besides.dataSource.manager.save(Note, { id }),
    'its transactions': (id) =>
      besides.dataSource.transaction((manager) => manager.insert(Note, { id })),
    'an ordinary repository': (id) => besides.dataSource.getRepository(Note).insert({ id }),
    'an ordinary repository that only reads': () => besides.dataSource.getRepository(Note).find(),
    'a query builder': (id) =>
      besides.dataSource.createQueryBuilder().insert().into(Note).values({ id }).execute(),
    'a query runner': async (id) => {
      const runner = besides.dataSource.createQueryRunner();
      try {
        await runner.query(INSERT, [id]);
      } finally {
        await runner.release();
      }
    },
    'an active record': (id) => Note.insert({ id }),
    'a subscriber that uses the data source': async (id) => {
      OnInsert.then = (event) => event.dataSource.query(INSERT, [`${event.entity.id}-copy`]);
      await notes.insert({ id });
    },
    'a query builder that starts when it is awaited': (id) =>
      lazily(() => besides.pool.query(INSERT, [id])),
    'a batch that waits for the next tick': (id) =>
      new Promise((resolve, reject) => {
        process.nextTick(() => besides.pool.query(INSERT, [id]).then(resolve, reject));
      }),
  };

  describe('an operation', () => {
    it.each(Object.keys(WAYS))('that works through %s is refused', async (way) => {
      const id = newId();
      const vote = await besides.vote(() => WAYS[way]?.(id));
      expect(vote).toEqual(
        misuse(
          /^Operation work of east \(.*\) used a pool of database "ledger_east" at 127.0.0.1:\d+: .*committed at once.*@InjectBranchRepository.*outsideBranch/,
        ),
      );
      expect([await besides.placesOf(id), await besides.placesOf(`${id}-copy`)]).toEqual([[], []]);
    });

    it('that keeps a client or a query runner from earlier days is refused by both', async () => {
      const { client, runner } = besides.kept;
      // The pool lends the connection that it got back last: one that a branch has used.
      await besides.vote(() => undefined);
      const recent = await besides.pool.connect();
      const ways: ((id: string) => unknown)[] = [
        (id) => client.query(INSERT, [id]),
        (id) => recent.query(INSERT, [id]),
        (id) => client.query({ text: INSERT, values: [id] }),
        (id) => byCallback((done) => client.query(INSERT, [id], done)),
        (id) => byCallback((done) => client.query(new pg.Query(INSERT, [id], done))),
        (id) => runner.query(INSERT, [id]),
        (id) => runner.manager.insert(Note, { id }),
      ];
      for (const way of ways) {
        const id = newId();
        const vote = await besides.vote(() => way(id));
        expect(vote).toEqual(misuse(/used a client that was taken earlier from a pool of/));
        expect(await besides.placesOf(id)).toEqual([]);
      }
      await client.query('SELECT 1');
      await runner.query('SELECT 1');
      recent.release();
    });

    it('that works in its branch is not: client, repository, manager, savepoint, subscriber', async () => {
      const ids = [newId(), newId(), newId()] as const;
      OnInsert.then = (event) => event.manager.query('SELECT 1');
      await besides.finished(async (branch) => {
        await branch.client.query(INSERT, [ids[0]]);
        await notes.insert({ id: ids[1] });
        await notes.manager.transaction((manager) => manager.insert(Note, { id: ids[2] }));
      }, 'commit');
      for (const id of ids) expect(await besides.placesOf(id)).toEqual([EAST]);
    });

    it('that swallows the refusal is in the log, with its stack', async () => {
      besides.logged.length = 0;
      const id = newId();
      await besides.finished(async (branch) => {
        await branch.client.query(INSERT, [`${id}-own`]);
        await besides.pool.query(INSERT, [id]).catch(() => undefined);
      }, 'commit');
      expect(await besides.placesOf(id)).toEqual([]);
      const lines = besides.logged.filter((line) => line.includes('used a pool of'));
      expect(lines).toEqual([expect.stringMatching(/^BranchMisuse: operation work of east/)]);
      expect(lines[0]).toMatch(/outside-branch\.spec/);
    });

    it('that lets the refusal out is in the log once', async () => {
      besides.logged.length = 0;
      await besides.vote(() => besides.dataSource.query('SELECT 1'));
      const lines = besides.logged.filter((line) => line.includes('BranchMisuse'));
      expect(lines).toHaveLength(1);
    });

    it('is refused also after its transaction was aborted under it', async () => {
      const id = newId();
      const transaction = besides.coordinator.begin();
      let tried: unknown;
      const vote = besides.vote(
        async ({ session }) => {
          await besides.coordinator.finish(EAST, transaction, 'abort');
          expect(session.isOpen).toBe(false);
          tried = await besides.pool.query(INSERT, [id]).catch((error: unknown) => error);
        },
        EAST,
        transaction,
      );
      expect((await vote).kind).toBe('no');
      await waitFor(() => tried !== undefined, { what: 'the operation to go on' });
      expect(tried).toMatchObject({ name: 'BranchMisuse' });
      expect(await besides.placesOf(id)).toEqual([]);
    });

    it('is still in its branch inside the callback of a query of its client', async () => {
      const id = newId();
      const vote = await besides.vote(({ client }) =>
        byCallback((done) =>
          client.query('SELECT 1', () => {
            expect(findBranch()).toBeDefined();
            besides.pool.query(INSERT, [id], done);
          }),
        ),
      );
      expect(vote).toEqual(misuse(/used a pool of/));
      expect(await besides.placesOf(id)).toEqual([]);
    });
  });

  describe('a call that joined', () => {
    it('is refused like an operation, its caller gets the error, and its branch votes no', async () => {
      const transaction = besides.coordinator.begin();
      const [own, beside] = [newId(), newId()];
      await besides.east.join(transaction, ({ client }) => client.query(INSERT, [own]));
      const joined = besides.east.join(transaction, () => Note.insert({ id: beside }));
      await expect(joined).rejects.toThrow(/^a joined call of east .* used a pool of/);
      const { vote } = await besides.coordinator.prepare(EAST, transaction);
      expect(vote).toEqual(misuse(/^A joined call of east/));
      expect([await besides.placesOf(own), await besides.placesOf(beside)]).toEqual([[], []]);
    });

    it('is outside once it is over and prepared, and inside until then', async () => {
      const transaction = besides.coordinator.begin();
      const look = await besides.east.join(transaction, async ({ client }) => {
        await client.query(INSERT, [newId()]);
        return AsyncResource.bind(() => besides.dataSource.query('SELECT 1'));
      });
      await expect(look()).rejects.toMatchObject({ name: 'BranchMisuse' });
      await besides.coordinator.prepare(EAST, transaction);
      expect(await look()).toHaveLength(1);
      await besides.coordinator.finish(EAST, transaction, 'abort');
    });

    it('of one participant inside an operation of another keeps both databases guarded', async () => {
      const inner = besides.coordinator.begin();
      const vote = await besides.vote(async () => {
        const late = await besides.west.join(inner, async ({ client }) => {
          await client.query('SELECT 1');
          return AsyncResource.bind(() => besides.pool.query('SELECT 1'));
        });
        await besides.coordinator.finish(WEST, inner, 'abort');
        // The inner branch has ended, the outer one is open.
        await late();
      });
      expect(vote).toEqual(misuse(/^Operation work of east .* used a pool of/));
    });
  });

  describe('on purpose', () => {
    it('work is committed at once and stays when the branch aborts', async () => {
      const id = newId();
      await besides.finished(async ({ client }) => {
        await client.query(INSERT, [`${id}-own`]);
        await outsideBranch(() => Note.insert({ id }));
        expect(await besides.placesOf(id)).toEqual([EAST]);
      }, 'abort');
      expect(await besides.placesOf(id)).toEqual([EAST]);
      expect(await besides.placesOf(`${id}-own`)).toEqual([]);
    });

    it('a query builder starts in there, though it is awaited here', async () => {
      const id = newId();
      await besides.finished(async ({ client }) => {
        await client.query(INSERT, [`${id}-own`]);
        await outsideBranch(() => lazily(() => besides.pool.query(INSERT, [id])));
      }, 'abort');
      expect(await besides.placesOf(id)).toEqual([EAST]);
    });

    it('it sees nothing of the branch, and branch repositories do not work there', async () => {
      const id = newId();
      await besides.finished(async () => {
        await notes.insert({ id });
        expect(await outsideBranch(() => Note.countBy({ id }))).toBe(0);
        expect(outsideBranch(findBranch)).toBeUndefined();
        await expect(outsideBranch(async () => notes.countBy({ id }))).rejects.toMatchObject({
          name: 'NoBranch',
        });
        expect(await notes.countBy({ id })).toBe(1);
      }, 'abort');
    });

    it('a client that was taken outside is used outside', async () => {
      const vote = await besides.vote(async () => {
        const client = await outsideBranch(() => besides.pool.connect());
        try {
          await outsideBranch(() => client.query('SELECT 1'));
          await client.query('SELECT 1');
        } finally {
          client.release();
        }
      });
      expect(vote).toEqual(misuse(/used a client that was taken earlier from a pool of/));
    });
  });

  describe('elsewhere', () => {
    it('everything works as ever, also at the same time', async () => {
      const ids: string[] = [];
      await besides.finished(async ({ client }) => {
        await client.query(INSERT, [newId()]);
        // A call that comes in now has a context of its own, without this branch.
        for (const [name, way] of Object.entries(WAYS)) {
          if (/subscriber|only reads/.test(name)) continue;
          const id = newId();
          ids.push(id);
          await outsideBranch(() => way(id));
        }
      }, 'abort');
      const places = await Promise.all(ids.map((id) => besides.placesOf(id)));
      expect(places).toEqual(ids.map(() => [EAST]));
    });

    it('a call that waits for a connection gets it, though it is given back inside a branch', async () => {
      const small = new pg.Pool({ connectionString: besides.stack.databases.ledger_east, max: 1 });
      const unguard = guardPool(small);
      try {
        const vote = await besides.vote(async () => {
          const client = await outsideBranch(() => small.connect());
          const waiting = outsideBranch(() =>
            small.query({ text: 'SELECT 7 AS seven', types: AS_EVER }),
          );
          client.release();
          expect((await waiting).rows).toEqual([{ seven: 7 }]);
        });
        expect(vote.kind).toBe('read-only');
      } finally {
        unguard();
        await small.end();
      }
    });

    it('hooks are outside: they may use pools and repositories', async () => {
      const [committed, aborted] = [newId(), newId()];
      const hooked =
        (id: string) =>
        async (branch: Branch): Promise<void> => {
          await branch.client.query(INSERT, [`${id}-own`]);
          branch.onCommitted(() => Note.insert({ id: committed }).then());
          branch.onAborted(() => besides.pool.query(INSERT, [aborted]).then());
        };
      await besides.finished(hooked(committed), 'commit');
      await besides.finished(hooked(aborted), 'abort');
      for (const id of [committed, aborted]) {
        await waitFor(async () => (await besides.placesOf(id)).length === 1, { what: id });
      }
    });

    it('what an operation leaves behind is free once its branch has ended', async () => {
      const [early, late] = [newId(), newId()];
      let tick: (id: string) => Promise<unknown> = () => Promise.resolve();
      await besides.finished(async ({ client }) => {
        await client.query(INSERT, [newId()]);
        // A timer, a cache, a consumer: it keeps the context it was made in permanently.
        tick = AsyncResource.bind((id: string) => besides.pool.query(INSERT, [id]));
        await expect(tick(early)).rejects.toMatchObject({ name: 'BranchMisuse' });
      }, 'abort');
      await tick(late);
      expect(await besides.placesOf(early)).toEqual([]);
      expect(await besides.placesOf(late)).toEqual([EAST]);
    });
  });

  describe('a pool', () => {
    const eastPool = (max = 2): pg.Pool =>
      new pg.Pool({ connectionString: besides.stack.databases.ledger_east, max });

    it('of another participant here is refused too, and the vote says where that work belongs', async () => {
      const id = newId();
      const vote = await besides.vote(() => besides.westPool.query(INSERT, [id]));
      expect(vote).toEqual(
        misuse(
          /work of east .* used a pool of database "ledger_west" at .*The branch is a transaction of database "ledger_east" at .*let a participant of the other database do it/,
        ),
      );
      expect(await besides.placesOf(id)).toEqual([]);
    });

    it('that the library cannot know is refused once it is guarded, and no longer when it is not', async () => {
      const pool = eastPool();
      const [free, refused] = [newId(), newId()];
      const work = (id: string) => () => pool.query(INSERT, [id]);
      const [first, second] = [guardPool(pool), guardPool(pool)];
      first();
      first();
      expect((await besides.vote(work(refused))).kind).toBe('no');
      second();
      expect((await besides.vote(work(free))).kind).toBe('read-only');
      expect(await besides.placesOf(refused)).toEqual([]);
      expect(await besides.placesOf(free)).toEqual([EAST]);
      await pool.end();
    });

    it('that is guarded looks and behaves as before, and afterwards is as before', async () => {
      const pool = eastPool();
      const keys = Object.keys(pool);
      const events: string[] = [];
      for (const name of ['connect', 'acquire', 'release', 'remove'] as const) {
        pool.on(name, () => void events.push(name));
      }
      const kept = await pool.connect();
      const unguard = guardPool(pool);
      expect(Object.keys(pool)).toEqual(keys);
      const client = await pool.connect();
      const { rows } = await client.query({ text: 'SELECT 1 AS one', types: AS_EVER });
      expect(rows).toEqual([{ one: 1 }]);
      await expect(client.query('SELECT nonsense')).rejects.toMatchObject({ code: '42703' });
      client.release();
      kept.release(true);
      await byCallback((done) => pool.query('SELECT 1', done));
      await expect(pool.query('SELECT nonsense')).rejects.toMatchObject({ code: '42703' });
      await waitFor(() => events.includes('remove'), { what: 'the end of the discarded client' });
      expect([...new Set(events)]).toEqual(['connect', 'acquire', 'release', 'remove']);
      unguard();
      expect(Object.hasOwn(pool, 'connect') || Object.hasOwn(client, 'query')).toBe(false);
      guardPool(pool);
      await pool.end();
      await expect(pool.connect()).rejects.toThrow(/after calling end/);
      await expect(byCallback((done) => pool.connect(done))).rejects.toThrow(/after calling end/);
    });

    it('that somebody else has wrapped since stays theirs, and lets everything pass', async () => {
      const pool = eastPool();
      const unguard = guardPool(pool);
      const guarded = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
      let counted = 0;
      const counting = (...args: []): Promise<pg.PoolClient> => {
        counted += 1;
        return guarded(...args);
      };
      pool.connect = counting as pg.Pool['connect'];
      unguard();
      expect(pool.connect).toBe(counting);
      const vote = await besides.vote(async () => {
        await pool.query('SELECT 1');
      });
      expect([vote.kind, counted]).toEqual(['read-only', 1]);
      await pool.end();
    });

    it('is guarded once for several participants and copies of the library, until the last stops', async () => {
      const pool = eastPool(4);
      const copy = (await import('../branch/pool-guard.js?copy' as string)) as {
        guardPool: typeof guardPool;
      };
      expect(copy.guardPool).not.toBe(guardPool);
      const unguard = copy.guardPool(pool);
      const wrapped = pool.connect;
      const one = await besides.participant('one', { database: { pool }, sessionsMax: 2 });
      const two = await besides.participant('two', { database: { pool }, sessionsMax: 2 });
      expect(pool.connect).toBe(wrapped);
      const refused = async (): Promise<string> =>
        (await besides.vote(() => pool.query('SELECT 1'))).kind;
      await one.stop();
      unguard();
      expect(await refused()).toBe('no');
      await two.stop();
      expect(Object.hasOwn(pool, 'connect')).toBe(false);
      await pool.end();
    });

    it('of a replica is guarded with its data source', async () => {
      const { ledger_east: url } = besides.stack.databases;
      const replicated = await dataSourceFor(url, { slaves: [url] }).initialize();
      const unguard = guardDataSource(replicated);
      const votes = [
        await besides.vote(() => replicated.getRepository(Note).find()),
        await besides.vote(() => replicated.getRepository(Note).insert({ id: newId() })),
      ];
      expect(votes).toEqual([misuse(/used a pool/), misuse(/used a pool/)]);
      unguard();
      expect((await besides.vote(() => replicated.getRepository(Note).find())).kind).toBe(
        'read-only',
      );
      await replicated.destroy();
    });

    it('is not everything: other ways to a database can ask by themselves', async () => {
      const vote = await besides.vote(() => assertOutsideBranch('the search index'));
      expect(vote).toEqual(misuse(/^Operation work of east .* used the search index: that work/));
      outsideBranch(() => assertOutsideBranch('the search index'));
      assertOutsideBranch('the search index');
    });
  });
});

/** Does nothing until it is awaited, as query builders do. */
function lazily<T>(work: () => Promise<T>): PromiseLike<T> {
  return { then: (resolved, rejected) => work().then(resolved, rejected) };
}

function byCallback(work: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    work((error) => (error ? reject(error) : resolve()));
  });
}
