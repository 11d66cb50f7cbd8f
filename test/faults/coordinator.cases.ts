/** S1, S2, S4, S7, S8, S33, S41: a coordinator dies, sleeps, or is cut off, between two frames. */
import { on, type Case, type CaseRun } from '../cases/case.js';
import { command } from '../cases/commands.js';
import { AMOUNT } from '../cases/shapes.js';
import {
  another,
  answered,
  cutAll,
  freeze,
  hit,
  leftIn,
  lift,
  prepared,
  recorded,
  replace,
  settled,
  start,
  step,
  thaw,
  voted,
} from '../cases/steps.js';
import { transferBody } from '../stage/product.js';
import { completion, statement } from './proxy/frame.js';

const INSERT = /INSERT INTO concordat\.decision/;
const END = /UPDATE concordat\.decision d\s+SET ended_at/;

const KEY = 'order-s1';

/** As a client that got no answer sends it again, and is answered about another transaction. */
const sameRequestCommits = step('the same request under its key commits', async (run) => {
  const again = await run.stage.post(transferBody(AMOUNT), { 'idempotency-key': KEY });
  expect(again).toMatchObject({ status: 200 });
  expect(again.body['transactionId']).not.toBe(firstOf(run));
  run.movedByOthers += AMOUNT;
});

const firstCanNever = step('the first can be rolled back, and never committed', async (run) => {
  const path = `/v1/transactions/${firstOf(run)}`;
  const rolledBack = await run.product.request('POST', `${path}/rollback`);
  expect(rolledBack.body).toMatchObject({ decision: 'abort' });
  expect((await run.product.request('POST', `${path}/commit`)).status).toBe(409);
});

/** The transaction that a lost prepare was about. */
function firstOf(run: CaseRun): string {
  const [frame] = run.rule('every prepare').caught;
  const { transaction } = JSON.parse(frame?.text ?? '{}') as { transaction: string };
  return transaction;
}

const foundTheAbort = step('the register answers that an abort is on record', (run) => {
  expect(run.rule('what the register answers').caught.at(-1)?.text).toBe('INSERT 0 0');
});

const asksAgain = (...commits: readonly string[]) =>
  step('its coordinator is killed, and the next sends both commits again', async (run) => {
    const before = commits.map((what) => run.rule(what).hits);
    await replace('coordinator').act(run);
    for (const [n, what] of commits.entries()) {
      await run.rule(what).waitForHit((before[n] ?? 0) + 1);
    }
  });

