/**
 * A pool of the current branch, as an ORM uses one: on a real Postgres, in branches that are prepared
 * and then committed or rolled back.
 */
import { NoCode } from '@concordat/protocol';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import {
  BranchMisuse,
  NoBranch,
  aroundTransaction,
  branchConnection,
  branchPool,
  currentBranch,
  outsideBranch,
} from '../standalone.js';
import { BranchVotedNo, openTestBranches, type TestBranches } from '../testing/index.js';

let server: PostgresServer;
let own: pg.Pool;
let branches: TestBranches;
const pool = branchPool();

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 20 } });
  own = new pg.Pool({ connectionString: await server.createDatabase('notes'), max: 6 });
  await own.query('CREATE TABLE note (id text PRIMARY KEY)');
  branches = await openTestBranches({ database: { pool: own } });
}, 60_000);

afterEach(async () => {
  await own.query('DELETE FROM note');
});

afterAll(async () => {
  await branches.close();
  await own.end();
  await server.dispose();
});

const insert = (id: string, by: Pick<pg.Pool, 'query'> = pool) =>
  by.query('INSERT INTO note (id) VALUES ($1)', [id]);

async function notes(): Promise<string[]> {
  const { rows } = await own.query<{ id: string }>('SELECT id FROM note ORDER BY id');
  return rows.map((row) => row.id);
}

