/** What is said of databases that cannot be true together: each promise is seen broken here. */
import { earlierId } from '../conformance/earlier-log.js';
import { contradictions } from './promises.js';
import type { Kept } from './stage.js';

const ID: string = earlierId();
const ALONE = `${ID}-ledger-west`;

type Decision = Kept['decisions'][number];
type Row = Kept['rows'][number];

const decided = (decision: Decision['decision'], more: Partial<Decision> = {}): Decision => ({
  transaction: ID,
  decision,
  participants: decision === 'commit' ? ['ledger-east', 'ledger-west'] : [],
  hasEnded: true,
  ...more,
});

const row = (participant: string, kind: Row['kind'] = 'branch', transaction = ID): Row => ({
  transaction,
  participant,
  kind,
});

const BOTH = [row('ledger-east'), row('ledger-west')];

describe('What databases keep of transactions', () => {
  it.each<[string, Decision[], Row[]]>([
    ['a commit with a branch at each', [decided('commit')], BOTH],
    ['an abort with a tombstone', [decided('abort')], [row('ledger-east', 'tombstone')]],
    ['an abort without a record', [], [row('ledger-east', 'tombstone')]],
    ['one branch that has committed by itself', [], [row('ledger-west', 'branch', ALONE)]],
  ])('is true together: %s', (_, decisions, rows) => {
    expect(contradictions({ decisions, rows })).toEqual([]);
  });

  it.each<[string, Decision[], Row[], RegExp]>([
    [
      'half a commit',
      [decided('commit')],
      [row('ledger-east'), row('ledger-west', 'tombstone')],
      /is a commit, and ledger-west has nothing/,
    ],
    ['a branch against the abort', [decided('abort')], BOTH, /by no decision/],
    ['a branch that was never decided', [], [row('ledger-east')], /by no decision/],
    [
      'a branch that the commit does not name',
      [decided('commit')],
      [...BOTH, row('inventory')],
      /inventory has committed .* by no decision/,
    ],
    [
      'one branch that another database has committed',
      [],
      [row('ledger-east', 'branch', ALONE)],
      /by no decision/,
    ],
    [
      'one branch that has committed against the abort on record',
      [decided('abort', { transaction: ALONE })],
      [row('ledger-west', 'branch', ALONE)],
      /by no decision/,
    ],
    ['two decisions', [decided('abort'), decided('abort')], [], /decided twice/],
    ['a commit without its end', [decided('commit', { hasEnded: false })], BOTH, /without its end/],
  ])('is not: %s', (_, decisions, rows, says) => {
    expect(contradictions({ decisions, rows }).join('\n')).toMatch(says);
  });
});