export const ONE_COORDINATOR: readonly Case[] = [
  {
    name: 'S1: a request repeated after its coordinator died at the begin commits once, and the first can never',
    faults: [
      on('coordinator', 'broker', 'every prepare', [command('prepare'), 'drop'], {
        times: 2,
        hits: 2,
      }),
    ],
    sends: 'transfer',
    idempotencyKey: KEY,
    then: [replace('coordinator'), answered, sameRequestCommits, firstCanNever],
    hears: 'nothing',
    ends: 'abort',
  },
  {
    name: 'S2: a coordinator that died with one of three prepares sent leaves an abort, and the other two never begin',
    faults: [
      on(
        'coordinator',
        'broker',
        'two of three prepares',
        [command('prepare', 'ledger-west', 'inventory'), 'drop'],
        { hits: 2 },
      ),
    ],
    sends: 'three',
    then: [prepared(1), replace('coordinator'), settled('abort')],
    hears: 'nothing',
    ends: 'abort',
    onRecord: 'abort',
    remembers: { 'ledger-east': 'tombstone', 'ledger-west': 'nothing', inventory: 'nothing' },
  },
  {
    name: 'S33: cut off from the broker between prepare and vote it gives the transaction up, long before its deadline',
    faults: [
      on('coordinator', 'broker', 'a prepare', [command('prepare', 'ledger-west'), 'drop'], {
        times: 1,
      }),
    ],
    sends: 'transfer',
    timeoutMs: 120_000,
    // The other branch is free again within the bound of healing, a quarter of the time-out.
    then: [
      voted('ledger-east'),
      cutAll('coordinator', 'broker'),
      answered,
      settled('abort'),
      another,
    ],
    hears: 'abort',
    answer: { cause: { kind: 'given-up', participant: 'ledger-west' } },
    ends: 'abort',
  },
  {
    name: 'S4: a commit that reached the register is carried out though its coordinator died before it got the answer',
    faults: [on('coordinator', 'database', 'its answer', [completion(INSERT), 'hold'])],
    sends: 'transfer',
    then: [replace('coordinator'), settled('commit')],
    hears: 'nothing',
    ends: 'commit',
  },
  {
    name: 'S4: a commit still on its way to the register when its coordinator died finds the abort on record',
    faults: [
      on('coordinator', 'database', 'the commit', [statement(INSERT), 'hold']),
      on('coordinator', 'database', 'what the register answers', [completion(INSERT), 'watch']),
    ],
    sends: 'transfer',
    then: [
      prepared(2),
      replace('coordinator'),
      settled('abort'),
      lift('the commit'),
      // The abort of the new one, then the commit of the dead one.
      hit('what the register answers', 2),
      foundTheAbort,
    ],
    hears: 'nothing',
    ends: 'abort',
    onRecord: 'abort',
  },
  {
    name: 'S7: a coordinator that died after the last acknowledgement asks again, and the outcome rows answer',
    faults: [
      on('coordinator', 'database', 'the end', [statement(END), 'hold']),
      on('coordinator', 'broker', 'the commit for ledger-east', [
        command('commit', 'ledger-east'),
        'watch',
      ]),
      on('coordinator', 'broker', 'the commit for ledger-west', [
        command('commit', 'ledger-west'),
        'watch',
      ]),
    ],
    sends: 'transfer',
    then: [
      answered,
      leftIn(),
      asksAgain('the commit for ledger-east', 'the commit for ledger-west'),
    ],
    hears: 'commit',
    ends: 'commit',
  },
];

/** Beside coordinator-2. */
export const TWO_COORDINATORS: readonly Case[] = [
  {
    name: 'S41: before its commit is on record wakes to the abort that the other recorded',
    faults: [on('coordinator', 'database', 'its commit', [statement(INSERT), 'hold'])],
    sends: 'transfer',
    // The other has to find the sleeper silent several times: longer than an answer waits by default.
    wait: '60s',
    then: [
      prepared(2),
      freeze('coordinator'),
      settled('abort'),
      recorded('abort'),
      lift('its commit'),
      thaw('coordinator'),
    ],
    hears: 'abort',
    answer: { decision: 'abort' },
    ends: 'abort',
    onRecord: 'abort',
  },
  {
    name: 'S41: after its commit is on record, with nothing sent, wakes to branches that are committed',
    faults: [
      on('coordinator', 'broker', 'its commits', [command('commit'), 'hold'], {
        times: 2,
        hits: 2,
      }),
    ],
    sends: 'transfer',
    then: [
      answered,
      freeze('coordinator'),
      settled('commit'),
      lift('its commits'),
      thaw('coordinator'),
    ],
    hears: 'commit',
    ends: 'commit',
  },
];

/** Participants would finish by asking; here the coordinators have to, one death after another. */
const diesAt = (crash: string) =>
  step(`the next coordinator dies at ${crash}`, async (run) => {
    const { product } = run;
    await product.startService('coordinator', { crash: `${crash}=kill`, said: 'crash point' });
    await product.service('coordinator').exited;
    await recorded('commit').act(run);
  });

export const AGAIN_AND_AGAIN: readonly Case[] = [
  {
    name: 'S8: recovery that dies five times in a row converges on the decision on record',
    faults: [{ at: 'coordinator', point: 'decide.post', does: 'kill' }],
    sends: 'transfer',
    then: [
      prepared(2),
      diesAt('claim.pre'),
      diesAt('claim.post'),
      diesAt('commit.pre@ledger-west'),
      diesAt('commit.post@ledger-east'),
      diesAt('claim.post'),
      start('coordinator'),
    ],
    hears: 'nothing',
    ends: 'commit',
  },
];
