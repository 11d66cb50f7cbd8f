/**
 * A connection that is lost between the moment at which the pool lends it and the moment at which its
 * borrower listens: the branch is refused or fails, and the process lives.
 */
import { randomBytes } from 'node:crypto';
import { SystemClock } from '@concordat/channel';
import {
  makeTransactionId,
  type BranchId,
  type ClusterId,
  type Incarnation,
  type ParticipantName,
} from '@concordat/protocol';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import { jest } from '@jest/globals';
import pg from 'pg';
import { PostgresResource } from './postgres-resource.js';

jest.setTimeout(60_000);

const BRANCH = {
  cluster: 'goodgood' as ClusterId,
  transaction: makeTransactionId(Date.now(), randomBytes(10), '00000000' as Incarnation),
  branch: '1' as BranchId,
  participant: 'ledger-east' as ParticipantName,
};

let server: PostgresServer;
let pool: pg.Pool;
let resource: PostgresResource;

beforeAll(async () => {
  server = await startPostgres({});
  const url = await server.createDatabase('ledger', 'ledger');
  pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => undefined);
  resource = new PostgresResource({ pool, clock: new SystemClock() });
});

afterAll(async () => {
  await resource.close();
  await pool.end();
  await server.dispose();
});

/** An error in the same packet as the first answer: before any promise of the hand-over has gone on. */
function loseTheNext(from: pg.Pool): void {
  from.once('acquire', (client) => {
    const lost = new Error('terminating connection due to administrator command');
    process.nextTick(() => (client as pg.Client).emit('error', lost));
  });
}

it('does not end the process when a branch gets it', async () => {
  loseTheNext(pool);
  const begun = await resource.begin(BRANCH, { timeLeftMs: 5_000 });
  expect(['begun', 'no']).toContain(begun.kind);
  if (begun.kind === 'begun') await resource.rollback(begun.session);
});

it('does not end the process when it was opened before the library knew the pool', async () => {
  const older = new pg.Pool({ connectionString: pool.options.connectionString });
  older.on('error', () => undefined);
  await older.query('SELECT 1');
  const over = new PostgresResource({ pool: older, clock: new SystemClock() });
  loseTheNext(older);
  const begun = await over.begin({ ...BRANCH, branch: '2' as BranchId }, { timeLeftMs: 5_000 });
  if (begun.kind === 'begun') await over.rollback(begun.session);
  await over.close();
  await older.end();
});

it('does not end the process when it is idle in a pool without a listener', async () => {
  const unheard = new pg.Pool({ connectionString: pool.options.connectionString });
  const heard: Error[] = [];
  const over = new PostgresResource({
    ...{ pool: unheard, clock: new SystemClock(), onConnectionError: (error) => heard.push(error) },
  });
  const { rows } = await unheard.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await resource.secondPhasePool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  await waitFor(() => unheard.totalCount === 0, { what: 'the pool to notice' });
  expect(heard).not.toEqual([]);
  await over.close();
  await unheard.end();
});

it('does not end the process when a branch is being finished', async () => {
  await resource.migrate();
  await resource.secondPhasePool.query('SELECT 1');
  loseTheNext(resource.secondPhasePool);
  expect((await resource.abort(BRANCH)).kind).not.toBe('heuristic');
});
