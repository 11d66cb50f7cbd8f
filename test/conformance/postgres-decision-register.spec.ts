/** The Postgres register, held to the contract of the port on a real server. */
import type { Incarnation } from '@concordat/protocol';
import { DecisionLogStage } from './decision-log-stage.js';
import { commitOf, describeDecisionRegister, freshTransaction } from './decision-register.js';
import { describeKeyClaims } from './key-claims.js';

let stage: DecisionLogStage;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

describeDecisionRegister('Postgres', () => stage.harness());
describeKeyClaims('Postgres', () => stage.harness());

describe('Postgres as the decision register, among several coordinators', () => {
  it('gives a claimer at once what another is not claiming right now', async () => {
    const url = await stage.emptied();
    const { register } = await stage.log(url);
    const dead = 'deadc00r' as Incarnation;
    const transactions = Array.from({ length: 6 }, () => freshTransaction());
    for (const one of transactions) await register.decide(commitOf(one, { finisher: dead }));
    const other = await stage.dba(url);
    await other.query('BEGIN');
    await other.query(`SELECT 1 FROM concordat.decision WHERE transaction = ANY ($1) FOR UPDATE`, [
      transactions.slice(0, 3),
    ]);
    const claimed = await register.claimUnfinished(dead, 'claimer1' as Incarnation, 3);
    await other.query('ROLLBACK');
    expect(claimed.map((one) => one.transaction).sort()).toEqual(transactions.slice(3));
  });
});
