/**
 * S16, S17, S22 to S26, S28, S30, S31: what databases and those who administer them do to a transaction; the
 * cases are in databases.cases.ts. S28 is no case: it is about what is shown while a branch stays prepared.
 */
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { command, inquiry } from '../cases/commands.js';
import { itHolds, onStage } from '../cases/run.js';
import { DATABASES } from './databases.cases.js';

/** Few, so that they can all be taken. */
const SLOTS = 24;
const SETTINGS = { max_prepared_transactions: SLOTS };

onStage('When a database fails', { postgres: { settings: SETTINGS } }, (stage) => {
  itHolds(stage, DATABASES);

  it('S28: a branch that stays prepared is shown with its age, the table it locks and who waits for it', async () => {
    const { broker } = stage().wire('coordinator');
    const west = command('commit', 'ledger-west');
    const held = broker.rule('every commit', west, 'hold', { times: Infinity });
    const inquiries = stage().wire('ledger-west').broker.rule('its inquiries', inquiry, 'drop');
    expect(await stage().post()).toMatchObject({ status: 200 });
    await held.waitForHit();
    const blocked = new pg.Client({
      connectionString: stage().product.stack.databases.ledger_west,
    });
    await blocked.connect();
    const waiting = blocked.query("UPDATE account SET balance = balance WHERE id = 'bob'");
    try {
      const { prepared, locks } = await waitFor(
        async () => {
          const report = await reportOf('ledger-west');
          const isSeen = report.locks?.[0]?.waiting === 1 && report.prepared.inDoubt === 1;
          return isSeen ? report : undefined;
        },
        { what: 'the report to show who waits' },
      );
      expect(prepared).toMatchObject({ inDoubt: 1, oldestAgeMs: expect.any(Number) });
      expect(prepared.oldestAgeMs).toBeGreaterThan(0);
      expect(locks[0]?.locks).toContainEqual({ relation: 'account', mode: 'RowExclusiveLock' });
      expect(await stage().metric('concordat_unfinished_oldest_seconds')).toBeGreaterThan(0);
      await inquiries.waitForHit();
    } finally {
      held.lift();
      await waiting;
      await blocked.end();
    }
    expect(await stage().moved()).toBe(100);
  });

  interface Report {
    readonly prepared: { readonly inDoubt: number; readonly oldestAgeMs: number };
    readonly locks: readonly { readonly waiting: number; readonly locks: readonly object[] }[];
  }

  async function reportOf(participant: string): Promise<Report> {
    const key = stage().product.operatorKey;
    const { body } = await stage().product.request('GET', '/v1/participants', { key });
    const listed = body['participants'] as unknown as {
      participant: string;
      instances: { report: Report }[];
    }[];
    const found = listed.find((one) => one.participant === participant)?.instances[0]?.report;
    if (!found) throw new Error(`${participant} is not listed`);
    return found;
  }
});
