/**
 * What every error of the database means, at every place where one can come up: the table of
 * docs/adapters.md, complete by Postgres' own list of codes.
 */
import { NoCode, RETRYABLE, type VoteAgainst } from '@concordat/protocol';
import { ERROR_CLASSES } from './errcodes.spec-support.js';
import {
  noteCircumstances,
  voteOfConnect,
  voteOfDeferredWork,
  voteOfOutcomeRow,
  voteOfOwnStatement,
  voteOfPrepare,
  voteOfSqlError,
} from './votes-of-errors.js';

const ROW_DATA = 'Key (id)=(secret) of alice, balance 42';
const server = (code: string, more: object = {}) =>
  Object.assign(new Error(`server says ${code}: ${ROW_DATA}`), {
    ...{ code, severity: 'ERROR', detail: ROW_DATA, hint: ROW_DATA },
    where: `SQL statement "UPDATE account SET note = '${ROW_DATA}'"`,
    ...more,
  });
const network = (code: string) => Object.assign(new Error(`connect ${code} 10.0.0.7`), { code });

const FAILED = NoCode.handlerFailed;
const RAISED = NoCode.raised;
const DATA = NoCode.dataException;
const CONSTRAINT = NoCode.constraint;
const AWAY = NoCode.resourceUnavailable;
const FAULT = NoCode.resourceFault;

type Certainty = 'rolled back' | 'unknown';
/** Of a statement; of the outcome row; of PREPARE, and what became of it; where a connection is made. */
type Row = readonly [string, NoCode, NoCode, NoCode, Certainty, NoCode];

