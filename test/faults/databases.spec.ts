/**
 * S16, S17, S22 to S26, S28, S30, S31: what databases and those who administer them do to a
 * transaction. An answer that was lost is unknown; a manual change is reported.
 */
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { transferBody } from '../stage/product.js';
import { completion, statement } from './proxy/frame.js';
import { command, inquiry, vote } from '../cases/commands.js';
import { DEADLINE_MS, CaseStage, branchOf, type Answer } from '../cases/stage.js';
import { freeSlots, takeSlots } from './stage/plant.js';

/** Few, so that they can all be taken. */
const SLOTS = 24;

describe('When a database fails', () => {
  let stage: CaseStage;

  beforeAll(async () => {
    stage = await CaseStage.start({
      postgres: { settings: { max_prepared_transactions: SLOTS } },
    });
    // A deferred trigger that fails at PREPARE with a SQLSTATE of the test's choice.
    await stage.sql(
      'ledger-west',
      `CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'refused at the end' USING ERRCODE = TG_ARGV[0]; END $$`,
    );
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(() => stage.dispose());

  const register = () => stage.wire('coordinator').database;
  const commands = () => stage.wire('coordinator').broker;
  const west = () => stage.wire('ledger-west');
  const idOf = ({ body }: Answer) => String(body['transactionId']);
  /** Holds it however often it is sent to the west. */
  const everyOne = (verb: 'commit' | 'abort') =>
    commands().rule(`every ${verb}`, command(verb, 'ledger-west'), 'hold', { times: Infinity });

  it('S16: a decision whose answer is lost is read again, not guessed, and final', async () => {
    const before = await stage.metric('concordat_register_retries_total');
    register().rule('its answer', completion(/INSERT INTO concordat\.decision/), 'cut-before');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
    expect(await stage.metric('concordat_register_retries_total')).toBeGreaterThan(before);
    expect(await stage.moved()).toBe(100);
  });

  it('S16: a decision that never reached the register is proposed again', async () => {
    register().rule('the commit', statement(/INSERT INTO concordat\.decision/), 'cut-before');
    expect(await stage.post()).toMatchObject({ status: 200 });
    expect(await stage.moved()).toBe(100);
  });

  it('S17: a backend killed by the kernel restarts the whole server, and everything goes on by itself', async () => {
    const held = commands().rule('both commits', command('commit'), 'hold', { times: 2 });
    expect(await stage.post()).toMatchObject({ status: 200 });
    await held.waitForHit(2);
    const [backend] = await stage.product.sql<{ pid: number }>(
      'superuser',
      `SELECT pid FROM pg_stat_activity WHERE datname = 'ledger_west' LIMIT 1`,
    );
    process.kill(backend?.pid as number, 'SIGKILL');
    await waitFor(
      () => /all server processes terminated/.test(stage.product.stack.postgres.output()),
      {
        what: 'the server to restart its processes',
      },
    );
    held.lift();
    expect(await stage.moved()).toBe(100);
    await waitFor(async () => (await stage.post()).status === 200, {
      what: 'a transfer to commit again',
    });
  });

  it('S22: when every slot is taken by others, the vote is a no that may be tried again, and theirs are left alone', async () => {
    const others = await takeSlots(stage);
    const refused = await stage.post();
    expect(refused).toMatchObject({ status: 409 });
    expect(refused.body).toMatchObject({ retryable: true, cause: { kind: 'vote' } });
    expect(await stage.completed(idOf(refused))).toMatchObject({ status: 'aborted' });
    expect((await stage.prepared()).map(({ gid }) => gid)).toEqual(others);
    await freeSlots(stage, others);
    expect(await stage.post()).toMatchObject({ status: 200 });
    expect(await stage.moved()).toBe(100);
  });

  it('S23: a branch that a DBA rolled back before its commit makes its transaction heuristic, never committed', async () => {
    const held = everyOne('commit');
    const inquiries = west().broker.rule('its inquiries', inquiry, 'drop');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    await held.waitForHit();
    await inquiries.waitForHit();
    const gid = (await stage.prepared()).find(({ database }) => database === 'ledger_west')?.gid;
    await stage.sql('ledger-west', `ROLLBACK PREPARED '${String(gid)}'`);
    held.lift();
    inquiries.lift();
    const body = await stage.completed(idOf(answer));
    expect(body).toMatchObject({ decision: 'commit', status: 'heuristic-mixed' });
    expect(branchOf(body, 'ledger-west')).toMatchObject({
      outcome: { kind: 'heuristic', evidence: { decision: 'commit', found: 'missing' } },
    });
    expect(branchOf(body, 'ledger-east')).toMatchObject({ outcome: { kind: 'committed' } });
    expect(await stage.outcomeRow('ledger-west', idOf(answer))).toBeUndefined();
  });

  it('S24: a branch that a DBA committed against the decision makes its transaction heuristic', async () => {
    west().broker.rule('the vote', vote, 'drop', { times: 1 });
    const held = everyOne('abort');
    const inquiries = west().broker.rule('its inquiries', inquiry, 'drop');
    const answer = await stage.post(transferBody(100, { timeoutMs: DEADLINE_MS }));
    expect(answer).toMatchObject({ status: 409 });
    await held.waitForHit();
    await inquiries.waitForHit();
    const gid = (await stage.prepared()).find(({ database }) => database === 'ledger_west')?.gid;
    await stage.sql('ledger-west', `COMMIT PREPARED '${String(gid)}'`);
    held.lift();
    inquiries.lift();
    const body = await waitFor(
      async () => {
        const { body: now } = await stage.get(idOf(answer));
        return now['status'] === 'heuristic-mixed' && 'outcome' in branchOf(now, 'ledger-east')
          ? now
          : undefined;
      },
      { what: 'the damage to be reported, and the east to have aborted' },
    );
    expect(branchOf(body, 'ledger-west')).toMatchObject({
      outcome: { kind: 'heuristic', evidence: { decision: 'abort', found: 'committed' } },
    });
    expect(branchOf(body, 'ledger-east')).toMatchObject({ outcome: { kind: 'aborted' } });
    expect(await stage.metric('concordat_heuristics_unresolved')).toBeGreaterThan(0);
  });

  it.each([
    ['40001', 'SERIALIZATION_FAILURE', true],
    ['23514', 'CONSTRAINT_VIOLATED', false],
    ['P0001', 'RAISED_BY_DATABASE', false],
    ['58030', 'RESOURCE_FAULT', false],
  ])('S26: %s at PREPARE is a no with its reason', async (state, code, retryable) => {
    await refuseLate(state);
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body).toMatchObject({
      retryable,
      cause: { kind: 'vote', participant: 'ledger-west', code, retryable },
    });
    expect(await stage.moved()).toBe(0);
  });

  it('S25: the abort of a branch whose PREPARE failed finds nothing, and that is not heuristic', async () => {
    await refuseLate('23514');
    const nothing = west().database.rule(
      'ROLLBACK PREPARED of nothing',
      ({ from, kind, about, text }) =>
        from === 'server' && kind === 'E' && /^ROLLBACK PREPARED/.test(about) && /42704/.test(text),
      'watch',
    );
    const answer = await stage.post();
    const body = await stage.completed(idOf(answer));
    expect(body).toMatchObject({ status: 'aborted', outcome: 'aborted' });
    expect(branchOf(body, 'ledger-west')).toMatchObject({ outcome: { kind: 'aborted' } });
    await nothing.waitForHit();
  });

  it('S28: a branch that stays prepared is shown with its age, the table it locks and who waits for it', async () => {
    const held = everyOne('commit');
    const inquiries = west().broker.rule('its inquiries', inquiry, 'drop');
    expect(await stage.post()).toMatchObject({ status: 200 });
    await held.waitForHit();
    const blocked = new pg.Client({ connectionString: stage.product.stack.databases.ledger_west });
    await blocked.connect();
    const waiting = blocked.query("UPDATE account SET balance = balance WHERE id = 'bob'");
    try {
      const { prepared, locks } = await waitFor(
        async () => {
          const report = await reportOf('ledger-west');
          const isSeen = report.locks?.[0]?.waiting === 1 && report.prepared.inDoubt === 1;
          return isSeen ? report : undefined;
        },
        { what: 'the report to show who waits' },
      );
      expect(prepared).toMatchObject({ inDoubt: 1, oldestAgeMs: expect.any(Number) });
      expect(prepared.oldestAgeMs).toBeGreaterThan(0);
      expect(locks[0]?.locks).toContainEqual({ relation: 'account', mode: 'RowExclusiveLock' });
      expect(await stage.metric('concordat_unfinished_oldest_seconds')).toBeGreaterThan(0);
      await inquiries.waitForHit();
    } finally {
      held.lift();
      await waiting;
      await blocked.end();
    }
    expect(await stage.moved()).toBe(100);
  });

  it('S31: a connection cut after COMMIT PREPARED is answered by the outcome row', async () => {
    west().database.rule('its answer', completion(/^COMMIT PREPARED/), 'cut-before');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    const body = await stage.completed(idOf(answer));
    expect(body).toMatchObject({ status: 'committed', outcome: 'committed' });
    expect(Number(branchOf(body, 'ledger-west')['attempts'])).toBeGreaterThan(1);
    expect(await stage.moved()).toBe(100);
  });

  it('S31: a connection cut before COMMIT PREPARED is tried again', async () => {
    west().database.rule('the commit', statement(/^COMMIT PREPARED/), 'cut-before');
    const answer = await stage.post();
    expect(await stage.completed(idOf(answer))).toMatchObject({ status: 'committed' });
    expect(await stage.moved()).toBe(100);
  });

  it('S31: a connection cut after PREPARE TRANSACTION is a no, and what it left prepared is rolled back', async () => {
    west().database.rule('its answer', completion(/^PREPARE TRANSACTION/), 'cut-before');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 409 });
    expect(answer.body['cause']).toMatchObject({ kind: 'vote', participant: 'ledger-west' });
    expect(await stage.completed(idOf(answer))).toMatchObject({ status: 'aborted' });
    expect(await stage.moved()).toBe(0);
  });

  it('S30: a participant started as another role says what only that one can finish, and delays no other', async () => {
    const lost = commands().rule('the commit', command('commit', 'ledger-west'), 'drop');
    const inquiries = west().broker.rule('its inquiries', inquiry, 'drop');
    const answer = await stage.post();
    await lost.waitForHit();
    await inquiries.waitForHit();
    await stage.product.kill('ledger-west');
    const { postgres } = stage.product.stack;
    await postgres.createDatabase('stranger');
    await stage.asSuperuser(
      'ledger_west',
      'GRANT CONNECT ON DATABASE ledger_west TO stranger; GRANT ledger_west TO stranger WITH INHERIT TRUE, SET FALSE',
    );
    const stranger = west().database.inFrontOf(postgres.url('ledger_west', 'stranger'));
    await stage.product.startService('ledger-west', {
      env: { DATABASE_URL: stranger },
      said: 'was prepared by role ledger_west',
    });
    await waitFor(
      async () => branchOf((await stage.get(idOf(answer))).body, 'ledger-east')['outcome'],
      { what: 'the east to be committed' },
    );
    const { body } = await stage.get(idOf(answer));
    expect(branchOf(body, 'ledger-west')['outcome']).toBeUndefined();
    expect(await stage.standing(idOf(answer))).toBe('commit');
    lost.lift();
    inquiries.lift();
    await stage.product.restart('ledger-west');
    expect(await stage.completed(idOf(answer))).toMatchObject({ status: 'committed' });
    expect(await stage.moved()).toBe(100);
  });

  interface Report {
    readonly prepared: { readonly inDoubt: number; readonly oldestAgeMs: number };
    readonly locks: readonly { readonly waiting: number; readonly locks: readonly object[] }[];
  }

  async function reportOf(participant: string): Promise<Report> {
    const key = stage.product.operatorKey;
    const { body } = await stage.product.request('GET', '/v1/participants', { key });
    const listed = body['participants'] as unknown as {
      participant: string;
      instances: { report: Report }[];
    }[];
    const found = listed.find((one) => one.participant === participant)?.instances[0]?.report;
    if (!found) throw new Error(`${participant} is not listed`);
    return found;
  }

  /** The next change of an account in the west fails when it is prepared. */
  async function refuseLate(state: string): Promise<void> {
    await stage.sql('ledger-west', 'DROP TRIGGER IF EXISTS refuse_late ON account');
    await stage.sql(
      'ledger-west',
      `CREATE CONSTRAINT TRIGGER refuse_late AFTER UPDATE ON account DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION refuse_late('${state}')`,
    );
  }

  afterEach(() => stage.sql('ledger-west', 'DROP TRIGGER IF EXISTS refuse_late ON account'));
});
