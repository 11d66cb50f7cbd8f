/**
 * S16, S21: the register's own Postgres crashes, becomes read-only and runs full. Nothing new begins, no commit is
 * sent that is not on record, and what waits for its decision gets it. The cases are in register.cases.ts; one is
 * none, for it takes as many transfers as fit.
 */
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { itHolds, onStage } from '../cases/run.js';
import { CaseStage } from '../cases/stage.js';
import { registerCases, untilNothingBegins } from './register.cases.js';
import { AilingServer, CAN_MOUNT } from './stage/ailing-server.js';

const withDisks = CAN_MOUNT ? it : it.skip;

let server: AilingServer | undefined;
const register = (): AilingServer => {
  if (!server) throw new Error('the register is not there outside of tests');
  return server;
};

async function start(): Promise<CaseStage> {
  if (!CAN_MOUNT) console.info('skipped: part of S21 needs root, to mount memory-backed disks');
  server = await AilingServer.start('concordat');
  return CaseStage.start({ apart: { concordat: server.server } });
}

onStage('When the register fails', start, (stage) => {
  afterAll(() => server?.dispose());

  itHolds(stage, registerCases(register));

  withDisks(
    'S21: when the register’s disk is full nothing begins, no commit is sent that is not on record, and none is lost',
    async () => {
      await register().asSuperuser(`CREATE TABLESPACE small LOCATION '${register().tablespace}'`);
      await register().asSuperuser('ALTER TABLE concordat.decision SET TABLESPACE small');
      const makeRoom = register().fill('tables');
      const path = '/v1/transactions?wait=1s';
      let committed = 0;
      // The page that is there takes some more; then one waits for space.
      const id = await waitFor(
        async () => {
          const answer = await stage().product.request('POST', path, { body: transferBody(1) });
          if (answer.status === 200) committed += 1;
          return answer.status === 202 ? String(answer.body['transactionId']) : undefined;
        },
        { what: 'a decision to find no space', timeoutMs: 30_000 },
      );
      await untilNothingBegins(stage());
      expect(register().output()).toMatch(/No space left on device/);
      expect(await stage().standing(id)).toBeUndefined();
      expect((await stage().prepared()).length).toBe(2);
      await makeRoom();
      expect(await stage().completed(id)).toMatchObject({ status: 'committed' });
      expect(await stage().standing(id)).toBe('commit');
      expect(await stage().moved()).toBe(committed + 1);
      await stage().begin();
      expect(await stage().post()).toMatchObject({ status: 200 });
      await stage().untilNothingInDoubt();
      await register().asSuperuser('ALTER TABLE concordat.decision SET TABLESPACE pg_default');
      await register().asSuperuser('DROP TABLESPACE small');
    },
  );
});
