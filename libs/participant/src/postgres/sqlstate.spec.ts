/** What errors of the database and of the driver mean: the table of docs/adapters.md, as statements. */
import {
  isConnectionLost,
  sqlErrorOf,
  voteOfOutcomeRow,
  voteOfPrepare,
  voteOfSqlError,
} from './sqlstate.js';

const server = (code: string, more: object = {}) =>
  Object.assign(new Error(`server says ${code}`), { code, severity: 'ERROR', ...more });
const socket = (code: string) => Object.assign(new Error(code), { code });

describe('an error of the server', () => {
  it.each([
    ['40001', 'SERIALIZATION_FAILURE', true],
    ['40P01', 'DEADLOCK', true],
    ['55P03', 'LOCK_TIMEOUT', true],
    ['57014', 'DEADLINE_PASSED', true],
    ['23503', 'CONSTRAINT_VIOLATED', false],
    ['23514', 'CONSTRAINT_VIOLATED', false],
    ['25P02', 'ROLLED_BACK', false],
    ['53100', 'RESOURCE_UNAVAILABLE', true],
    ['25006', 'RESOURCE_UNAVAILABLE', true],
  ])('%s in an operation votes %s', (code, vote, retryable) => {
    expect(voteOfSqlError(server(code))).toMatchObject({ code: vote, retryable });
  });

  it('names the constraint and the table, and never the data', () => {
    const error = server('23505', {
      constraint: 'account_pkey',
      table: 'account',
      detail: 'Key (id)=(secret) already exists.',
    });
    const vote = voteOfSqlError(error);
    expect(vote?.details).toEqual({ constraint: 'account_pkey', table: 'account' });
    expect(JSON.stringify(vote)).not.toMatch(/secret/);
  });

  it('is found inside what an ORM or a rethrow wrapped it in', () => {
    const wrapped = new Error('query failed', { cause: { driverError: server('40001') } });
    expect(voteOfSqlError(wrapped)).toMatchObject({ code: 'SERIALIZATION_FAILURE' });
  });

  it('that means nothing to a branch is left to the operation', () => {
    expect(voteOfSqlError(server('42703'))).toBeUndefined();
    expect(voteOfSqlError(new TypeError('undefined is not a function'))).toBeUndefined();
  });

  it('on the outcome row’s own key is a duplicate or a tombstone, not a constraint of the service', () => {
    const error = server('23505', { constraint: 'concordat_branch_pkey' });
    expect(voteOfOutcomeRow(error)).toMatchObject({ code: 'ALREADY_FINISHED', retryable: false });
    expect(voteOfOutcomeRow(server('55P03'))).toMatchObject({ code: 'ALREADY_FINISHED' });
  });
});

describe('an error of PREPARE', () => {
  it.each([
    ['53200', 'PREPARED_SLOTS_EXHAUSTED', true],
    ['0A000', 'NOT_PREPARABLE', false],
    ['55000', 'NOT_PREPARABLE', false],
    ['42710', 'ALREADY_FINISHED', false],
    ['23505', 'CONSTRAINT_VIOLATED', false],
    ['40001', 'SERIALIZATION_FAILURE', true],
  ])('%s is a certain no: %s', (code, vote, retryable) => {
    expect(voteOfPrepare(server(code))).toMatchObject({ code: vote, retryable });
  });

  it.each(['58030', '53100', 'XX000', '57P01'])('%s leaves the question open', (code) => {
    expect(voteOfPrepare(server(code))).toBeUndefined();
  });

  it('FATAL, PANIC and a lost connection leave it open, whatever their code', () => {
    expect(voteOfPrepare(server('23505', { severity: 'FATAL' }))).toBeUndefined();
    expect(voteOfPrepare(server('53100', { severity: 'PANIC' }))).toBeUndefined();
    expect(voteOfPrepare(new Error('Connection terminated unexpectedly'))).toBeUndefined();
    expect(voteOfPrepare(socket('ECONNRESET'))).toBeUndefined();
  });
});

describe('an error of the connection', () => {
  it('is told from one of the server, also where its code has five letters', () => {
    expect(sqlErrorOf(socket('EPIPE'))).toBeUndefined();
    expect(isConnectionLost(socket('EPIPE'))).toBe(true);
    expect(isConnectionLost(server('57P01', { severity: 'FATAL' }))).toBe(true);
    expect(isConnectionLost(server('23505'))).toBe(false);
    expect(isConnectionLost(new Error('out of cheese'))).toBe(false);
  });

  it('in an operation is a no that may be tried again', () => {
    expect(voteOfSqlError(new Error('Connection terminated unexpectedly'))).toMatchObject({
      code: 'RESOURCE_UNAVAILABLE',
      retryable: true,
    });
    expect(voteOfSqlError(server('25P03', { severity: 'FATAL' }))).toMatchObject({
      code: 'IDLE_LEASE_EXPIRED',
    });
  });
});
