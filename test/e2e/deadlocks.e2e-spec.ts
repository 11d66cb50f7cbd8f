/**
 * Transactions that wait for each other in different databases, where no database sees a cycle: each is
 * found and broken within a moment, at its youngest, with any coordinators as owners; a transaction that
 * waits for a row of another session continues to wait.
 */
import type { Transaction } from '@concordat/client';
import { connect } from '@nats-io/transport-node';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { Product, transferBody, type CoordinatorId } from '../stage/product.js';
import { EAST, TIMEOUT_MS, WEST, backwards, begin, causeOf, timed } from './waiting-clients.js';

/** Far longer than it takes, far shorter than anything else that would end it. */
const SOON_MS = 10_000;

describe('Transactions that wait for each other', () => {
  let product: Product;

  beforeAll(async () => {
    product = await Product.start({ env: { CONCORDAT_BLOCKING_AFTER_MS: '500' } });
    await product.startService('coordinator-2');
    await product.openAccounts(1_000_000);
    const operations = [{ name: 'open', input: { account: 'carol', amount: 1_000_000 } }];
    const branches = [{ participant: EAST, operations }];
    await product.client().transactions.submit({ branches }, { until: 'completed' });
  });

  afterAll(() => product.dispose());

  it('step by step at two coordinators: the younger gives way at once, and says why', async () => {
    const older = await begin(product);
    const younger = await begin(product, 'coordinator-2', older);
    await older.change(EAST, 'alice');
    await younger.change(WEST, 'bob');
    const waiting = older.change(WEST, 'bob');
    const lost = await younger.change(EAST, 'alice');
    expect(lost.status).toBe(409);
    expect(lost.body).toMatchObject({ retryable: true });
    expect(causeOf(lost)).toBe('DISTRIBUTED_DEADLOCK');
    const { waits } = lost.body['cause']?.['details'] ?? {};
    expect(waits).toEqual([
      expect.objectContaining({
        ...{ transaction: younger.id, participant: EAST, heldBy: older.id, relation: 'account' },
      }),
      expect.objectContaining({ transaction: older.id, participant: WEST, heldBy: younger.id }),
    ]);
    expect(await waiting).toMatchObject({ status: 200 });
    expect(lost.tookMs).toBeLessThan(SOON_MS);
    expect((await older.commit()).body).toMatchObject({ decision: 'commit' });
    await product.untilAllEnded();
  });

  it('three of them, of two coordinators: one gives way, and the others go on', async () => {
    const first = await begin(product);
    const second = await begin(product, 'coordinator-2', first);
    const third = await begin(product, 'coordinator', second);
    await first.change(EAST, 'alice');
    await second.change(WEST, 'bob');
    await third.change(EAST, 'carol');
    const waits = [first.change(WEST, 'bob'), second.change(EAST, 'carol')];
    const lost = await third.change(EAST, 'alice');
    expect(causeOf(lost)).toBe('DISTRIBUTED_DEADLOCK');
    expect(lost.tookMs).toBeLessThan(SOON_MS);
    expect(await waits[1]).toMatchObject({ status: 200 });
    expect((await second.commit()).body).toMatchObject({ decision: 'commit' });
    expect(await waits[0]).toMatchObject({ status: 200 });
    expect((await first.commit()).body).toMatchObject({ decision: 'commit' });
    await product.untilAllEnded();
  });

  it('in one call each, and many at once: no one waits for its time to be over', async () => {
    const before = await product.balances();
    const bodies = Array.from({ length: 12 }, (_, n) =>
      n % 2 === 0 ? transferBody(1, { timeoutMs: TIMEOUT_MS }) : backwards(),
    );
    const ends = await Promise.all(
      bodies.map(async (body, n) => {
        const at: CoordinatorId = n % 4 < 2 ? 'coordinator' : 'coordinator-2';
        return timed(product.request('POST', '/v1/transactions?until=completed', { body, at }));
      }),
    );
    const committed = ends.filter(({ status }) => status === 200).length;
    const victims = ends.filter((one) => causeOf(one) === 'DISTRIBUTED_DEADLOCK').length;
    expect(committed + victims).toBe(ends.length);
    expect(committed).toBeGreaterThan(0);
    expect(Math.max(...ends.map(({ tookMs }) => tookMs))).toBeLessThan(TIMEOUT_MS / 2);
    await product.untilAllEnded();
    const { alice, bob } = await product.balances();
    expect(alice + bob).toBe(before.alice + before.bob);
  });

  it('cost no message while no branch waits', async () => {
    const heard: string[] = [];
    const nats = await connect({ servers: product.stack.nats.url });
    nats.subscribe(`concordat.${await product.cluster()}.v1.coord.>`, {
      callback: (_error, { subject }) => {
        if (/waits/.test(subject)) heard.push(subject);
      },
    });
    await nats.flush();
    const path = '/v1/transactions?until=completed';
    for (let n = 0; n < 20; n++) {
      expect((await product.request('POST', path, { body: transferBody(1) })).status).toBe(200);
    }
    await nats.close();
    expect(heard).toEqual([]);
  });

  it('who waits for a row that no transaction of ours holds waits on, and is counted', async () => {
    const { ledger_west: connectionString } = product.stack.databases;
    const holder = new pg.Client({ connectionString, application_name: 'month end' });
    await holder.connect();
    await holder.query(`BEGIN; SELECT FROM account WHERE id = 'bob' FOR UPDATE`);
    const body = transferBody(1, { timeoutMs: TIMEOUT_MS });
    const answer = product.request('POST', '/v1/transactions', { body });
    const metric = async (name: string) =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metricsOf(product))?.[1]);
    const broken = await metric('concordat_deadlocks_broken_total');
    await waitFor(async () => (await metric('concordat_waiting_branches')) === 1, {
      what: 'the wait to be counted',
    });
    await holder.end();
    expect(await answer).toMatchObject({ status: 200, body: { decision: 'commit' } });
    await waitFor(async () => (await metric('concordat_waiting_branches')) === 0, {
      what: 'the wait to be taken back',
    });
    expect(await metric('concordat_deadlocks_broken_total')).toBe(broken);
  });

  describe('are seen', () => {
    const stuckAt = (at: CoordinatorId) =>
      product.admin(product.viewerKey, at).transactions({ view: 'stuck' });
    const until = <T>(what: string, look: () => Promise<T | undefined>) =>
      waitFor(look, { what, timeoutMs: SOON_MS });
    const publicly = async (id: string, at: CoordinatorId, key?: string) => {
      const { body } = await product.request('GET', `/v1/transactions/${id}`, { at, key });
      return (body as unknown as Transaction).branches[0]?.waitsFor;
    };

    it('with the session that holds the row, at any coordinator, and that session is a finding', async () => {
      const { ledger_west: connectionString } = product.stack.databases;
      const holder = new pg.Client({ connectionString, application_name: 'month end' });
      await holder.connect();
      const { rows } = await holder.query<{ pid: number; user: string }>(
        'SELECT pg_backend_pid() AS pid, current_user AS user',
      );
      const session = { kind: 'session', application: 'month end', ...rows[0] };
      await holder.query(`BEGIN; SELECT FROM account WHERE id = 'bob' FOR UPDATE`);
      const waiter = await begin(product);
      const waiting = waiter.change(WEST, 'bob');
      try {
        const told = await until('the wait to be reported', async () => {
          const one = await product.admin(product.viewerKey).transaction(waiter.id);
          return one.branches[0]?.waitsFor?.waits.length === 1 ? one : undefined;
        });
        expect(told.branches[0]?.waitsFor).toMatchObject({
          known: true,
          asOf: expect.any(String),
          waits: [{ for: { relation: 'account' }, heldBy: [session] }],
        });
        expect(told.explanation.why).toMatch(
          /^Open since .*: it waits for row \(0,\d+\) of `account` at `ledger-west`, held by session pid \d+ of application `month end`, user `\w+` \(/,
        );
        const since = told.branches[0]?.waitsFor?.waits[0]?.since;
        for (const at of ['coordinator', 'coordinator-2'] as const) {
          // The owner of the transaction is asked: it reports the same time everywhere.
          const seen = await until(`${at} to know the branch`, () =>
            publicly(waiter.id, at, product.viewerKey),
          );
          expect([at, seen.waits]).toMatchObject([at, [{ since, heldBy: [session] }]]);
          // A client learns that a session holds it, and not whose.
          expect((await publicly(waiter.id, at))?.waits[0]?.heldBy).toEqual([{ kind: 'session' }]);
          await until(`${at} to list who blocks`, async () =>
            (await stuckAt(at)).blockers?.find((one) => one.holder.pid === session.pid),
          );
          const { blockers } = await product.admin(product.viewerKey, at).participant(WEST);
          expect(blockers).toMatchObject([
            { holder: session, sessions: 1, transactions: [waiter.id], participant: WEST },
          ]);
        }
        // Participants are asked every two seconds while somebody looks.
        const metrics = await until('the wait to be counted', async () => {
          const text = await metricsOf(product);
          const counted = /participant_blocked_sessions\{participant="ledger-west"\} 1$/m;
          const unprepared = /participant_in_doubt\{participant="ledger-west"\} 0$/m;
          return counted.test(text) && unprepared.test(text) ? text : undefined;
        });
        expect(metrics).toMatch(/participant_blocked_by_others\{participant="ledger-west"\} 1$/m);
        expect(metrics).toMatch(/participant_waiting_branches\{participant="ledger-east"\} 0$/m);
      } finally {
        await holder.end();
      }
      expect(await waiting).toMatchObject({ status: 200 });
      await until('the end of the wait to be reported', async () => {
        const told = await publicly(waiter.id, 'coordinator');
        return told?.known && told.waits.length === 0 ? told : undefined;
      });
      await waiter.commit();
    });

    it('with the open transaction that holds the row, which is stuck as soon as it blocks others', async () => {
      const holder = await begin(product, 'coordinator-2');
      await holder.change(WEST, 'bob');
      const waiter = await begin(product);
      const waiting = waiter.change(WEST, 'bob');
      const teller = product.sql('ledger-west', `UPDATE account SET balance = 0 WHERE id = 'bob'`);
      teller.catch(() => undefined);
      for (const at of ['coordinator', 'coordinator-2'] as const) {
        const list = await until(`${at} to list who blocks`, async () => {
          const one = await stuckAt(at);
          const isListed = one.transactions.some((row) => row.blocks?.sessions === 2);
          // A count is made once for all requests within some seconds.
          return isListed && one.count?.value === 1 ? one : undefined;
        });
        expect(list.count?.isMore).toBe(false);
        expect(list.transactions).toMatchObject([
          {
            ...{ transactionId: holder.id, status: 'active', blockedSessions: 2 },
            blocks: { transactions: [waiter.id], participants: [WEST] },
            why: expect.stringMatching(
              /blocks 2 sessions at `ledger-west` \([\d.]+ m?s so far\)\.$/,
            ),
          },
        ]);
        const admin = product.admin(product.viewerKey, at);
        await until('the overview to count it', async () =>
          (await admin.overview()).stuck === 1 ? true : undefined,
        );
        const shown = await admin.transaction(holder.id);
        expect(shown.explanation.severity).toBe('stuck');
        expect(
          shown.waiters?.map(({ waiter: one }) => one.transactionId ?? one.kind).sort(),
        ).toEqual([waiter.id, 'session'].sort());
        const blocked = await admin.transaction(waiter.id);
        expect(blocked.branches[0]?.waitsFor?.waits[0]?.heldBy).toMatchObject([
          { kind: 'branch', transactionId: holder.id, status: 'active', prepared: false },
        ]);
        expect(blocked.explanation.why).toContain(`held by transaction \`${holder.id}\``);
      }
      await holder.commit();
      expect(await waiting).toMatchObject({ status: 200 });
      await waiter.commit();
      await teller;
      await until('the list to be empty', async () => {
        const { transactions, count } = await stuckAt('coordinator');
        return transactions.length === 0 && count?.value === 0;
      });
    });

    it('as the cycle that was broken, at its victim permanently, and at the others for a while', async () => {
      const older = await begin(product);
      const younger = await begin(product, 'coordinator-2', older);
      await older.change(EAST, 'alice');
      await younger.change(WEST, 'bob');
      const waiting = older.change(WEST, 'bob');
      expect(causeOf(await younger.change(EAST, 'alice'))).toBe('DISTRIBUTED_DEADLOCK');
      expect(await waiting).toMatchObject({ status: 200 });
      const cycle = {
        ...{ state: 'broken', victim: younger.id, at: expect.any(String) },
        waits: [
          expect.objectContaining({
            transactionId: younger.id,
            participant: EAST,
            heldBy: older.id,
          }),
          expect.objectContaining({
            transactionId: older.id,
            participant: WEST,
            heldBy: younger.id,
          }),
        ],
      };
      const cyclesOf = async (id: string, at: CoordinatorId) =>
        (await product.admin(product.viewerKey, at).transaction(id)).cycles;
      expect(await cyclesOf(younger.id, 'coordinator-2')).toEqual([cycle]);
      // The victim's owner has broken it, and knows it; of others, only the victim's record shows it.
      expect(await cyclesOf(older.id, 'coordinator-2')).toEqual([cycle]);
      await until('the last report of the cycle to be replaced', async () => {
        return (await cyclesOf(older.id, 'coordinator')) === undefined;
      });
      await until('the record to show it elsewhere', async () => {
        const found = await cyclesOf(younger.id, 'coordinator');
        return found !== undefined;
      });
      await older.commit();
    });

    it('as not known where the owner does not answer, or the participant does not report it', async () => {
      const waiter = await begin(product, 'coordinator-2');
      await waiter.change(WEST, 'bob');
      expect(
        await until('the branch to be known', () => publicly(waiter.id, 'coordinator')),
      ).toMatchObject({ known: true, waits: [] });
      const owner = product.service('coordinator-2');
      owner.kill('SIGSTOP');
      try {
        expect(await publicly(waiter.id, 'coordinator')).toEqual({ known: false, waits: [] });
      } finally {
        owner.kill('SIGCONT');
      }
      await waiter.commit();
    });
  });
});

async function metricsOf(product: Product): Promise<string> {
  const response = await fetch(`${product.coordinatorUrl}/metrics`, {
    headers: { authorization: `Bearer ${product.viewerKey}` },
  });
  return response.text();
}
