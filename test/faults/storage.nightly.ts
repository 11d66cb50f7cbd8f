/**
 * S18, S19, S20, S29: disks that fail, fill up and are put back from a backup, under ledger-west's own Postgres;
 * the cases are in storage.cases.ts. A full disk is none: it sends one body before, and again after. Where mounts
 * or a compiler are not to be had, the tests that need them are skipped.
 */
import { transferBody } from '../stage/product.js';
import { itHolds, onStage } from '../cases/run.js';
import { CaseStage } from '../cases/stage.js';
import { AilingServer, CAN_COMPILE, CAN_MOUNT } from './stage/ailing-server.js';
import { storageCases } from './storage.cases.js';

const withDisks = CAN_MOUNT ? it : it.skip;

let server: AilingServer | undefined;
const west = (): AilingServer => {
  if (!server) throw new Error('the server is not there outside of tests');
  return server;
};

async function start(): Promise<CaseStage> {
  if (!CAN_COMPILE) console.info('skipped: S18 needs gcc, for a preloaded fdatasync');
  if (!CAN_MOUNT) console.info('skipped: S19 and S20 need root, to mount memory-backed disks');
  server = await AilingServer.start('ledger_west');
  return CaseStage.start({ apart: { 'ledger-west': server.server } });
}

onStage('When the disk of a participant fails', start, (stage) => {
  afterAll(() => server?.dispose());

  // S19 between S18 and S20: right behind a PREPARE that was not flushed, a crash for want of space has lost a branch
  // of the server, which was reported as heuristic. Why the server loses it is not known.
  const [unflushed, ...others] = storageCases(west, {
    canMount: CAN_MOUNT,
    canCompile: CAN_COMPILE,
  });
  if (unflushed) itHolds(stage, [unflushed]);

  withDisks('S19: a full disk is a no that may be tried again, and poisons nothing', async () => {
    await west().asSuperuser(`CREATE TABLESPACE small LOCATION '${west().tablespace}'`);
    await west().asSuperuser('ALTER TABLE account SET TABLESPACE small');
    const makeRoom = west().fill('tables');
    const operations = Array.from({ length: 256 }, (_, n) => ({
      name: 'open',
      input: { account: `${'x'.repeat(55)}-${n}`, amount: 1 },
    }));
    const [debit] = transferBody().branches;
    const body = {
      ...transferBody(),
      branches: [debit, { participant: 'ledger-west', operations }],
    };
    const refused = await stage().post(body);
    expect(refused).toMatchObject({ status: 409 });
    expect(refused.body).toMatchObject({
      retryable: true,
      cause: { kind: 'vote', participant: 'ledger-west', code: 'RESOURCE_UNAVAILABLE' },
    });
    expect(west().output()).toMatch(/No space left on device/);
    expect(await stage().completed(String(refused.body['transactionId']))).toMatchObject({
      status: 'aborted',
    });
    await makeRoom();
    expect(await stage().post(body)).toMatchObject({ status: 200 });
    expect(await stage().post()).toMatchObject({ status: 200 });
    await stage().untilNothingInDoubt();
    await west().asSuperuser('ALTER TABLE account SET TABLESPACE pg_default');
    await west().asSuperuser('DROP TABLESPACE small');
  });

  itHolds(stage, others);
});
