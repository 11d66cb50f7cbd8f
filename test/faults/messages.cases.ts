/** S34, S36, S37: messages late, overtaken, forged. The database decides what they do. */
import { on, type Case } from '../cases/case.js';
import { command, vote } from '../cases/commands.js';
import { DEADLINE_MS } from '../cases/stage.js';
import { another, answered, completed, hit, leftIn, lift, step } from '../cases/steps.js';
import { delivered, type Predicate } from './proxy/frame.js';
import { WireClient } from './stage/wire-client.js';

const lateToWest = delivered(/\.ledger-west\.prepare$/);
const isRefusal: Predicate = ({ from, text }) =>
  from === 'client' && text.includes('ALREADY_FINISHED');

const freezeBroker = step('nats-server is frozen', ({ product }) => product.stack.nats.pause());
const thawBroker = step('nats-server goes on', ({ product }) => product.stack.nats.resume());

/** The vote of the west arrives with another branch's name in it: the coordinator takes it for silence. */
const forge = step('a vote arrives that names another branch', async (run) => {
  const frame = await run.rule('the vote').waitForHit();
  const wire = await WireClient.connect(run.product);
  const said = JSON.parse(frame.text) as object;
  wire.connection.publish(frame.about, JSON.stringify({ ...said, branch: '7' }));
  await wire.close();
});

export const MESSAGES: readonly Case[] = [
  {
    name: 'S34: commands that a frozen broker delivers late, after their transaction was given up, do no harm',
    faults: [on('ledger-west', 'broker', 'the late prepare', [lateToWest, 'watch'])],
    sends: 'transfer',
    timeoutMs: 1_000,
    first: [freezeBroker],
    then: [answered, thawBroker, hit('the late prepare'), completed('aborted'), another],
    hears: 'abort',
    answer: { cause: { kind: 'deadline' } },
    ends: 'abort',
  },
  {
    name: 'S36: an abort that overtakes its prepare leaves a tombstone, and the prepare is refused by it',
    faults: [
      on('coordinator', 'broker', 'the prepare', [command('prepare', 'ledger-west'), 'hold']),
      on('ledger-west', 'broker', 'its refusal', [isRefusal, 'watch']),
    ],
    sends: 'transfer',
    // Its time is over before a prepare that does not come is looked for.
    timeoutMs: 800,
    then: [answered, completed('aborted'), lift('the prepare'), hit('its refusal'), leftIn()],
    hears: 'abort',
    ends: 'abort',
    remembers: { 'ledger-west': 'tombstone' },
  },
  {
    name: 'S37: a vote about another branch is no vote, and its transaction aborts',
    faults: [on('ledger-west', 'broker', 'the vote', [vote, 'hold'])],
    sends: 'transfer',
    timeoutMs: DEADLINE_MS,
    then: [forge, answered, completed('aborted')],
    hears: 'abort',
    answer: { cause: { kind: 'deadline', missing: ['ledger-west'] } },
    ends: 'abort',
  },
];