/** By code, else by class. */
const CONSIDERED: readonly Row[] = [
  // code    statement               outcome row             PREPARE                                connect
  ['00', RAISED, FAULT, RAISED, 'unknown', AWAY],
  ['01', RAISED, FAULT, RAISED, 'unknown', AWAY],
  ['02', RAISED, FAULT, RAISED, 'unknown', AWAY],
  ['03', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['08', AWAY, AWAY, AWAY, 'unknown', AWAY],
  ['08P01', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['09', RAISED, FAULT, RAISED, 'unknown', AWAY],
  ['0A', FAILED, FAULT, FAILED, 'rolled back', FAULT],
  ['0B', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['0F', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['0L', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['0P', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['0Z', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['10', DATA, FAULT, DATA, 'unknown', AWAY],
  ['20', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['21', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['22', DATA, FAULT, DATA, 'rolled back', FAULT],
  ['23', CONSTRAINT, FAULT, CONSTRAINT, 'rolled back', AWAY],
  ['24', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['25', FAILED, FAULT, FAILED, 'rolled back', AWAY],
  ['25006', AWAY, AWAY, AWAY, 'rolled back', AWAY],
  ['25P02', NoCode.rolledBack, NoCode.rolledBack, NoCode.rolledBack, 'rolled back', AWAY],
  ['25P03', NoCode.leaseExpired, NoCode.leaseExpired, NoCode.leaseExpired, 'rolled back', AWAY],
  ['25P04', NoCode.deadline, NoCode.deadline, NoCode.deadline, 'rolled back', AWAY],
  ['26', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['27', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['28', FAILED, FAULT, FAILED, 'unknown', FAULT],
  ['2B', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['2D', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['2F', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['34', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['38', RAISED, FAULT, RAISED, 'unknown', AWAY],
  ['39', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['3B', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['3D', FAILED, FAULT, FAILED, 'unknown', FAULT],
  ['3F', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['40', NoCode.serialization, NoCode.serialization, NoCode.serialization, 'unknown', AWAY],
  [
    ...(['40001', NoCode.serialization, NoCode.serialization] as const),
    ...([NoCode.serialization, 'rolled back', AWAY] as const),
  ],
  ['40002', CONSTRAINT, FAULT, CONSTRAINT, 'unknown', AWAY],
  ['40P01', NoCode.deadlock, NoCode.deadlock, NoCode.deadlock, 'rolled back', AWAY],
  ['42', FAILED, FAULT, FAILED, 'rolled back', FAULT],
  ['44', CONSTRAINT, FAULT, CONSTRAINT, 'unknown', AWAY],
  ['53', AWAY, AWAY, AWAY, 'unknown', AWAY],
  ['53400', FAULT, FAULT, FAULT, 'unknown', AWAY],
  ['54', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['55', FAILED, FAULT, FAILED, 'unknown', FAULT],
  ['55000', FAILED, FAULT, FAILED, 'rolled back', FAULT],
  [
    ...(['55P03', NoCode.lockTimeout, NoCode.alreadyFinished] as const),
    ...([NoCode.lockTimeout, 'rolled back', FAULT] as const),
  ],
  ['57', AWAY, AWAY, AWAY, 'unknown', AWAY],
  ['57014', NoCode.deadline, NoCode.deadline, NoCode.deadline, 'rolled back', AWAY],
  ['57P04', FAULT, FAULT, FAULT, 'unknown', FAULT],
  ['58', FAULT, FAULT, FAULT, 'unknown', FAULT],
  ['72', NoCode.serialization, NoCode.serialization, NoCode.serialization, 'unknown', AWAY],
  ['F0', FAULT, FAULT, FAULT, 'unknown', FAULT],
  ['HV', FAILED, FAULT, FAILED, 'unknown', AWAY],
  ['HV001', AWAY, AWAY, AWAY, 'unknown', AWAY],
  ['HV00N', AWAY, AWAY, AWAY, 'unknown', AWAY],
  ['P0', RAISED, FAULT, RAISED, 'unknown', AWAY],
  ['XX', FAULT, FAULT, FAULT, 'unknown', FAULT],
];
const BY_CODE = new Map(CONSIDERED.map((row) => [row[0], row]));
const CODES = ERROR_CLASSES.flatMap(({ codes }) => codes);

function considered(code: string): Row {
  const row = BY_CODE.get(code) ?? BY_CODE.get(code.slice(0, 2));
  if (!row) throw new Error(`no row considers ${code}`);
  return row;
}

/** True for every vote that the library casts: known code, trustworthy `retryable`, no data. */
function expectTrue(vote: VoteAgainst | undefined): asserts vote is VoteAgainst {
  expect(vote).toBeDefined();
  const { code, retryable, reason } = vote as VoteAgainst;
  expect(retryable).toBe(RETRYABLE[code as NoCode]);
  expect(reason).toMatch(/^[A-Z].*\.$/);
  expect(JSON.stringify(vote)).not.toMatch(/secret|alice|42,|balance|server says|10\.0\.0\.7/);
}

describe('the table of meanings', () => {
  it('considers every class of Postgres, and nothing that is none', () => {
    const classes = ERROR_CLASSES.map(({ name }) => name);
    expect(classes.filter((name) => !BY_CODE.has(name))).toEqual([]);
    const known = new Set([...classes, ...CODES]);
    expect([...BY_CODE.keys()].filter((name) => !known.has(name))).toEqual([]);
  });

  it.each(CODES)('%s votes as considered, wherever it comes up, and quotes no data', (code) => {
    const [, statement, outcomeRow, prepare, certainty, connect] = considered(code);
    const error = server(code, { routine: 'exec_stmt_raise' });
    const ofStatement = voteOfSqlError(error);
    expectTrue(ofStatement);
    const ofOutcomeRow = voteOfOutcomeRow(error);
    expectTrue(ofOutcomeRow);
    const ofPrepare = voteOfPrepare(error);
    expectTrue(ofPrepare.vote);
    const ofConnect = voteOfConnect(server(code, { severity: 'FATAL' }));
    expectTrue(ofConnect);
    const isCertain: Certainty = ofPrepare.certain ? 'rolled back' : 'unknown';
    const said = [ofStatement.code, ofOutcomeRow.code, ofPrepare.vote.code, isCertain];
    const exceptions: Readonly<Record<string, NoCode>> = { '42P05': FAULT, '26000': FAULT };
    expect([code, ...said, ofConnect.code]).toEqual([
      ...[code, statement, exceptions[code] ?? outcomeRow, prepare, certainty],
      connect,
    ]);
  });

  it.each(CODES)('%s that ended the connection is never a certain no of PREPARE', (code) => {
    for (const severity of ['FATAL', 'PANIC']) {
      const error = server(code, { severity });
      expectTrue(voteOfSqlError(error));
      expect(voteOfPrepare(error)).toMatchObject({ certain: false, vote: { kind: 'no' } });
      expectTrue(voteOfPrepare(error).vote);
    }
  });

  it.each(['U0001', 'ZZ123', 'YE001'])(
    '%s is the service’s own, raised in its database',
    (code) => {
      const vote = voteOfSqlError(server(code));
      expectTrue(vote);
      expect(vote).toMatchObject({ code: RAISED, details: { sqlstate: code } });
      expect(voteOfPrepare(server(code)).certain).toBe(false);
    },
  );
});

describe('an error of a statement', () => {
  it('that breaks a constraint names it and its table, and never the data', () => {
    const error = server('23505', { constraint: 'account_pkey', table: 'account' });
    expect(voteOfSqlError(error)).toEqual({
      ...{ kind: 'no', code: CONSTRAINT, retryable: false },
      reason: 'A constraint does not hold: account_pkey.',
      details: { sqlstate: '23505', constraint: 'account_pkey', table: 'account' },
    });
  });

  it('is found inside what an ORM or a rethrow wrapped it in', () => {
    const wrapped = new Error('query failed', { cause: { driverError: server('40001') } });
    expect(voteOfSqlError(wrapped)).toMatchObject({ code: NoCode.serialization });
  });

  it('that none of the database has said is left to the operation', () => {
    expect(voteOfSqlError(new TypeError('undefined is not a function'))).toBeUndefined();
  });

  it('of the network is the branch’s where the branch met it, and else the operation’s', () => {
    const elsewhere = new TypeError('fetch failed', { cause: network('ECONNREFUSED') });
    expect(voteOfSqlError(elsewhere)).toBeUndefined();
    const own = network('ECONNRESET');
    noteCircumstances(own, { early: true });
    expect(voteOfSqlError(own)).toMatchObject({ code: AWAY, retryable: true });
  });

  it.each([
    ['Connection terminated unexpectedly', /was lost/],
    ['timeout exceeded when trying to connect', /connectionTimeoutMillis/],
    ['Query read timeout', /query_timeout/],
  ])('in the driver’s words (%s) has its own reason', (words, reason) => {
    const vote = voteOfSqlError(new Error(words));
    expectTrue(vote);
    expect(vote.code).toBe(AWAY);
    expect(vote.reason).toMatch(reason);
  });

  it('that cancelled it long before its time says so, and blames no deadline', () => {
    const early = server('57014');
    noteCircumstances(early, { early: true });
    expect(voteOfSqlError(early)).toMatchObject({ code: AWAY, retryable: true });
    const late = server('57014');
    noteCircumstances(late, { early: false });
    expect(voteOfSqlError(late)).toMatchObject({ code: NoCode.deadline });
  });

  it('that met a statement prepared before a migration may be tried again', () => {
    const error = server('0A000', { routine: 'RevalidateCachedQuery' });
    expect(voteOfSqlError(error)).toMatchObject({ code: AWAY, retryable: true });
  });
});

describe('a wait for a lock', () => {
  const where = 'while updating tuple (0,1) in relation "account"';

  it('names the row from what the server was doing, and no other line of that', () => {
    const vote = voteOfSqlError(server('55P03', { where: `${where}\nSQL statement "SELECT 'x'"` }));
    expectTrue(vote);
    expect(vote).toMatchObject({ code: NoCode.lockTimeout, details: { relation: 'account' } });
    expect(vote.reason).toBe('A lock was not granted in time: a row of account, at (0,1).');
  });

  it.each([
    ['while inserting index tuple (0,2) in relation "account_pkey"', 'account_pkey'],
    ['while locking tuple (7,12) in relation "parent"', 'a row of parent, at (7,12)'],
    ['while checking uniqueness of tuple (0,3) in relation "t"', 'a row of t, at (0,3)'],
  ])('understands "%s"', (context, said) => {
    const vote = voteOfSqlError(server('55P03', { where: context }));
    expect(vote?.reason).toBe(`A lock was not granted in time: ${said}.`);
  });

  it.each([
    [{ pid: 4711, application: 'psql' }, 'session 4711 (psql)'],
    [{ pid: 4711 }, 'session 4711'],
    [{ pid: 4711, gid: 'cc:a:b:1' }, 'cc:a:b:1, at work in session 4711'],
    [{ gid: 'cc:a:b:1' }, 'cc:a:b:1, which is prepared'],
  ])('that was ended by us names who held it: %j', (holder, said) => {
    const error = server('57014', { where });
    noteCircumstances(error, { early: false, wait: { kind: 'transactionid', holder } });
    const vote = voteOfSqlError(error);
    expect(vote).toMatchObject({
      ...{ code: NoCode.lockTimeout, retryable: true },
      details: { sqlstate: '57014', relation: 'account', holder },
    });
    expect(vote?.reason).toBe(
      `A lock was not granted in time: a row of account, at (0,1); it is held by ${said}.`,
    );
  });

  it('of which nothing is known adds nothing', () => {
    const vote = voteOfSqlError(server('55P03', { where: undefined }));
    expect(vote?.reason).toBe('A lock was not granted in time.');
    expect(vote?.details).toEqual({ sqlstate: '55P03' });
  });
});

describe('an error of the library’s own statements before PREPARE', () => {
  it.each(['42501', '42P01', '22003', 'P0001'])('%s blames no operation', (code) => {
    const vote = voteOfOwnStatement(server(code));
    expectTrue(vote);
    expect(vote.code).toBe(FAULT);
  });

  it('of deferred work is the operation’s, but for statements that a pooler mixed up', () => {
    expect(voteOfDeferredWork(server('P0001'))).toMatchObject({ code: RAISED });
    expect(voteOfDeferredWork(server('23503'))).toMatchObject({ code: CONSTRAINT });
    expect(voteOfDeferredWork(server('26000')).reason).toMatch(/namedStatements to false/);
    expect(voteOfDeferredWork(undefined)).toMatchObject({ code: AWAY });
  });
});

describe('an error of the outcome row', () => {
  it('on its own key is a duplicate or a tombstone, not a constraint of the service', () => {
    const error = server('23505', { constraint: 'concordat_branch_pkey' });
    expect(voteOfOutcomeRow(error)).toMatchObject({ code: NoCode.alreadyFinished });
  });

  it('that was ended in its wait for that key is a duplicate, too', () => {
    const error = server('57014');
    noteCircumstances(error, { early: false, wait: {} });
    expect(voteOfOutcomeRow(error)).toMatchObject({ code: NoCode.alreadyFinished });
  });

  it.each([
    ['42501', /GRANT SELECT, INSERT, DELETE/],
    ['42P05', /namedStatements to false/],
    ['26000', /PgBouncer 1\.21/],
    ['42P01', /restart the service/],
    ['3F000', /restart the service/],
  ])('%s is a fault that somebody has to repair, and says how', (code, remedy) => {
    const vote = voteOfOutcomeRow(server(code));
    expect(vote).toMatchObject({ code: FAULT, retryable: false, details: { sqlstate: code } });
    expect(vote.reason).toMatch(remedy);
  });
});

describe('an error of PREPARE', () => {
  it.each([
    ['53200', NoCode.slotsExhausted],
    ['0A000', NoCode.notPreparable],
    ['55000', NoCode.notPreparable],
    ['42710', NoCode.alreadyFinished],
  ])('%s of PREPARE itself is a certain no: %s', (code, vote) => {
    for (const routine of [
      undefined,
      code === '0A000' ? 'PrepareTransaction' : 'MarkAsPreparing',
    ]) {
      expect(voteOfPrepare(server(code, { routine }))).toMatchObject({
        certain: true,
        vote: { code: vote, retryable: RETRYABLE[vote] },
      });
    }
  });

  it.each([
    ['53200', AWAY, false],
    ['0A000', FAILED, true],
    ['55000', FAILED, true],
    ['42710', FAILED, true],
  ])('%s of a deferred trigger is none of PREPARE itself', (code, vote, certain) => {
    const error = server(code, { routine: 'exec_stmt_raise' });
    const said = voteOfPrepare(error);
    expect(said).toMatchObject({ certain, vote: { code: vote } });
    expectTrue(said.vote);
  });

  it('of which nothing came but a lost connection leaves the question open', () => {
    const gone = new Error('Connection terminated unexpectedly');
    for (const error of [gone, network('ECONNRESET'), undefined]) {
      expect(voteOfPrepare(error)).toMatchObject({ certain: false, vote: { code: AWAY } });
    }
  });
});

describe('a connection that is not made', () => {
  it.each([
    ['28P01', FAULT, /role or the password/],
    ['28000', FAULT, /role or the password/],
    ['3D000', FAULT, /does not exist/],
    ['42501', FAULT, /rights of the role/],
    ['53300', AWAY, /no connection left.*CONNECTION LIMIT/],
    ['57P03', AWAY, /starts or recovers/],
  ])('%s says what is to be done', (code, vote, reason) => {
    const said = voteOfConnect(server(code, { severity: 'FATAL' }));
    expect(said.code).toBe(vote);
    expect(said.reason).toMatch(reason);
  });

  it.each([
    [network('ECONNREFUSED'), AWAY],
    [network('DEPTH_ZERO_SELF_SIGNED_CERT'), FAULT],
    [new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), FAULT],
    [new Error('The server does not support SSL connections'), FAULT],
    [new Error('timeout exceeded when trying to connect'), AWAY],
    [new Error('the vault has no password: hunter2'), AWAY],
  ])('for %s is a no that says as much as is known', (error, code) => {
    const vote = voteOfConnect(error);
    expectTrue(vote);
    expect(vote.code).toBe(code);
    expect(vote.reason).not.toMatch(/hunter2/);
  });
});
