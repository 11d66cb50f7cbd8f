/** What the answer to a flight that ends with PREPARE TRANSACTION proves. */
import { StepFailed } from './flight.js';
import { judgeCommit, judgePrepare, provesNotPrepared } from './prepare-answer.js';

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

const answered = (value: string) => ({ kind: 'value', value }) as const;
const calm = { signalled: false };

describe('PREPARE', () => {
  it('is a yes by its tag alone', () => {
    expect(judgePrepare(answered('PREPARE'), calm)).toEqual({ kind: 'prepared' });
    for (const tag of ['ROLLBACK', '', 'COMMIT', 'prepare']) {
      expect(judgePrepare(answered(tag), calm)).toMatchObject({ kind: 'no' });
    }
  });

  it('that a signal may have met, or whose wait for a standby was ended, is no yes', () => {
    for (const met of [{ signalled: true }, { signalled: false, waitEnded: true }]) {
      expect(judgePrepare(answered('PREPARE'), met)).toMatchObject({ kind: 'unknown' });
    }
  });

  it('without an answer, or with a lost connection, is unknown', () => {
    expect(judgePrepare({ kind: 'timeout' }, calm)).toMatchObject({ kind: 'unknown' });
    const lost = failed(0, new Error('Connection terminated unexpectedly'));
    expect(judgePrepare({ kind: 'error', error: lost }, calm)).toMatchObject({ kind: 'unknown' });
  });
});

describe('COMMIT in one phase', () => {
  const COMMIT = 7;
  const judge = (error: unknown) => judgeCommit({ kind: 'error', error }, calm, COMMIT);

  it('is committed by its tag alone, and not where no standby may have it', () => {
    expect(judgeCommit(answered('COMMIT'), calm)).toEqual({ kind: 'committed' });
    for (const tag of ['ROLLBACK', '', 'PREPARE', 'commit']) {
      expect(judgeCommit(answered(tag), calm)).toMatchObject({ kind: 'no' });
    }
    for (const met of [{ signalled: true }, { signalled: false, waitEnded: true }]) {
      expect(judgeCommit(answered('COMMIT'), met)).toMatchObject({ kind: 'unknown' });
    }
  });

  it.each([
    ['a serialization failure', '40001', 'SERIALIZATION_FAILURE', true],
    ['a deadlock', '40P01', 'DEADLOCK', true],
    ['a constraint', '23505', 'CONSTRAINT_VIOLATED', false],
  ])('that %s refuses is a certain no, with its cause', (_what, code, vote, retryable) => {
    const error = failed(COMMIT, said(code, 'ERROR', 'PreCommit_CheckForSerializationFailure'));
    expect(judge(error)).toMatchObject({ kind: 'no', vote: { code: vote, retryable } });
  });

  it.each([
    ['where the connection was lost', failed(0, new Error('Connection terminated unexpectedly'))],
    ['where the server shuts down', failed(COMMIT, said('57P01', 'FATAL', 'ProcessInterrupts'))],
    ['where the disk failed', failed(COMMIT, said('58030', 'ERROR', 'XLogFlush'))],
    ['where a pooler speaks', failed(COMMIT, said('40001', 'ERROR'))],
    ['where what is behind it failed', failed(COMMIT + 1, said('57014', 'ERROR', 'Process'))],
    ['where it is no error of the flight', said('40001', 'ERROR', 'PreCommit')],
  ])('is unknown %s', (_where, error) => {
    expect(judge(error)).toMatchObject({ kind: 'unknown' });
  });
});
