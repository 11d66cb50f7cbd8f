/**
 * S18, S19, S20, S29: disks that fail, fill up and are put back from a backup, under ledger-west's own
 * Postgres. Where mounts or a compiler are not to be had, the tests that need them are skipped.
 */
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { statement } from './proxy/frame.js';
import { command, inquiry } from '../cases/commands.js';
import { AilingServer, CAN_COMPILE, CAN_MOUNT } from './stage/ailing-server.js';
import { CaseStage, branchOf, type Answer } from '../cases/stage.js';

const withShim = CAN_COMPILE ? it : it.skip;
const withDisks = CAN_MOUNT ? it : it.skip;

describe('When the disk of a participant fails', () => {
  let west: AilingServer;
  let stage: CaseStage;

  beforeAll(async () => {
    if (!CAN_COMPILE) console.info('skipped: S18 needs gcc, for a preloaded fdatasync');
    if (!CAN_MOUNT) console.info('skipped: S19 and S20 need root, to mount memory-backed disks');
    west = await AilingServer.start('ledger_west');
    stage = await CaseStage.start({ apart: { 'ledger-west': west.server } });
  });

  beforeEach(() => stage.begin());

  afterEach(() => stage.heal());

  afterAll(async () => {
    await stage?.dispose();
    await west?.dispose();
  });

  const commands = () => stage.wire('coordinator').broker;
  const broker = () => stage.wire('ledger-west').broker;
  const idOf = ({ body }: Answer) => String(body['transactionId']);
  const superuser = (text: string) => west.asSuperuser(text);

  withShim(
    'S18: a PREPARE that failed in fsync may be prepared all the same, and is rolled back',
    async () => {
      const prepare = stage
        .wire('ledger-west')
        .database.rule('the prepare', statement(/^PREPARE TRANSACTION/), 'hold');
      const aborts = commands().rule('its abort', command('abort', 'ledger-west'), 'drop');
      const inquiries = broker().rule('its inquiries', inquiry, 'drop');
      const pending = stage.post(transferBody(100, { timeoutMs: 10_000 }));
      await prepare.waitForHit();
      await west.failNextFsync();
      prepare.lift();
      const answer = await pending;
      expect(answer).toMatchObject({ status: 409 });
      expect(answer.body['cause']).toMatchObject({ kind: 'vote', participant: 'ledger-west' });
      expect(west.fsyncHasFailed).toBe(true);
      expect(west.output()).toMatch(/PANIC: .*could not fdatasync/);
      await west.recovered();
      // The finding behind the rule "abort goes to everyone": the failed PREPARE is there.
      expect((await stage.prepared()).map((one) => one.database)).toContain('ledger_west');
      await inquiries.waitForHit();
      await aborts.waitForHit();
      aborts.lift();
      inquiries.lift();
      expect(await stage.completed(idOf(answer))).toMatchObject({ status: 'aborted' });
      expect(await stage.outcomeRow('ledger-west', idOf(answer))).toBe('tombstone');
      expect(await stage.moved()).toBe(0);
    },
  );

  withDisks('S19: a full disk is a no that may be tried again, and poisons nothing', async () => {
    await superuser(`CREATE TABLESPACE small LOCATION '${west.tablespace}'`);
    await superuser('ALTER TABLE account SET TABLESPACE small');
    const makeRoom = west.fill('tables');
    const operations = Array.from({ length: 256 }, (_, n) => ({
      name: 'open',
      input: { account: `${'x'.repeat(55)}-${n}`, amount: 1 },
    }));
    const [debit] = transferBody().branches;
    const body = {
      ...transferBody(),
      branches: [debit, { participant: 'ledger-west', operations }],
    };
    const refused = await stage.post(body);
    expect(refused).toMatchObject({ status: 409 });
    expect(refused.body).toMatchObject({
      retryable: true,
      cause: { kind: 'vote', participant: 'ledger-west', code: 'RESOURCE_UNAVAILABLE' },
    });
    expect(west.output()).toMatch(/No space left on device/);
    expect(await stage.completed(idOf(refused))).toMatchObject({ status: 'aborted' });
    await makeRoom();
    expect(await stage.post(body)).toMatchObject({ status: 200 });
    expect(await stage.post()).toMatchObject({ status: 200 });
    await stage.untilNothingInDoubt();
    await superuser('ALTER TABLE account SET TABLESPACE pg_default');
    await superuser('DROP TABLESPACE small');
  });

  withDisks(
    'S20: a log without space stops the server; the commit waits and happens when there is space',
    async () => {
      const held = commands().rule('the commit', command('commit', 'ledger-west'), 'hold');
      const inquiries = broker().rule('its inquiries', inquiry, 'drop');
      const answer = await stage.post();
      expect(answer).toMatchObject({ status: 200 });
      await held.waitForHit();
      await inquiries.waitForHit();
      const makeRoom = west.fill('wal');
      await waitFor(
        async () => {
          await superuser(
            'CREATE TABLE IF NOT EXISTS filler (id int); SELECT pg_switch_wal()',
          ).catch(() => undefined);
          return /PANIC: .*No space left on device/.test(west.output());
        },
        { what: 'the server to run out of space', timeoutMs: 30_000 },
      );
      held.lift();
      inquiries.lift();
      await waitFor(
        async () =>
          branchOf((await stage.get(idOf(answer))).body, 'ledger-west')['lastError'] !== undefined,
        { what: 'the commit to be put off' },
      );
      expect(await stage.standing(idOf(answer))).toBe('commit');
      await makeRoom();
      await west.recovered();
      expect(await stage.completed(idOf(answer))).toMatchObject({ status: 'committed' });
      expect(await stage.moved()).toBe(100);
    },
  );

  it('S29: a branch that a restored backup has lost is reported, never acknowledged as committed', async () => {
    await west.stop();
    await west.backUp();
    await west.start();
    await stage.begin();
    const held = commands().rule('the commit', command('commit', 'ledger-west'), 'hold');
    const inquiries = broker().rule('its inquiries', inquiry, 'drop');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    await held.waitForHit();
    await inquiries.waitForHit();
    await west.stop();
    await west.restoreBackup();
    await west.start();
    inquiries.lift();
    held.lift();
    await waitFor(
      async () => (await stage.get(idOf(answer))).body['status'] === 'heuristic-mixed',
      { what: 'the loss to be reported', timeoutMs: 30_000 },
    );
    const { body } = await stage.get(idOf(answer));
    expect(branchOf(body, 'ledger-west')).toMatchObject({
      outcome: { kind: 'heuristic', evidence: { decision: 'commit', found: 'missing' } },
    });
    expect(branchOf(body, 'ledger-east')).toMatchObject({ outcome: { kind: 'committed' } });
  });

  it('S29: a branch that a restored backup has brought back is committed again, by what the register holds', async () => {
    const held = commands().rule('the commit', command('commit', 'ledger-west'), 'hold');
    const inquiries = broker().rule('its inquiries', inquiry, 'drop');
    const answer = await stage.post();
    expect(answer).toMatchObject({ status: 200 });
    await held.waitForHit();
    await inquiries.waitForHit();
    await west.stop();
    await west.backUp();
    await west.start();
    held.lift();
    inquiries.lift();
    expect(await stage.completed(idOf(answer))).toMatchObject({ status: 'committed' });
    await west.stop();
    await west.restoreBackup();
    await west.start();
    expect(await stage.moved()).toBe(100);
    expect(await stage.outcomeRow('ledger-west', idOf(answer))).toBe('branch');
  });
});
