/** S12, S14, S38, S39, S44: a participant dies, is slow, is cut off, or is asked to stop. */
import { waitFor } from '@concordat/testing';
import { on, type Case } from '../cases/case.js';
import { command, inquiry, vote, worked } from '../cases/commands.js';
import { DEADLINE_MS } from '../cases/stage.js';
import {
  answered,
  branchSays,
  completed,
  leftIn,
  lift,
  replace,
  start,
  step,
  stillIn,
  stop,
} from '../cases/steps.js';
import { delivered, statement, type Predicate } from './proxy/frame.js';

const toWest = delivered(/\.ledger-west\.prepare$/);
const heardVote: Predicate = ({ text }) => text.includes('"type":"vote"');

const noInquiry = on('ledger-west', 'broker', 'every inquiry', [inquiry, 'drop']);

const itWasAYes = step('it was a yes', (run) => {
  expect(run.rule('the vote').caught[0]?.text).toContain('"kind":"prepared"');
});

const arrives = step('the vote may pass, and arrives', async (run) => {
  const seen = run.rule('a vote');
  const before = seen.hits;
  run.rule('the vote').lift();
  await seen.waitForHit(before + 1);
});

const onlyTheWestIsLeft = step('the east has asked, and committed', ({ stage }) =>
  waitFor(async () => (await stage.prepared()).length === 1, {
    what: 'the east to have asked and committed',
  }),
);

export const PARTICIPANTS: readonly Case[] = [
  {
    name: 'S12: a participant that died with its COMMIT PREPARED on the way commits once',
    faults: [on('ledger-west', 'database', 'the commit', [statement(/^COMMIT PREPARED/), 'hold'])],
    sends: 'transfer',
    // The commit of the dead process arrives at the end, and finds nothing to do.
    then: [answered, replace('ledger-west'), completed('committed'), lift('the commit')],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S14: a PREPARE that reaches its database after the abort cannot stay prepared',
    faults: [
      on('ledger-west', 'database', 'the prepare', [statement(/^PREPARE TRANSACTION/), 'hold']),
    ],
    sends: 'transfer',
    timeoutMs: DEADLINE_MS,
    then: [
      answered,
      branchSays('ledger-west', 'the tombstone waits for the branch', /still running/),
      lift('the prepare'),
    ],
    hears: 'abort',
    ends: 'abort',
    remembers: { 'ledger-west': 'tombstone' },
  },
  {
    name: 'S38: votes that are lost end in an abort everywhere, though every command arrived',
    faults: [
      on('ledger-east', 'broker', 'the vote of the east', [vote, 'drop'], { times: 1 }),
      on('ledger-west', 'broker', 'the vote of the west', [vote, 'drop'], { times: 1 }),
    ],
    sends: 'transfer',
    timeoutMs: DEADLINE_MS,
    hears: 'abort',
    answer: { cause: { kind: 'deadline', missing: ['ledger-east', 'ledger-west'] } },
    ends: 'abort',
  },
  {
    name: 'S38: a vote that is lost with the link of its participant is said again, and all commit long before the deadline',
    faults: [on('ledger-west', 'broker', 'the vote', [vote, 'cut-before'])],
    sends: 'transfer',
    timeoutMs: 600_000,
    hears: 'commit',
    answer: { decision: 'commit' },
    ends: 'commit',
  },
  {
    name: 'S38: a prepare that is lost with the link of its participant is said again, and all commit long before the deadline',
    faults: [on('ledger-west', 'broker', 'the prepare', [toWest, 'cut-before'])],
    sends: 'transfer',
    timeoutMs: 600_000,
    hears: 'commit',
    answer: { decision: 'commit' },
    ends: 'commit',
  },
  {
    name: 'S38: an answer to work that is lost with the link of its participant is said again, and the work goes on',
    faults: [on('ledger-west', 'broker', 'what it answers', [worked, 'cut-before'])],
    sends: 'step-by-step',
    timeoutMs: 600_000,
    hears: 'truth',
    ends: 'commit',
  },
  {
    name: 'S39: a yes that comes after the deadline changes nothing, and is aborted too',
    faults: [
      on('ledger-west', 'broker', 'the vote', [vote, 'hold']),
      on('coordinator', 'broker', 'a vote', [heardVote, 'watch']),
    ],
    sends: 'transfer',
    timeoutMs: DEADLINE_MS,
    then: [answered, itWasAYes, arrives],
    hears: 'abort',
    answer: { cause: { kind: 'deadline', missing: ['ledger-west'] } },
    ends: 'abort',
  },
  {
    name: 'S44: a participant asked to stop leaves what is prepared, and the next process finishes it',
    faults: [
      on('coordinator', 'broker', 'every commit', [command('commit', 'ledger-west'), 'drop']),
      noInquiry,
    ],
    sends: 'transfer',
    then: [
      answered,
      stop('ledger-west'),
      stillIn('ledger_west'),
      lift('every commit', 'every inquiry'),
      start('ledger-west'),
    ],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S44: a coordinator asked to stop leaves what it cannot finish to the next',
    faults: [
      on('coordinator', 'broker', 'every commit', [command('commit'), 'drop'], { hits: 2 }),
      noInquiry,
    ],
    sends: 'transfer',
    then: [
      answered,
      onlyTheWestIsLeft,
      stop('coordinator'),
      leftIn('ledger_west'),
      lift('every commit', 'every inquiry'),
      start('coordinator'),
    ],
    hears: 'commit',
    ends: 'commit',
  },
];
