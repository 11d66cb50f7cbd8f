/**
 * S16, S21: the register's own Postgres crashes, becomes read-only and runs full. Nothing new begins,
 * no commit is sent that is not on record, and what waits for its decision gets it.
 */
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { completion } from './proxy/frame.js';
import { vote } from '../cases/commands.js';
import { AilingServer, CAN_MOUNT } from './stage/ailing-server.js';
import { CaseStage, type Answer } from '../cases/stage.js';

const withDisks = CAN_MOUNT ? it : it.skip;

describe('When the register fails', () => {
  let register: AilingServer;
  let stage: CaseStage;

  beforeAll(async () => {
    if (!CAN_MOUNT) console.info('skipped: part of S21 needs root, to mount memory-backed disks');
    register = await AilingServer.start('concordat');
    stage = await CaseStage.start({ apart: { concordat: register.server } });
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(async () => {
    await stage?.dispose();
    await register?.dispose();
  });

  const idOf = ({ body }: Answer) => String(body['transactionId']);

  /** Ends every session of the coordinator, so that defaults of its role take hold. */
  const endSessions = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = 'concordat' AND usename = 'concordat'`;

  const refusesToBegin = () =>
    waitFor(
      async () => {
        const { status, body } = await stage.post();
        return status === 503 && body['code'] === 'register-unavailable';
      },
      { what: 'the coordinator to begin nothing', timeoutMs: 20_000 },
    );

  it('S16: a register that crashes with a decision under way is asked again when it is back', async () => {
    const { database } = stage.wire('coordinator');
    const unheard = database.rule(
      'its answer',
      completion(/INSERT INTO concordat\.decision/),
      'hold',
    );
    const path = '/v1/transactions?wait=60s';
    const answer = stage.product.request('POST', path, { body: transferBody() });
    await unheard.waitForHit();
    await register.crash();
    expect((await stage.prepared()).length).toBe(2);
    await register.start();
    expect(await answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
    expect(await stage.standing(idOf(await answer))).toBe('commit');
    expect(await stage.moved()).toBe(100);
  });

  it('S21: while the register is read-only nothing begins, nothing is decided, and what waits is not lost', async () => {
    const held = stage.wire('ledger-west').broker.rule('the vote', vote, 'hold');
    const path = '/v1/transactions?wait=60s';
    const body = transferBody(100, { timeoutMs: 30_000 });
    const answer = stage.product.request('POST', path, { body });
    await held.waitForHit();
    const id = await stage.preparedTransaction(2);
    await register.asSuperuser('ALTER ROLE concordat SET default_transaction_read_only = on');
    await register.asSuperuser(endSessions);
    held.lift();
    await refusesToBegin();
    expect(await stage.standing(id)).toBeUndefined();
    expect((await stage.prepared()).length).toBe(2);
    await register.asSuperuser('ALTER ROLE concordat RESET default_transaction_read_only');
    await register.asSuperuser(endSessions);
    expect(await answer).toMatchObject({ status: 200, body: { transactionId: id } });
    expect(await stage.standing(id)).toBe('commit');
    expect(await stage.moved()).toBe(100);
  });

  withDisks(
    'S21: when the register’s disk is full nothing begins, no commit is sent that is not on record, and none is lost',
    async () => {
      await register.asSuperuser(`CREATE TABLESPACE small LOCATION '${register.tablespace}'`);
      await register.asSuperuser('ALTER TABLE concordat.decision SET TABLESPACE small');
      const makeRoom = register.fill('tables');
      const path = '/v1/transactions?wait=1s';
      let committed = 0;
      // The page that is there takes some more; then one waits for space.
      const id = await waitFor(
        async () => {
          const answer = await stage.product.request('POST', path, { body: transferBody(1) });
          if (answer.status === 200) committed += 1;
          return answer.status === 202 ? idOf(answer) : undefined;
        },
        { what: 'a decision to find no space', timeoutMs: 30_000 },
      );
      await refusesToBegin();
      expect(register.output()).toMatch(/No space left on device/);
      expect(await stage.standing(id)).toBeUndefined();
      expect((await stage.prepared()).length).toBe(2);
      await makeRoom();
      expect(await stage.completed(id)).toMatchObject({ status: 'committed' });
      expect(await stage.standing(id)).toBe('commit');
      expect(await stage.moved()).toBe(committed + 1);
      await stage.begin();
      expect(await stage.post()).toMatchObject({ status: 200 });
      await stage.untilNothingInDoubt();
      await register.asSuperuser('ALTER TABLE concordat.decision SET TABLESPACE pg_default');
      await register.asSuperuser('DROP TABLESPACE small');
    },
  );
});
