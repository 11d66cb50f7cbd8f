/** The testing kit, as the tests of a service use it: a real database, and neither broker nor coordinator. */
import { NoCode } from '@concordat/protocol';
import { startPostgres, type PostgresServer } from '@concordat/testing';
import pg from 'pg';
import { BranchMisuse, VoteNo, currentBranch } from '../standalone.js';
import { BranchVotedNo, openTestBranches, type TestBranches } from './index.js';

let server: PostgresServer;
let pool: pg.Pool;
let branches: TestBranches;
const log: string[] = [];

/** What a service does: all of it in the current branch. */
async function write(id: string): Promise<string> {
  await currentBranch().client.query('INSERT INTO note VALUES ($1)', [id]);
  return id;
}

const notes = async () => (await pool.query<{ id: string }>('SELECT id FROM note')).rows;
const hear = (message: string): void => void log.push(message);

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 20 } });
  pool = new pg.Pool({ connectionString: await server.createDatabase('notes'), max: 4 });
  await pool.query('CREATE TABLE note (id text PRIMARY KEY)');
  branches = await openTestBranches({
    database: { pool },
    name: 'notes',
    log: { log: hear, warn: hear, error: hear },
  });
}, 60_000);

afterEach(async () => {
  await pool.query('DELETE FROM note');
});

afterAll(async () => {
  await branches.close();
  await pool.end();
  await server.dispose();
});

describe('a branch that a test runs', () => {
  it('is prepared and committed, and says what the operation returned', async () => {
    expect(await branches.commit(() => write('a'))).toEqual({ output: 'a', vote: 'prepared' });
    expect(await notes()).toEqual([{ id: 'a' }]);
  });

  it('is prepared and rolled back', async () => {
    expect(await branches.rollback(() => write('a'))).toEqual({ output: 'a', vote: 'prepared' });
    expect(await notes()).toEqual([]);
    const left = await pool.query('SELECT gid FROM pg_prepared_xacts');
    expect(left.rows).toEqual([]);
  });

  it('says that it wrote nothing', async () => {
    const { vote } = await branches.commit(({ client }) => client.query('SELECT 1'));
    expect(vote).toBe('read-only');
  });

  it('throws what the operation throws, and leaves nothing', async () => {
    const refusal = new VoteNo('OUT_OF_STOCK');
    const refused = branches.commit(async () => {
      await write('a');
      throw refusal;
    });
    await expect(refused).rejects.toBe(refusal);
    expect(await notes()).toEqual([]);
  });

  it('votes no as in production for what an operation swallowed', async () => {
    const swallowed = branches.commit(async () => {
      await write('a');
      await write('a').catch(() => undefined);
    });
    const error: unknown = await swallowed.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BranchVotedNo);
    expect(error).toHaveProperty('vote.code', NoCode.rolledBack);
  });

  it('refuses work beside it, and the log says so', async () => {
    const beside = branches.commit(() => pool.query('SELECT 1'));
    await expect(beside).rejects.toThrow(BranchMisuse);
    expect(log.at(-1)).toContain('a tested operation of notes');
  });

  it('runs the hooks of its end', async () => {
    const ended: string[] = [];
    for (const decide of ['commit', 'rollback'] as const) {
      await branches[decide](async (branch) => {
        branch.onCommitted(() => void ended.push('committed'));
        branch.onAborted(() => void ended.push('aborted'));
        await write(decide);
      });
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toEqual(['committed', 'aborted']);
  });
});
