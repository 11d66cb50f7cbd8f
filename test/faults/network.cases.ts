/** S32: links that are half-open. */
import { on, type Case, type CaseRun } from '../cases/case.js';
import { another, answered, completed, lift, settled, step } from '../cases/steps.js';
import { statement } from './proxy/frame.js';

/** Far above the product's own bounds (5 and 10 s), far below what TCP waits for an acknowledgement. */
const GIVEN_UP_MS = 40_000;
const INSERT = /INSERT INTO concordat\.decision/;

const fromNow = step('the time is taken', ({ notes }) => notes.set('from', performance.now()));
const inTime = step(`that took less than ${GIVEN_UP_MS / 1_000} s`, ({ notes }: CaseRun) => {
  expect(performance.now() - Number(notes.get('from'))).toBeLessThan(GIVEN_UP_MS);
});

export const HALF_OPEN: readonly Case[] = [
  {
    name: 'S32: a half-open connection to the register is given up within its bound, and the decision is made on another',
    faults: [on('coordinator', 'database', 'the commit', [statement(INSERT), 'half-open'])],
    sends: 'transfer',
    timeoutMs: 30_000,
    first: [fromNow],
    then: [answered, inTime],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S32: a half-open connection of a participant is given up within its bound, and the commit goes over another',
    faults: [
      on('ledger-west', 'database', 'the commit', [statement(/^COMMIT PREPARED/), 'half-open']),
    ],
    sends: 'transfer',
    first: [fromNow],
    then: [answered, completed('committed'), inTime],
    hears: 'commit',
    ends: 'commit',
  },
  {
    name: 'S32: a half-open connection under work ends with the time of the transaction',
    faults: [
      on('ledger-west', 'database', 'the credit', [statement(/UPDATE "account"/), 'half-open']),
    ],
    sends: 'transfer',
    timeoutMs: 2_000,
    then: [answered, lift('the credit'), settled('abort'), another],
    hears: 'abort',
    ends: 'abort',
  },
];
