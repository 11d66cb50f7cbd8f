/**
 * A connection that is lost in the moment between the pool's handing it out and anybody's listening to
 * it: the branch is refused or fails, and the process lives.
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
import { startPostgres, type PostgresServer } from '@concordat/testing';
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
  await server.stop();
});

/** Last words in the packet of the first: before any promise of the hand-over has gone on. */
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

it('does not end the process when a branch is being finished', async () => {
  await resource.migrate();
  await resource.finishers.query('SELECT 1');
  loseTheNext(resource.finishers);
  expect((await resource.abort(BRANCH)).kind).not.toBe('heuristic');
});
