/** S18, S20, S29: disks that fail, fill up and are put back from a backup, under ledger-west's own Postgres. */
import { waitFor } from '@concordat/testing';
import { on, type Case } from '../cases/case.js';
import { command, inquiry } from '../cases/commands.js';
import { answered, branchSays, completed, lift, recorded, step } from '../cases/steps.js';
import { statement } from './proxy/frame.js';
import type { AilingServer } from './stage/ailing-server.js';

const ITS_COMMIT = on('coordinator', 'broker', 'the commit', [
  command('commit', 'ledger-west'),
  'hold',
]);
const ITS_INQUIRIES = on('ledger-west', 'broker', 'its inquiries', [inquiry, 'drop']);

/** The cases of a stage whose ledger-west is on this server; without mounts or a compiler some are skipped. */
export function storageCases(
  west: () => AilingServer,
  { canMount, canCompile }: { canMount: boolean; canCompile: boolean },
): readonly Case[] {
  const failsToFlush = step('the PREPARE fails in fsync', async (run) => {
    await west().failNextFsync();
    run.rule('the prepare').lift();
  });
  const panics = step('the server panics, and recovers', async () => {
    expect(west().fsyncHasFailed).toBe(true);
    expect(west().output()).toMatch(/PANIC: .*could not fdatasync/);
    await west().recovered();
  });
  /** The finding behind the rule "abort goes to everyone". */
  const isThere = step('the failed PREPARE is there', async ({ stage }) => {
    expect((await stage.prepared()).map((one) => one.database)).toContain('ledger_west');
  });
  const runsOut = step('the disk of the log runs full, and the server ends', async (run) => {
    run.notes.set('makeRoom', west().fill('wal'));
    await waitFor(
      async () => {
        const text = 'CREATE TABLE IF NOT EXISTS filler (id int); SELECT pg_switch_wal()';
        await west()
          .asSuperuser(text)
          .catch(() => undefined);
        return /PANIC: .*No space left on device/.test(west().output());
      },
      { what: 'the server to run out of space', timeoutMs: 30_000 },
    );
  });
  const makeRoom = step('there is room, and the server recovers', async ({ notes }) => {
    await (notes.get('makeRoom') as () => Promise<void>)();
    await west().recovered();
  });
  const backUp = step('its data is backed up', async () => {
    await west().stop();
    await west().backUp();
    await west().start();
  });
  const restore = step('the backup takes the place of its data', async () => {
    await west().stop();
    await west().restoreBackup();
    await west().start();
  });
  const lost = step('the west is reported as missing, the east as committed', async (run) => {
    await waitFor(
      async () => String((await run.stage.get(run.id)).body['status']) === 'heuristic-mixed',
      { what: 'the loss to be reported', timeoutMs: 30_000 },
    );
    expect(await run.stage.branch(run.id, 'ledger-west')).toMatchObject({
      outcome: { kind: 'heuristic', evidence: { decision: 'commit', found: 'missing' } },
    });
    expect(await run.stage.branch(run.id, 'ledger-east')).toMatchObject({
      outcome: { kind: 'committed' },
    });
  });
  return [
    {
      name: 'S18: a PREPARE that failed in fsync may be prepared all the same, and is rolled back',
      isLeftOut: !canCompile,
      faults: [
        on('ledger-west', 'database', 'the prepare', [statement(/^PREPARE TRANSACTION/), 'hold']),
        on('coordinator', 'broker', 'its abort', [command('abort', 'ledger-west'), 'drop'], {
          hits: 0,
        }),
        { ...ITS_INQUIRIES, hits: 0 },
      ],
      sends: 'transfer',
      then: [failsToFlush, answered, panics, isThere, seen(), lift('its abort', 'its inquiries')],
      hears: 'abort',
      answer: { cause: { kind: 'vote', participant: 'ledger-west' } },
      ends: 'abort',
      remembers: { 'ledger-west': 'tombstone' },
    },
    {
      name: 'S20: a log without space stops the server; the commit waits and happens when there is space',
      isLeftOut: !canMount,
      faults: [ITS_COMMIT, ITS_INQUIRIES],
      sends: 'transfer',
      then: [
        answered,
        runsOut,
        lift('the commit', 'its inquiries'),
        branchSays('ledger-west', 'the commit is put off', /lastError/),
        recorded('commit'),
        makeRoom,
      ],
      hears: 'commit',
      ends: 'commit',
    },
    {
      name: 'S29: a branch that a restored backup has lost is reported, never acknowledged as committed',
      faults: [ITS_COMMIT, ITS_INQUIRIES],
      sends: 'transfer',
      first: [backUp, step('all is well again', ({ stage }) => stage.untilReady())],
      then: [answered, restore, lift('its inquiries', 'the commit'), lost],
      hears: 'commit',
      ends: 'heuristic',
    },
    {
      name: 'S29: a branch that a restored backup has brought back is committed again, by what the register holds',
      faults: [ITS_COMMIT, ITS_INQUIRIES],
      sends: 'transfer',
      then: [
        answered,
        backUp,
        lift('the commit', 'its inquiries'),
        completed('committed'),
        restore,
      ],
      hears: 'commit',
      ends: 'commit',
      remembers: { 'ledger-west': 'branch' },
    },
  ];
}

/** Both are asked for while nothing may pass. */
function seen() {
  return step('its abort was sent, and it has inquired', async (run) => {
    await run.rule('its inquiries').waitForHit();
    await run.rule('its abort').waitForHit();
  });
}
