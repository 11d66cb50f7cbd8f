/** The audit holds what was written, in one order, and shows any later change. */
import { randomBytes } from 'node:crypto';
import { RegisterUnknown } from '@concordat/engine';
import { makeTransactionId, type Incarnation } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import type pg from 'pg';
import { DecisionLogStage } from '../../../../test/conformance/decision-log-stage.js';
import type { DecisionLog } from '../decision-log.js';
import { CursorRefused } from '../refusals.js';
import type { AuditDraft } from './audit-entry.js';

let stage: DecisionLogStage;
let log: DecisionLog;
let dba: pg.Client;

beforeAll(async () => {
  stage = await DecisionLogStage.open();
}, 60_000);

afterAll(() => stage.close());

beforeEach(async () => {
  const url = await stage.emptied();
  log = await stage.log(url);
  dba = await stage.dba(url);
});

const TRANSACTION = makeTransactionId(Date.now(), randomBytes(10), '7f3k9x2m' as Incarnation);

const entry = (more: Partial<AuditDraft> = {}): AuditDraft => ({
  by: 'ops',
  role: 'operator',
  action: 'retry',
  transaction: TRANSACTION,
  phase: 'asked',
  reason: 'Grüße, "quotes" and \\u0000 are kept',
  before: { status: 'committing', nested: { b: 1, a: [1.5, null, true] } },
  ...more,
});

/** As a superuser who has switched the guards off. */
async function tamper(statement: string): Promise<void> {
  await dba.query('ALTER TABLE concordat.audit DISABLE TRIGGER ALL');
  await dba.query('ALTER TABLE concordat.audit_head DISABLE TRIGGER ALL');
  await dba.query(statement);
}

describe('The audit', () => {
  it('gives back what was written, newest first, page by page', async () => {
    for (let at = 0; at < 5; at++) await log.audit.append([entry({ action: `a${at}` })]);
    const first = await log.audit.page({ limit: 3 });
    expect(first.entries.map((one) => one.action)).toEqual(['a4', 'a3', 'a2']);
    expect(first.entries[0]).toMatchObject(entry({ action: 'a4' }));
    const second = await log.audit.page({ limit: 3, cursor: first.nextCursor });
    expect(second.entries.map((one) => one.action)).toEqual(['a1', 'a0']);
    expect([first.chainIntact, second.chainIntact, second.nextCursor]).toEqual([
      true,
      true,
      undefined,
    ]);
    const another = log.audit.page({ limit: 3, by: 'ops', cursor: first.nextCursor });
    await expect(another).rejects.toThrow(CursorRefused);
  });

  it('is one chain, however many coordinators write at once', async () => {
    const other = await stage.log(await stageUrl());
    await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        (at % 2 ? log : other).audit.append([entry({ by: `p${at}` }), entry({ phase: 'done' })]),
      ),
    );
    expect(await log.audit.verify()).toEqual({ entries: 80, chainIntact: true });
    const ids = (await other.audit.page({ limit: 100 })).entries.map((one) => Number(one.id));
    expect(ids).toEqual(Array.from({ length: 80 }, (_, at) => 80 - at));
  });

  it('is unknown, and nothing worse, when its connection is lost in the middle', async () => {
    await dba.query('BEGIN');
    await dba.query('SELECT FROM concordat.audit_head FOR UPDATE');
    const asked = log.audit.append([entry()]);
    const killer = await stage.dba(await stageUrl());
    await waitFor(
      async () => {
        const { rows } = await killer.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'concordat operators' AND wait_event_type = 'Lock'`,
        );
        return rows.length > 0;
      },
      { what: 'the entry to wait for the head', everyMs: 5 },
    );
    await expect(asked).rejects.toThrow(RegisterUnknown);
    await dba.query('ROLLBACK');
    expect(await log.audit.append([entry()])).toMatchObject([{ id: '1' }]);
  });

  it.each([
    ['changes an entry', `UPDATE concordat.audit SET reason = 'another'`],
    ['deletes an entry', `DELETE FROM concordat.audit`],
    ['empties it', `TRUNCATE concordat.audit`],
    ['moves its head back', `UPDATE concordat.audit_head SET sequence = 0`],
    ['deletes its head', `DELETE FROM concordat.audit_head`],
  ])('refuses a statement that %s', async (_, statement) => {
    await log.audit.append([entry()]);
    for (const role of ['origin', 'replica']) {
      await dba.query(`SET session_replication_role = ${role}`);
      await expect(dba.query(statement)).rejects.toThrow(/is refused/);
    }
    expect(await log.audit.verify()).toEqual({ entries: 1, chainIntact: true });
  });

  it.each([
    ['a changed entry', `UPDATE concordat.audit SET reason = 'harmless' WHERE sequence = 2`],
    ['a removed entry', `DELETE FROM concordat.audit WHERE sequence = 2`],
    ['a removed beginning', `DELETE FROM concordat.audit WHERE sequence = 1`],
    ['a removed end', `DELETE FROM concordat.audit WHERE sequence = 3`],
    ['everything removed', `DELETE FROM concordat.audit`],
    [
      'two exchanged entries',
      `UPDATE concordat.audit SET sequence = CASE sequence WHEN 1 THEN 11 ELSE 12 END
        WHERE sequence < 3;
       UPDATE concordat.audit SET sequence = 13 - sequence WHERE sequence > 10`,
    ],
    [
      'a backdated entry',
      `UPDATE concordat.audit SET at = at - interval '1 day' WHERE sequence = 1`,
    ],
    [
      'an entry put under another name',
      `UPDATE concordat.audit SET principal = 'somebody' WHERE sequence = 3`,
    ],
  ])('shows %s, also with its guards switched off', async (_, statement) => {
    for (let at = 0; at < 3; at++) await log.audit.append([entry()]);
    await tamper(statement);
    expect((await log.audit.verify()).chainIntact).toBe(false);
  });
});

async function stageUrl(): Promise<string> {
  return stage.server.createDatabase('reused', 'coordinator');
}
