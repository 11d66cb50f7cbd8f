/**
 * `kill -9`, where it hurts: between two effects of a coordinator, a participant, a server. Crash points: see
 * crash-points.mjs. Numbers: the named faults of docs/faults.md.
 */
import { at, type Case } from '../cases/case.js';
import {
  answered,
  crashPostgres,
  firstResolved,
  kill,
  killNats,
  left,
  prepared,
  remove,
  replace,
  start,
  startNats,
  step,
  thaw,
  untilStopped,
} from '../cases/steps.js';
import { AMOUNT } from '../cases/shapes.js';
import { waitFor } from '@concordat/testing';

/** The target of protocol §5 for the first branch after a restart. */
const FIRST_RESOLVED_MS = 1_000;

const eastHasCommitted = step('the east has committed', async ({ product, before }) => {
  expect((await product.balances()).alice).toBe(before.alice - AMOUNT);
});

/** The database of the version before. */
const earlierVersion = step('the west has the tables of the version before', ({ product }) =>
  product.sql(
    'ledger-west',
    `ALTER TABLE account DROP CONSTRAINT account_balance_limit;
     DELETE FROM migrations WHERE name LIKE 'LimitBalance%'`,
  ),
);

const isMigrated = step('the west has its new tables', async ({ product }) => {
  const constraint = `SELECT 1 FROM pg_constraint WHERE conname = 'account_balance_limit'`;
  expect(await product.sql('ledger-west', constraint)).toHaveLength(1);
});

const onlyTheWestIsLeft = step('the east has committed', ({ product }) =>
  waitFor(async () => (await product.prepared()).length === 1, { what: 'the east to commit' }),
);

export const OF_THE_COORDINATOR: readonly Case[] = [
  {
    name: 'S3: after the votes, the branches learn that it aborted',
    faults: [at('coordinator', 'decide.pre', 'kill')],
    sends: 'transfer',
    then: [answered, left(2), start('coordinator'), firstResolved(2)],
    hears: 'nothing',
    ends: 'abort',
    firstWithinMs: FIRST_RESOLVED_MS,
  },
  {
    name: 'S5: after the decision, it is committed everywhere',
    faults: [at('coordinator', 'decide.post', 'kill')],
    sends: 'transfer',
    then: [answered, left(2), start('coordinator'), firstResolved(2)],
    hears: 'nothing',
    ends: 'commit',
    firstWithinMs: FIRST_RESOLVED_MS,
  },
  {
    name: 'S6: between two finishes, the other branch is committed too',
    faults: [
      at('coordinator', 'commit.pre@ledger-west', 'hang'),
      at('coordinator', 'commit.post@ledger-east', 'kill'),
    ],
    sends: 'transfer',
    then: [eastHasCommitted, left(1), start('coordinator'), firstResolved(1)],
    hears: 'truth',
    ends: 'commit',
    firstWithinMs: FIRST_RESOLVED_MS,
  },
  {
    name: 'after it answered, the commit is there',
    faults: [at('coordinator', 'commit.pre', 'hang')],
    sends: 'transfer',
    then: [answered, replace('coordinator')],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'a second coordinator on the same register takes over',
    isNightly: true,
    faults: [at('coordinator', 'decide.post', 'kill')],
    sends: 'transfer',
    first: [start('coordinator-2')],
    then: [
      step('the other finishes it', async ({ stage, product, before }) => {
        await product.untilAllEnded();
        expect((await stage.kept()).bob).toBe(before.bob + AMOUNT);
      }),
    ],
    last: [remove('coordinator-2')],
    hears: 'nothing',
    ends: 'commit',
  },
];

export const OF_A_PARTICIPANT: readonly Case[] = [
  {
    name: 'S10: before it prepares, the transaction aborts and nothing of it is left',
    faults: [at('ledger-west', 'prepare.pre', 'kill')],
    sends: 'transfer',
    timeoutMs: 2_000,
    then: [answered, start('ledger-west')],
    hears: 'abort',
    ends: 'abort',
  },
  {
    name: 'S11: between prepare and vote, its prepared branch is rolled back',
    faults: [at('ledger-west', 'prepare.post', 'kill')],
    sends: 'transfer',
    timeoutMs: 2_000,
    then: [answered, start('ledger-west')],
    hears: 'abort',
    ends: 'abort',
  },
  {
    name: 'S12: between commit and acknowledgement, the repeat finds it committed',
    faults: [at('ledger-west', 'commit.post#1', 'kill')],
    sends: 'transfer',
    then: [answered, start('ledger-west')],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'with a branch in doubt, its upgrade migrates the table that the branch locks',
    isNightly: true,
    faults: [at('coordinator', 'decide.post', 'kill')],
    sends: 'transfer',
    first: [earlierVersion],
    then: [
      kill('ledger-west'),
      start('coordinator'),
      onlyTheWestIsLeft,
      start('ledger-west'),
      isMigrated,
    ],
    hears: 'nothing',
    ends: 'commit',
  },
];

export const OF_A_SERVER: readonly Case[] = [
  {
    name: 'S15: Postgres, while branches are prepared and a commit is on record: all is committed',
    isNightly: true,
    faults: [at('coordinator', 'commit.pre', 'hang')],
    sends: 'transfer',
    then: [answered, left(2), crashPostgres, replace('coordinator')],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S15: Postgres, while branches are prepared and nothing is decided: all is rolled back',
    faults: [at('coordinator', 'decide.pre', 'hang')],
    sends: 'transfer',
    timeoutMs: 60_000,
    then: [prepared(2), crashPostgres, replace('coordinator')],
    hears: 'nothing',
    ends: 'abort',
  },
  {
    name: 'S33: nats-server in round one: it is given up at once and nothing is in doubt',
    isNightly: true,
    faults: [at('ledger-west', 'prepare.post', 'stop')],
    sends: 'transfer',
    timeoutMs: 300_000,
    then: [
      prepared(2),
      untilStopped('ledger-west'),
      killNats,
      thaw('ledger-west'),
      startNats,
      answered,
    ],
    hears: 'abort',
    ends: 'abort',
  },
  {
    name: 'S33: nats-server in round two: the commit arrives once it is back',
    faults: [at('ledger-west', 'commit.pre#1', 'stop')],
    sends: 'transfer',
    then: [answered, untilStopped('ledger-west'), killNats, thaw('ledger-west'), startNats],
    hears: 'commit',
    ends: 'commit',
  },
];