/** A transaction as most ORMs write it. */
async function transaction(
  work: (client: pg.PoolClient) => Promise<void>,
  begin = 'BEGIN',
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(begin);
    await work(client);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

const undo = new Error('undo this');

describe('a pool of the current branch', () => {
  it('is a pool to an ORM that looks at it, also by another copy of pg', () => {
    class OtherPool extends pg.Pool {}
    expect(pool).toBeInstanceOf(pg.Pool);
    expect(branchPool({ Pool: OtherPool })).toBeInstanceOf(OtherPool);
    expect(Object.getPrototypeOf(pool)).toHaveProperty(
      'constructor.name',
      expect.stringContaining('Pool'),
    );
  });

  it('works in the branch that is current, and its work follows the decision', async () => {
    await branches.commit(() => insert('kept'));
    await branches.rollback(() => insert('undone'));
    expect(await notes()).toEqual(['kept']);
  });

  it('reads what its branch has written, and another branch does not', async () => {
    const read = async () => (await pool.query('SELECT id FROM note')).rowCount;
    const { output } = await branches.commit(async () => {
      await insert('mine');
      const there = await outsideBranch(() => branches.commit(read));
      return [await read(), there.output, there.vote];
    });
    expect(output).toEqual([1, 0, 'read-only']);
  });

  it('takes queries with a callback, of the pool and of a connection', async () => {
    await branches
      .commit(async () => {
        const client = await new Promise<pg.PoolClient>((resolve, reject) => {
          pool.connect((error, one) => (one ? resolve(one) : reject(error as Error)));
        });
        for (const [id, by] of [
          ['by pool', pool],
          ['by client', client],
        ] as const) {
          await new Promise<void>((resolve, reject) => {
            const text = 'INSERT INTO note (id) VALUES ($1)';
            by.query(text, [id], (error) => (error ? reject(error) : resolve()));
          });
        }
        const failed = await new Promise((resolve) => client.query('BROKEN', resolve));
        expect(failed).toHaveProperty('code', '42601');
        throw undo;
      })
      .catch((error: unknown) => expect(error).toBe(undo));
    expect(await notes()).toEqual([]);
  });

  it('is refused outside of a branch, in the form in which it was asked', async () => {
    const thrown = new NoBranch('').name;
    await expect(insert('nowhere')).rejects.toThrow(expect.objectContaining({ name: thrown }));
    await expect(pool.connect()).rejects.toThrow('no branch here');
    const told = await new Promise((resolve) => pool.query('SELECT 1', resolve));
    expect(told).toBeInstanceOf(NoBranch);
    expect(() => branchConnection()).toThrow(NoBranch);
  });

  it('works outside of a branch on the pool that is named for it', async () => {
    const both = branchPool({ outside: own });
    await insert('outside', both);
    await branches.rollback(async () => {
      await insert('inside', both);
      await outsideBranch(() => insert('beside', both));
    });
    const client = await both.connect();
    client.release();
    expect(await notes()).toEqual(['beside', 'outside']);
  });

  it('commits nothing by itself for work that the operation left behind', async () => {
    const both = branchPool({ outside: own });
    let late: Promise<unknown> = Promise.resolve();
    let goOn: () => void = () => undefined;
    const voted = new Promise<void>((resolve) => (goOn = resolve));
    await branches.commit(async () => {
      await insert('awaited', both);
      late = voted.then(() => insert('late', both)).catch((error: unknown) => error);
    });
    goOn();
    expect(await late).toBeInstanceOf(BranchMisuse);
    expect(await notes()).toEqual(['awaited']);
  });

  it('is refused in the branch of another participant than it was made for', async () => {
    const western = branchPool({ participant: 'ledger-west' });
    const work = () => insert('wrong', western);
    await expect(branches.commit(work)).rejects.toThrow('ledger-west');
  });

  it('refuses a connection that was kept from another branch', async () => {
    let kept: pg.PoolClient | undefined;
    await branches.commit(async () => {
      kept = await pool.connect();
    });
    const stray = branches.commit(() => kept?.query('SELECT 1'));
    await expect(stray).rejects.toThrow('of another branch');
  });

  it('counts a query as under way until it is answered, in each form', async () => {
    const { output } = await branches.commit(async () => {
      const { client, session } = currentBranch();
      const seen: number[] = [];
      const text = 'SELECT 1';
      for (const send of [
        (done: () => void) => client.query(text, done),
        (done: () => void) => client.query(new pg.Query(text)).on('end', done),
        (done: () => void) => client.query(Object.assign({ text }, { callback: done })),
        (done: () => void) => client.query(text).then(done),
      ]) {
        const answered = new Promise<void>((resolve) => void send(resolve));
        seen.push(session.inFlight);
        await answered;
        seen.push(session.inFlight);
      }
      return seen;
    });
    expect(output).toEqual([1, 0, 1, 0, 1, 0, 1, 0]);
  });
});

describe('transactions of an ORM inside of a branch', () => {
  it('are savepoints: one that fails is undone, the branch goes on', async () => {
    await branches.commit(async () => {
      await insert('before');
      await transaction(async (client) => {
        await insert('undone', client);
        throw undo;
      }).catch((error: unknown) => expect(error).toBe(undo));
      await transaction(async (client) => void (await insert('kept', client)));
      await insert('after');
    });
    expect(await notes()).toEqual(['after', 'before', 'kept']);
  });

  it('are rolled back with their branch', async () => {
    await branches.rollback(() => transaction(async (client) => void (await insert('a', client))));
    expect(await notes()).toEqual([]);
  });

  it('can be nested, on connections of their own', async () => {
    await branches.commit(async () => {
      await transaction(async (outer) => {
        await insert('outer', outer);
        await transaction(async (inner) => {
          await insert('inner', inner);
          throw undo;
        }).catch(() => undefined);
        await transaction(async (inner) => void (await insert('inner, kept', inner)));
        await insert('by the pool, inside');
      });
      await transaction(async () => {
        await transaction(async (inner) => void (await insert('gone with the outer', inner)));
        throw undo;
      }).catch(() => undefined);
    });
    expect(await notes()).toEqual(['by the pool, inside', 'inner, kept', 'outer']);
  });

  it('can be nested also where an ORM begins them in a context of its own', async () => {
    const begun = async (): Promise<pg.PoolClient> => {
      const client = await pool.connect();
      await client.query('BEGIN');
      return client;
    };
    await branches.commit(() =>
      aroundTransaction(async () => {
        const outer = await begun();
        await insert('outer', outer);
        await transaction(async (inner) => void (await insert('inner', inner)));
        await outer.query('COMMIT');
        outer.release();
      }),
    );
    expect(await notes()).toEqual(['inner', 'outer']);
  });

  it('that run at the same time do not affect each other', async () => {
    const failures = await branches.commit(async () => {
      let begun: () => void = () => undefined;
      const hasBegun = new Promise<void>((resolve) => (begun = resolve));
      const first = transaction(async (client) => {
        await insert('first', client);
        begun();
        await client.query('SELECT pg_sleep(0.02)');
        throw undo;
      });
      // Each is begun, or sent, while the first is at work.
      const others = hasBegun.then(() => [
        transaction(async (client) => void (await insert('second', client))),
        insert('on its own'),
      ]);
      // What another call does at the same time does not belong to the first.
      const [ended] = await Promise.allSettled([first]);
      await Promise.all(await others);
      return ended.status;
    });
    expect(failures.output).toBe('rejected');
    expect(await notes()).toEqual(['on its own', 'second']);
  });

  it('are ended with the connection that was given back', async () => {
    await branches.commit(async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await insert('forgotten', client);
      client.release();
      await insert('after');
    });
    expect(await notes()).toEqual(['after']);
  });

  it('that are at work when the operation returns make the branch vote no', async () => {
    let goOn: () => void = () => undefined;
    const voted = new Promise<void>((resolve) => (goOn = resolve));
    let late: Promise<unknown> = Promise.resolve();
    const half = branches.commit(async () => {
      let written: () => void = () => undefined;
      const hasWritten = new Promise<void>((resolve) => (written = resolve));
      late = transaction(async (client) => {
        await insert('one half', client);
        written();
        await voted;
        await insert('the other', client);
      }).catch((error: unknown) => error);
      await hasWritten;
    });
    await expect(half).rejects.toThrow(
      expect.objectContaining({
        vote: expect.objectContaining({ code: NoCode.branchMisuse }) as unknown,
      }),
    );
    goOn();
    // Its own ROLLBACK meets the end of the branch, and hides nothing.
    expect(await late).toBeInstanceOf(BranchMisuse);
    expect(await notes()).toEqual([]);
  });

  it('do not hide a failed statement that their caller swallowed', async () => {
    const swallowed = branches.commit(() =>
      transaction(async (client) => {
        await insert('twice', client);
        await insert('twice', client).catch(() => undefined);
      }),
    );
    await expect(swallowed).rejects.toThrow(expect.objectContaining({ code: '25P02' }));
    expect(await notes()).toEqual([]);
  });

  it('roll back without a word where they were not begun', async () => {
    await branches.commit(async () => {
      const client = await pool.connect();
      await expect(client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')).rejects.toThrow('isolation');
      expect(await client.query('ROLLBACK')).toHaveProperty('command', 'ROLLBACK');
      client.release();
      await insert('goes on');
    });
    expect(await notes()).toEqual(['goes on']);
  });

  it('cannot end the branch itself', async () => {
    for (const text of ['COMMIT', 'ROLLBACK', 'BEGIN; COMMIT', 'COMMIT AND CHAIN']) {
      const ending = branches.commit(async () => (await pool.connect()).query(text));
      await expect(ending).rejects.toThrow("may not end its branch's transaction");
    }
    await expect(branches.commit(() => pool.query('BEGIN'))).rejects.toThrow(BranchMisuse);
  });

  it.each([
    ['begin isolation level read committed', 'begin', 'kept'],
    ['START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;', 'shape', 'kept'],
    ['BEGIN TRANSACTION READ ONLY;', 'read only', '25006'],
    ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'stronger', 'isolation'],
  ])('keep to their modes: %s', async (begin, id, expected) => {
    const work = branches.commit(() =>
      transaction(async (client) => void (await insert(id, client)), begin),
    );
    if (expected === 'kept') {
      await work;
      expect(await notes()).toEqual([id]);
      return;
    }
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    const { code, message } = error as { code?: string; message: string };
    expect(`${code} ${message}`).toContain(expected);
  });

  it('learn of a deadline like of any end, and their late ROLLBACK reports no error', async () => {
    const brief = await openTestBranches({ database: { pool: own }, timeLeftMs: 400 });
    const late = brief.commit(() =>
      transaction(async (client) => void (await client.query('SELECT pg_sleep(5)'))),
    );
    const error: unknown = await late.catch((thrown: unknown) => thrown);
    expect(error).not.toBeInstanceOf(BranchVotedNo);
    expect(error).toHaveProperty('code', '57014');
    await waitFor(async () => own.waitingCount === 0, { what: 'the pool to be free' });
    await brief.close();
  });
});
