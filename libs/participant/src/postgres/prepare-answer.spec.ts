/** What the answer to a flight that ends with PREPARE TRANSACTION proves. */
import { StepFailed } from './flight.js';
import { judgePrepare, provesNotPrepared } from './prepare-answer.js';

const PREPARE = 5;
const said = (code: string, severity: string, routine?: string) =>
  Object.assign(new Error('said'), { code, severity, ...(routine ? { routine } : {}) });
const failed = (step: number, cause: unknown, wasSent = true) =>
  new StepFailed(step, cause, wasSent);

describe('An error of a flight proves that PREPARE has not run', () => {
  it.each([
    ['where nothing was sent', failed(0, new Error('not queryable'), false)],
    ['where a statement before it failed', failed(4, said('23505', 'ERROR', '_bt_check_unique'))],
    ['also where a pooler left out the routine', failed(4, said('23505', 'ERROR'))],
    ['where the server ended the session before', failed(2, said('57P01', 'FATAL', 'Process'))],
  ])('%s', (_where, error) => {
    expect(provesNotPrepared(error, PREPARE)).toBe(true);
  });
});

describe('An error of a flight proves nothing', () => {
  it.each([
    ['where the connection was lost', failed(0, new Error('Connection terminated unexpectedly'))],
    ['where the driver stopped waiting', failed(0, new Error('Query read timeout'))],
    ['where a pooler speaks for a server that it lost', failed(0, said('08P01', 'FATAL'))],
    ['where it does so without calling it fatal', failed(0, said('08006', 'ERROR'))],
    ['where it says that of a server that goes down', failed(0, said('57P01', 'ERROR'))],
    ['where PREPARE itself failed', failed(PREPARE, said('58030', 'ERROR', 'EndPrepare'))],
    ['where it is no error of the flight', said('23505', 'ERROR', '_bt_check_unique')],
  ])('%s', (_where, error) => {
    expect(provesNotPrepared(error, PREPARE)).toBe(false);
  });
});

describe('PREPARE', () => {
  const answered = (value: string) => ({ kind: 'value', value }) as const;

  it('is a yes by its tag alone', () => {
    expect(judgePrepare(answered('PREPARE'), false)).toEqual({ kind: 'prepared' });
    for (const tag of ['ROLLBACK', '', 'COMMIT', 'prepare']) {
      expect(judgePrepare(answered(tag), false)).toMatchObject({ kind: 'no' });
    }
  });

  it('that a signal may have met is no yes', () => {
    expect(judgePrepare(answered('PREPARE'), true)).toMatchObject({ kind: 'unknown' });
  });

  it('without an answer, or with a lost connection, is unknown', () => {
    expect(judgePrepare({ kind: 'timeout' }, false)).toMatchObject({ kind: 'unknown' });
    const lost = failed(0, new Error('Connection terminated unexpectedly'));
    expect(judgePrepare({ kind: 'error', error: lost }, false)).toMatchObject({ kind: 'unknown' });
  });
});
