/**
 * S34, S35, S36, S37: messages late, doubled, overtaken, forged; the cases are in messages.cases.ts. What sends
 * commands of its own, or many transfers, is no case.
 */
import { waitFor } from '@concordat/testing';
import { transferBody, type ServiceId } from '../stage/product.js';
import { itHolds, onStage } from '../cases/run.js';
import { MESSAGES } from './messages.cases.js';
import { published } from './proxy/frame.js';
import { WireClient, type WireMessage } from './stage/wire-client.js';

onStage('When messages go astray', {}, (stage) => {
  let wire: WireClient;

  beforeAll(async () => {
    wire = await WireClient.connect(stage().product);
  });

  afterAll(() => wire?.close());

  const credit = { name: 'credit', input: { account: 'bob', amount: 100 } };
  const west = (verb: string) => ({ participant: 'ledger-west', verb });

  itHolds(stage, MESSAGES);

  it('S35: with every message sent three times, each transfer happens once and each refusal not at all', async () => {
    const services: ServiceId[] = ['coordinator', 'ledger-east', 'ledger-west'];
    const rules = services.map((id) =>
      stage()
        .wire(id)
        .broker.rule(`everything of ${id}`, published(/\.v1\./), { copies: 3 }),
    );
    const bodies = [...Array.from({ length: 5 }, () => transferBody()), transferBody(9_999_999)];
    const answers = [];
    for (const body of bodies) {
      answers.push(
        await stage().product.request('POST', '/v1/transactions?until=completed', { body }),
      );
    }
    expect(answers.map((one) => one.status)).toEqual([200, 200, 200, 200, 200, 409]);
    for (const { body } of answers.slice(0, 5)) {
      expect(body).toMatchObject({ status: 'committed', outcome: 'committed' });
    }
    for (const rule of rules) expect(rule.hits).toBeGreaterThan(10);
    expect(await stage().moved()).toBe(500);
  });

  it('S36: a commit that comes before the vote is refused until there is one, and is never acknowledged for nothing', async () => {
    const transaction = wire.newTransaction();
    const nothing = await wire.ask(
      wire.command('commit', 'ledger-west', transaction),
      west('commit'),
    );
    expect(nothing).toMatchObject({
      type: 'acknowledged',
      outcome: { kind: 'heuristic', evidence: { found: 'missing' } },
    });
    const working = wire.newTransaction();
    // It is on record, so that the branch may be committed once it has prepared, by the first that does.
    const branches = JSON.stringify([{ branch: '1', participant: 'ledger-west', work: 'bundled' }]);
    await stage().product.sql(
      'concordat',
      `INSERT INTO concordat.decision (transaction, decision, finisher, branches, ended_at, outcome)
       VALUES ($1, 'commit', $2, $3, now(), 'committed')`,
      [working, wire.incarnation, branches],
    );
    const statement = stage()
      .wire('ledger-west')
      .database.rule(
        'its work',
        (frame) => frame.from === 'client' && /UPDATE "account"/.test(frame.about),
        'hold',
      );
    const prepare = wire.command('prepare', 'ledger-west', working, { operations: [credit] });
    const answer = wire.ask(prepare, west('prepare'));
    await statement.waitForHit();
    const early = await wire.ask(wire.command('commit', 'ledger-west', working), west('commit'));
    expect(early).toMatchObject({ type: 'refused', code: 'out-of-order' });
    statement.lift();
    expect(await answer).toMatchObject({ type: 'vote', vote: { kind: 'prepared' } });
    const again = await wire.ask(wire.command('commit', 'ledger-west', working), west('commit'));
    expect(again).toMatchObject({ type: 'acknowledged', outcome: { kind: 'committed' } });
    expect(await stage().outcomeRow('ledger-west', working)).toBe('branch');
  });

  it('S37: a command of another version, cluster or participant, or none at all, is refused, counted and does nothing', async () => {
    const transaction = wire.newTransaction();
    const good = wire.command('prepare', 'ledger-west', transaction, { operations: [credit] });
    const foreign: readonly (readonly [string, WireMessage | string])[] = [
      ['unsupported-version', { ...good, v: 2 }],
      ['wrong-cluster', { ...good, cluster: 'zzzzzzzz' }],
      ['wrong-participant', { ...good, participant: 'ledger-east' }],
      ['malformed-message', { ...good, transaction: "x'; DROP TABLE account; --" }],
      ['malformed-message', 'no JSON at all'],
    ];
    for (const [code, message] of foreign) {
      expect(await wire.ask(message, west('prepare'))).toMatchObject({ type: 'refused', code });
    }
    // Asked until it is listed: who answers late is left out.
    const incidents = await waitFor(
      async () => {
        const key = stage().product.operatorKey;
        const { body } = await stage().product.request('GET', '/v1/participants', { key });
        const listed = body['participants'] as unknown as {
          participant: string;
          instances: { report: { incidents: Record<string, number> } }[];
        }[];
        const one = listed.find(({ participant }) => participant === 'ledger-west');
        return one?.instances[0]?.report.incidents;
      },
      { what: 'the west to be listed' },
    );
    expect(incidents['unreadable']).toBeGreaterThanOrEqual(5);
    expect(await stage().prepared()).toEqual([]);
    expect(await stage().outcomeRow('ledger-west', transaction)).toBeUndefined();
  });
});
