/**
 * A participant that knows Concordat only from docs/wire-protocol.md takes part in everything that
 * matters: commits, aborts, recovery after `kill -9`, and a heuristic outcome. What it says is checked
 * against the page's schemas.
 */
import { readFileSync } from 'node:fs';
import { waitFor } from '@concordat/testing';
import Ajv2020 from 'ajv/dist/2020.js';
import type { Frame } from '../faults/proxy/frame.js';
import { idOfAStranger, Product, type Json } from '../stage/product.js';
import { holdLedger, PointsOnStage } from './points-on-stage.js';

describe('A participant written without the library, from the page alone', () => {
  let product: Product;
  let points: PointsOnStage;

  beforeAll(async () => {
    product = await Product.start({ participants: ['ledger-east'] });
    points = await PointsOnStage.start(product);
    const operations = [{ name: 'open', input: { account: 'alice', amount: 1_000 } }];
    await product
      .client()
      .transactions.submit(
        { branches: [{ participant: 'ledger-east', operations }] },
        { until: 'completed' },
      );
  });

  afterAll(async () => {
    await points?.dispose();
    await product?.dispose();
  });

  const money = async (): Promise<number> => {
    const text = 'SELECT balance FROM account WHERE id = $1';
    const [row] = await product.sql<{ balance: string }>('ledger-east', text, ['alice']);
    return Number(row?.balance);
  };

  /** A purchase: so much is debited at ledger-east, and points are earned, spent or read. */
  const purchase = (amount: number, name: string, input: object, until = 'completed') =>
    product.request('POST', `/v1/transactions?until=${until}&wait=60s`, {
      body: {
        timeoutMs: 30_000,
        commit: true,
        branches: [
          { participant: 'points', operations: [{ name, input }] },
          {
            participant: 'ledger-east',
            operations: [{ name: 'debit', input: { account: 'alice', amount } }],
          },
        ],
      },
    });

  it('commits together with a ledger', async () => {
    const { status, body } = await purchase(10, 'earn', { customer: 'alice', points: 5 });
    expect(status).toBe(200);
    expect(body['branches']).toMatchObject([
      { participant: 'points', outcome: { kind: 'committed' }, outputs: [{ points: 5 }] },
      { participant: 'ledger-east', outcome: { kind: 'committed' }, outputs: [{ balance: 990 }] },
    ]);
    expect([await points.balance('alice'), await money()]).toEqual([5, 990]);
    expect(await points.outcomeRow(String(body['transactionId']))).toBe('branch');
  });

  it('refuses for a reason of its own, and the ledger keeps the money', async () => {
    const before = [await points.balance('alice'), await money()];
    const { status, body } = await purchase(10, 'spend', { customer: 'alice', points: 6 });
    expect(status).toBe(409);
    expect(body['cause']).toMatchObject({
      kind: 'vote',
      participant: 'points',
      code: 'NOT_ENOUGH_POINTS',
      retryable: false,
      details: { customer: 'alice' },
    });
    await product.untilNothingInDoubt();
    expect([await points.balance('alice'), await money()]).toEqual(before);
  });

  it('gives back what it prepared when the ledger refuses, and leaves a tombstone', async () => {
    const before = [await points.balance('alice'), await money()];
    const { status, body } = await purchase(5_000, 'earn', { customer: 'alice', points: 50 });
    expect(status).toBe(409);
    expect(body['cause']).toMatchObject({
      participant: 'ledger-east',
      code: 'INSUFFICIENT_FUNDS',
    });
    await product.untilNothingInDoubt();
    expect([await points.balance('alice'), await money()]).toEqual(before);
    await waitFor(
      async () => (await points.outcomeRow(String(body['transactionId']))) === 'tombstone',
      {
        what: 'points to leave a tombstone',
      },
    );
  });

  it('is read-only, and out of the second round, when it wrote nothing', async () => {
    const { status, body } = await purchase(10, 'balance', { customer: 'alice' });
    expect(status).toBe(200);
    expect(body['branches']).toMatchObject([
      { vote: { kind: 'read-only' }, outputs: [{ points: 5 }] },
      { vote: { kind: 'prepared' } },
    ]);
    expect(await points.outcomeRow(String(body['transactionId']))).toBeUndefined();
  });

  it('says its vote again when that was lost with its link, and commits', async () => {
    const before = await points.balance('alice');
    const isVote = ({ from, text }: Frame) => from === 'client' && text.includes('"type":"vote"');
    const lost = points.wire.rule('the vote', isVote, 'cut-before');
    const { status } = await purchase(10, 'earn', { customer: 'alice', points: 3 });
    await lost.waitForHit();
    expect(status).toBe(200);
    expect(await points.balance('alice')).toBe(before + 3);
  });

  it('has no open branches, and the coordinator says so at once', async () => {
    const begun = await product.request('POST', '/v1/transactions', { body: {} });
    const operations = [{ name: 'earn', input: { customer: 'alice', points: 1 } }];
    const { status, body } = await product.request(
      'POST',
      `/v1/transactions/${String(begun.body['transactionId'])}/branches`,
      { body: { participant: 'points', operations } },
    );
    expect(status).toBe(409);
    expect(body['cause']).toMatchObject({ kind: 'unreachable', participant: 'points' });
  });

  it('is listed beside the others, with what it reports of itself', async () => {
    // Asked until it is: who answers later than the others is left out.
    const listed = await waitFor(
      async () => {
        const key = product.operatorKey;
        const { body } = await product.request('GET', '/v1/participants', { key });
        const all = body['participants'] as unknown as { participant: string }[];
        return all.find(({ participant }) => participant === 'points');
      },
      { what: 'points to be listed' },
    );
    expect(listed).toEqual({
      participant: 'points',
      instances: [
        expect.objectContaining({
          version: '1.0.0',
          report: { working: 0, inDoubt: 0, inDoubtMax: 8 },
        }),
      ],
    });
  });

  describe('while the ledger has not voted yet', () => {
    let letLedgerGo: () => Promise<void>;

    beforeEach(async () => {
      letLedgerGo = await holdLedger(product);
    });

    afterEach(async () => {
      await letLedgerGo();
      await product.restore();
      await product.untilNothingInDoubt();
    });

    it('is killed, asks when it is back, keeps its branch, and commits it once that is decided', async () => {
      const before = await points.balance('alice');
      const answer = purchase(1, 'earn', { customer: 'alice', points: 7 });
      const gid = await product.untilVoted('points');
      await points.kill();
      await points.startProcess();
      await points.process.waitForOutput(`${gid} inquired: undecided`);
      expect(await product.untilPrepared(1)).toEqual([gid]);
      await letLedgerGo();
      expect(await answer).toMatchObject({ status: 200, body: { outcome: 'committed' } });
      expect(await points.balance('alice')).toBe(before + 7);
    });

    it('is killed, the decision falls without it, and it commits when it is back', async () => {
      const before = await points.balance('alice');
      const answer = purchase(1, 'earn', { customer: 'alice', points: 8 }, 'decided');
      const gid = await product.untilVoted('points');
      await points.kill();
      await letLedgerGo();
      expect(await answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
      expect((await product.prepared()).map((one) => one.gid)).toContain(gid);
      await points.startProcess();
      await product.untilNothingInDoubt();
      expect(await points.balance('alice')).toBe(before + 8);
    });

    it('waits while no coordinator is there, and rolls back when the next one says abort', async () => {
      const before = await points.balance('alice');
      const lost = expect(purchase(1, 'earn', { customer: 'alice', points: 9 })).rejects.toThrow();
      const [gid] = await product.untilPrepared(1);
      await product.kill('coordinator');
      await lost;
      await points.process.waitForOutput(`${gid} inquired: no answer`);
      expect((await product.prepared()).map((one) => one.gid)).toContain(gid);
      await product.startService('coordinator');
      await points.process.waitForOutput(`${gid} inquired: abort`);
      await letLedgerGo();
      await product.untilNothingInDoubt();
      expect(await points.balance('alice')).toBe(before);
    });

    it('finds its branch rolled back by a DBA, and the transaction is heuristic', async () => {
      const before = await points.balance('alice');
      const answer = purchase(1, 'earn', { customer: 'alice', points: 10 });
      const [gid] = await product.untilPrepared(1);
      await points.sql(`ROLLBACK PREPARED '${gid}'`);
      await letLedgerGo();
      const { status, body } = await answer;
      expect(status).toBe(409);
      expect(body).toMatchObject({
        code: 'heuristic-outcome',
        outcome: 'heuristic-mixed',
        branches: [{ participant: 'points', evidence: { decision: 'commit', found: 'missing' } }],
      });
      expect(await points.balance('alice')).toBe(before);
    });
  });

  describe('asked directly', () => {
    /** Older than anything a coordinator keeps: an inquiry gets "forgotten" and the branch is kept. */
    const ids = (ordinal: number) => ({
      transaction: `0000000000000000000000000${ordinal}-0perat0r`,
      branch: '1',
      timeLeftMs: 2_000,
    });
    const earning = (customer: string) => ({
      participants: ['points'],
      operations: [{ name: 'earn', input: { customer, points: 1 } }],
    });

    it('lets no prepare land that comes after its abort', async () => {
      const aborted = await points.command('abort', ids(1));
      expect(aborted['outcome']).toEqual({ kind: 'aborted' });
      const late = await points.command('prepare', { ...ids(1), ...earning('late') });
      expect(late['vote']).toMatchObject({ kind: 'no', code: 'ALREADY_FINISHED' });
      expect(await points.balance('late')).toBe(0);
    });

    it('runs a prepare once, also when it comes again with other work', async () => {
      const prepare = { ...ids(2), ...earning('once') };
      expect(await points.command('prepare', prepare)).toMatchObject({
        vote: { kind: 'prepared' },
      });
      const second = { ...ids(2), ...earning('twice'), timeLeftMs: 2_000 };
      expect(await points.command('prepare', second)).toMatchObject({
        vote: { kind: 'no', code: 'ALREADY_FINISHED' },
      });
      // A second commit gets the same answer; an abort then gets what really happened.
      const committed = { outcome: { kind: 'committed' } };
      expect(await points.command('commit', ids(2))).toMatchObject(committed);
      expect(await points.command('commit', ids(2))).toMatchObject(committed);
      expect(await points.command('abort', ids(2))).toMatchObject({
        outcome: { kind: 'heuristic', evidence: { decision: 'abort', found: 'committed' } },
      });
      expect([await points.balance('once'), await points.balance('twice')]).toEqual([1, 0]);
    });

    it('carries out decisions while every prepare hangs, and lets none land that was aborted', async () => {
      const inBranch = (branch: number) => ({ ...ids(8), branch: String(branch) });
      expect(
        await points.command('prepare', { ...inBranch(1), ...earning('quick') }),
      ).toMatchObject({
        vote: { kind: 'prepared' },
      });
      const letGo = await points.hold();
      const hanging = [2, 3, 4, 5, 6, 7, 8].map((branch) =>
        points.command('prepare', { ...inBranch(branch), ...earning('once'), timeLeftMs: 20_000 }),
      );
      try {
        await points.untilHanging(hanging.length);
        const ninth = await points.command('prepare', { ...inBranch(9), ...earning('ninth') });
        expect(ninth['vote']).toMatchObject({ code: 'IN_DOUBT_LIMIT', retryable: true });
        const committed = await points.command('commit', inBranch(1));
        expect(committed['outcome']).toEqual({ kind: 'committed' });
        for (const branch of [2, 3, 4, 5, 6, 7, 8]) {
          const aborted = await points.command('abort', inBranch(branch));
          expect(aborted['outcome']).toEqual({ kind: 'aborted' });
        }
      } finally {
        await letGo();
      }
      for (const answer of await Promise.all(hanging)) {
        expect(answer['vote']).toMatchObject({ kind: 'no', code: 'ALREADY_FINISHED' });
      }
      expect([await points.balance('quick'), await points.balance('once')]).toEqual([1, 1]);
    });

    it('reports a branch that a DBA finished while it asked, until that is recorded', async () => {
      const transaction = idOfAStranger();
      const gid = `cc:${await product.cluster()}:${transaction}:1`;
      // Decisions may be read and not made: the waiting statement records an abort for the inquiry.
      const statement = 'LOCK TABLE concordat.decision IN SHARE MODE';
      const letRegisterGo = await product.hold('concordat', statement);
      const prepare = { transaction, branch: '1', timeLeftMs: 2_000, ...earning('by-hand') };
      try {
        expect(await points.command('prepare', prepare)).toMatchObject({
          vote: { kind: 'prepared' },
        });
        await product.untilWaiting('concordat', 1);
        await points.sql(`COMMIT PREPARED '${gid}'`);
      } finally {
        await letRegisterGo();
      }
      await points.process.waitForOutput(`${gid} reported: recorded`);
      const recorded = await product.sql(
        'concordat',
        'SELECT branch, participant, decision FROM concordat.heuristic WHERE transaction = $1',
        [transaction],
      );
      expect(recorded).toEqual([{ branch: '1', participant: 'points', decision: 'abort' }]);
    });

    it('goes on when its database has crashed and its broker was away', async () => {
      const { postgres, nats } = product.stack;
      const prepared = { vote: { kind: 'prepared' } };
      const prepare = { ...ids(6), ...earning('durable') };
      expect(await points.command('prepare', prepare)).toMatchObject(prepared);
      await postgres.stop({ mode: 'immediate' });
      await postgres.start();
      await nats.stop();
      await nats.start();
      await waitFor(
        async () => (await points.command('commit', ids(6), 1_000))['type'] === 'acknowledged',
        {
          what: 'points to carry out a commit again',
          timeoutMs: 30_000,
        },
      );
      expect(await points.balance('durable')).toBe(1);
    });

    it('keeps a branch past retention, and leaves alone what is not its own', async () => {
      const own = `cc:${await points.cluster()}:${ids(7).transaction}:1`;
      const foreign = ['nightly-job-17', `cc:e1sewher:${ids(7).transaction}:1`];
      await points.command('prepare', { ...ids(7), ...earning('forgotten') });
      for (const gid of foreign) {
        await points.sql(`BEGIN; CREATE TABLE "${gid}" (); PREPARE TRANSACTION '${gid}'`);
      }
      await points.kill();
      await points.startProcess();
      await points.process.waitForOutput(`${own} inquired: forgotten`);
      const prepared = (await product.prepared()).map(({ gid }) => gid);
      expect(prepared.sort()).toEqual([own, ...foreign].sort());
      for (const gid of prepared) await points.sql(`ROLLBACK PREPARED '${gid}'`);
    });

    it('does not run what wants its answer where it may not answer', async () => {
      const elsewhere = `concordat.${await points.cluster()}.v1.cmd.ledger-east.abort`;
      await points.publish('prepare', { ...ids(3), ...earning('forged') }, elsewhere);
      await points.process.waitForOutput(`dropped prepare: its answer would go to ${elsewhere}`);
      expect(await points.balance('forged')).toBe(0);
      expect(await product.prepared()).toEqual([]);
    });

    it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
      ['another version', { v: 2 }, { code: 'unsupported-version' }],
      ['another cluster', { cluster: 'e1sewher' }, { code: 'wrong-cluster' }],
      [
        'a field it cannot read',
        { timeLeftMs: -1 },
        { code: 'malformed-message', field: 'timeLeftMs' },
      ],
    ])('refuses %s', async (_what, fields, refusal) => {
      const answer = await points.command('commit', { ...ids(4), ...fields });
      expect(answer).toMatchObject({ type: 'refused', ...refusal });
    });

    it('reads past fields that it does not know', async () => {
      const answer = await points.command('abort', { ...ids(5), someday: { a: [1] } });
      expect(answer).toMatchObject({ outcome: { kind: 'aborted' } });
    });
  });

  it('has said nothing that is not in the schemas of the page', () => {
    const ajv = new Ajv2020.default({ strict: false });
    const faults = points.said.filter(({ message }) => {
      const type = String(message['type']);
      const file = new URL(`../../docs/wire-protocol/schema/${type}.json`, import.meta.url);
      const validate =
        ajv.getSchema(`concordat:v1:${type}`) ??
        ajv.compile(JSON.parse(readFileSync(file, 'utf8')) as object);
      return !validate(message);
    });
    expect(faults).toEqual([]);
    const types = new Set<Json>(points.said.map(({ message }) => message['type'] as Json));
    for (const type of ['vote', 'acknowledged', 'inspected', 'refused', 'standing']) {
      expect(types).toContain(type);
    }
  });
});
