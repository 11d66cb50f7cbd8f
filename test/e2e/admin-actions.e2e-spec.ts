/** What operators do, on real stuck transactions: each action, each guard, and what the audit keeps. */
import { randomBytes } from 'node:crypto';
import type { ActionRequest, AdminTransaction } from '@concordat/client';
import {
  formatGid,
  lowestTransactionIdAt,
  makeTransactionId,
  tokenFrom,
  type BranchId,
} from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import pg from 'pg';
import { Product, transferBody } from '../stage/product.js';
import { refusal } from '../stage/refusal.js';

/**
 * Participants that resolve nothing by themselves, so that what is stuck stays stuck, and coordinators that
 * notice it soon.
 */
const PATIENT = { CONCORDAT_GRACE_MS: '3600000', CONCORDAT_COMPARE_PERIOD_MS: '2000' };

let product: Product;

beforeAll(async () => {
  product = await Product.start({ armable: true, env: PATIENT });
  await product.openAccounts(100_000);
}, 180_000);

afterAll(() => product.dispose());
afterEach(() => product.restore(), 120_000);

/** A commit that the west has voted for and does not carry out: the action delivers it, and it does. */
async function stuckCommit(how: 'kill' | 'stop' | 'hang'): Promise<string> {
  await product.untilAllEnded(); // What an earlier test left must not meet this one's crash point.
  product.arm('ledger-west', `commit.pre=${how}`);
  const { body } = await product.request('POST', '/v1/transactions', {
    body: transferBody(1),
  });
  expect(body).toMatchObject({ decision: 'commit' });
  const id = String(body['transactionId']);
  await waitFor(
    async () => (await product.admin().transaction(id)).branches[0]?.outcome !== undefined,
    { what: 'the east to acknowledge', timeoutMs: 30_000 },
  );
  return id;
}

async function act(
  id: string,
  request: ActionRequest,
  { key = product.operatorKey, etag }: { key?: string; etag?: string } = {},
) {
  const seen = etag ?? (await product.admin().transaction(id)).etag;
  return product.admin(key).act(id, request, seen);
}

const actionOf = ({ actions }: AdminTransaction, name: string) =>
  actions.find((one) => one.action === name);

describe('A stuck commit', () => {
  it('is explained, and never offers the opposite of the decision', async () => {
    const id = await stuckCommit('kill');
    const shown = await product.admin(product.viewerKey).transaction(id);
    expect(shown.explanation.why).toMatch(/^COMMIT durable since .* UTC; `ledger-west` /);
    expect(shown.explanation.next).toMatch(/`ledger-west` commits as soon as it can be reached\.$/);
    const [east, west] = shown.branches;
    expect(east?.runbook.map((one) => one.sql).join()).not.toMatch(/ PREPARED '/);
    expect(west?.runbook.map((one) => one.sql)).toContain(`COMMIT PREPARED '${west?.gid ?? ''}';`);
    expect(JSON.stringify(west?.runbook)).not.toContain('ROLLBACK PREPARED');
    expect(actionOf(shown, 'retry')?.offered).toBe(true);
    expect(actionOf(shown, 'abort')).toMatchObject({ offered: false });
    expect(actionOf(shown, 'force-abort-branch')).toMatchObject({ offered: false });
    const refused = await refusal(act(id, { action: 'abort', reason: 'I want it gone' }));
    expect([refused.status, refused.code]).toEqual([409, 'not-offered']);
    expect(refused.message).toMatch(/COMMIT was decided at .* cannot be undone/);
  });

  it('is retried, and the answer says that its participant cannot be reached', async () => {
    const id = await stuckCommit('kill');
    const done = await act(id, { action: 'retry' });
    expect(done.branches).toEqual([
      expect.objectContaining({ participant: 'ledger-west', result: 'unreachable' }),
    ]);
    expect(done.summary).toBe('COMMIT decided: `ledger-west` cannot be reached.');
    expect(done.transaction.status).toBe('committing');
  });

  it('is retried, and the answer says that it is committed', async () => {
    const id = await stuckCommit('stop');
    const { etag } = await product.admin().transaction(id);
    const asked = act(id, { action: 'retry', branch: '2' }, { etag });
    const text = `SELECT 1 FROM concordat.audit WHERE transaction = $1 AND action = 'retry'`;
    await waitFor(async () => (await product.sql('concordat', text, [id])).length > 0, {
      what: 'the retry to be in the audit, so that it was judged by what it saw',
    });
    product.service('ledger-west').kill('SIGCONT');
    const done = await asked;
    expect(done.branches).toEqual([
      expect.objectContaining({ branch: '2', participant: 'ledger-west', result: 'done' }),
    ]);
    await waitFor(
      async () => (await product.admin().transaction(id)).transaction.status === 'committed',
      { what: 'the transaction to be committed' },
    );
  });

  it('shows which sessions its branch blocks, and comes before those that block none', async () => {
    const id = await stuckCommit('hang');
    const blocked = await waitForBob();
    try {
      const blocks =
        /holds \d+ locks? on `account`, blocks 1 session at `ledger-west` \(\d+ m?s so far\)\.$/;
      const shown = await waitFor(
        async () => {
          const seen = await product.admin().transaction(id);
          const held = seen.branches[1]?.prepared;
          const isListed = held !== undefined && held.waiters.length > 0;
          // Waits are reported apart from inspections: until one lists it, the list is not complete.
          if (blocks.test(seen.explanation.why) && held && !isListed)
            expect(held.truncated).toBe(true);
          return blocks.test(seen.explanation.why) && isListed ? held : undefined;
        },
        { what: 'the waiting session to be reported and listed', timeoutMs: 60_000 },
      );
      expect(shown.waiters).toEqual([expect.objectContaining({ application: 'a-teller' })]);
      await waitFor(async () => (await product.admin().overview()).blockedSessions === 1, {
        what: 'the overview to count it',
        timeoutMs: 60_000,
      });
      const list = await product.admin().transactions({ view: 'in-doubt' });
      expect(list.transactions[0]).toMatchObject({ transactionId: id, blockedSessions: 1 });
      expect(list.count).toEqual({ value: list.transactions.length, isMore: false });
    } finally {
      await blocked.end();
    }
  });
});

/** A session that waits for the row of bob, which the west's branch has written. */
async function waitForBob(): Promise<{ end: () => Promise<void> }> {
  const client = new pg.Client({
    connectionString: product.stack.databases['ledger_west'],
    application_name: 'a-teller',
  });
  client.on('error', () => undefined);
  await client.connect();
  const waiting = client.query(`UPDATE account SET balance = balance WHERE id = 'bob'`);
  const ended = waiting.catch(() => undefined);
  return {
    end: async () => {
      await product.sql(
        'superuser',
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'a-teller'`,
      );
      await ended;
      await client.end().catch(() => undefined);
    },
  };
}

describe('An undecided transaction', () => {
  it('is aborted through the register, and its client gets the reason', async () => {
    const begun = await product.request('POST', '/v1/transactions', { body: { label: 'open' } });
    const id = String(begun.body['transactionId']);
    const shown = await product.admin().transaction(id);
    expect(shown.explanation.why).toMatch(/^Open since .*its client has not committed it\.$/);
    expect(shown.explanation.next).toMatch(/^Aborts by itself in /);
    const done = await act(id, { action: 'abort', reason: 'its client is gone', ticket: 'OPS-1' });
    expect(done.transaction).toMatchObject({ status: 'aborted', decision: 'abort' });
    const commit = await product.request('POST', `/v1/transactions/${id}/commit`);
    expect(commit.status).toBe(409);
    expect(JSON.stringify(commit.body)).toContain('its client is gone');
    const again = await refusal(act(id, { action: 'abort', reason: 'again' }));
    expect([again.status, again.code]).toEqual([409, 'not-offered']);
  });

  it('is not acted on by a caller that has not seen it as it is, may not, or gives no reason', async () => {
    const begun = await product.request('POST', '/v1/transactions', { body: {} });
    const id = String(begun.body['transactionId']);
    const path = `/v1/admin/transactions/${id}/actions`;
    const { operatorKey: key, clientKey, viewerKey } = product;
    const body = { action: 'abort', reason: 'try' };
    const bare = await product.request('POST', path, { key, body });
    expect([bare.status, bare.body['code']]).toEqual([428, 'if-match-missing']);
    const { etag } = await product.admin().transaction(id);
    await product.request('POST', `/v1/transactions/${id}/commit`);
    const stale = await product.request('POST', path, { key, body, headers: { 'if-match': etag } });
    expect([stale.status, stale.body['code']]).toEqual([412, 'changed-since']);
    const present = (await product.admin().transaction(id)).etag;
    expect([stale.body['etag'], stale.headers.get('etag')]).toEqual([present, present]);
    for (const other of [clientKey, viewerKey]) {
      expect((await refusal(act(id, { action: 'retry' }, { key: other }))).status).toBe(403);
    }
    const open = await product.request('POST', '/v1/transactions', { body: {} });
    const opened = String(open.body['transactionId']);
    const reasonless = await refusal(act(opened, { action: 'abort' }));
    expect([reasonless.status, reasonless.code]).toEqual([400, 'invalid-request']);
    const nameless = await refusal(act(opened, { action: 'retry', branch: '7' }));
    expect(nameless.status).toBe(400);
    const audit = await product.admin().audit({ transactionId: opened });
    expect(audit.entries).toEqual([]);
  });
});

describe('A heuristic outcome', () => {
  it('waits for an operator who has reconciled it and gives a ticket, and stays on record', async () => {
    const id = await stuckCommit('kill');
    const gid = (await product.admin().transaction(id)).branches[1]?.gid ?? '';
    await product.sql('ledger-west', `ROLLBACK PREPARED '${gid}'`); // As a DBA would.
    await product.startService('ledger-west', { env: PATIENT });
    await waitFor(
      async () => (await product.admin().transaction(id)).transaction.status === 'heuristic-mixed',
      { what: 'the heuristic outcome to be found', timeoutMs: 60_000 },
    );
    const shown = await product.admin().transaction(id);
    expect(shown.explanation).toMatchObject({ severity: 'heuristic' });
    expect(shown.explanation.why).toMatch(/^COMMIT is on record, but `ledger-west` has /);
    expect(JSON.stringify(shown.branches[1]?.runbook)).not.toContain(`PREPARED '`);
    await waitFor(
      async () => {
        const listed = await product.admin().transactions({ view: 'heuristic' });
        return listed.transactions.some((one) => one.transactionId === id);
      },
      { what: 'it to be listed' },
    );
    const request = { action: 'acknowledge', reason: 'bob was credited manually' } as const;
    expect((await refusal(act(id, request))).status).toBe(400);
    const done = await act(id, { ...request, ticket: 'OPS-2' });
    expect(done.transaction.resolved).toMatchObject({ by: 'operator' });
    expect(done.transaction.status).toBe('heuristic-mixed');
    const after = await product.admin().transactions({ view: 'heuristic' });
    expect(after.transactions.map((one) => one.transactionId)).not.toContain(id);
    expect((await refusal(act(id, { ...request, ticket: 'OPS-3' }))).code).toBe('not-offered');
  });
});

describe('A branch whose decision is no longer known', () => {
  interface Planted {
    readonly id: string;
    readonly gid: string;
  }

  /** Prepared long ago, and forgotten by the register since. */
  async function plant(ageMs: number): Promise<Planted> {
    const owner = tokenFrom(randomBytes(8));
    const id = makeTransactionId(Date.now() - ageMs, randomBytes(10), owner);
    const branch = '1' as BranchId;
    const gid = formatGid({ cluster: await product.cluster(), transaction: id, branch });
    await product.sql(
      'ledger-west',
      `BEGIN;
       INSERT INTO concordat_branch (transaction, branch, participant, kind)
       VALUES ('${id}', 1, 'ledger-west', 'branch');
       PREPARE TRANSACTION '${gid}'`,
    );
    return { id, gid };
  }

  async function found(gid: string, kind: string): Promise<void> {
    await waitFor(
      async () => {
        const { orphans } = await product.admin().orphans();
        return orphans.some((one) => one.gid === gid && one.kind === kind);
      },
      { what: `the orphan to be found as ${kind}`, timeoutMs: 90_000 },
    );
  }

  it('is forced only where it is enabled, by who may, with a reason and what must be typed', async () => {
    const day = 86_400_000;
    const { id, gid } = await plant(day);
    await product.sql('concordat', 'UPDATE concordat.pruning_mark SET below = $1', [
      lowestTransactionIdAt(Date.now() - day / 2),
    ]);
    await found(gid, 'prepared-forgotten');
    const shown = await product.admin().transaction(id);
    expect(shown.explanation.why).toMatch(/past retention: what was decided is no longer known/);
    const [offer] = shown.actions.filter((one) => one.action === 'force-abort-branch');
    expect(offer).toMatchObject({ offered: false });
    expect(offer?.because).toMatch(/CONCORDAT_FORCE=enabled/);
    const confirm = `FORCE ABORT ${id.slice(20, 26)}`;
    const request = {
      action: 'force-abort-branch',
      branch: '1',
      reason: 'agreed',
      confirm,
    } as const;
    const operator = await refusal(act(id, request));
    expect([operator.status, operator.code]).toEqual([403, 'forbidden']);
    const key = product.forceKey;
    const disabled = await refusal(act(id, request, { key }));
    expect([disabled.status, disabled.code]).toEqual([403, 'force-disabled']);

    await product.restart('coordinator', { env: { ...PATIENT, CONCORDAT_FORCE: 'enabled' } });
    const enabled = await waitFor(() => product.admin(key).transaction(id), {
      what: 'the new coordinator to have an answer of the west',
    });
    expect(actionOf(enabled, 'force-abort-branch')).toMatchObject({
      offered: true,
      needs: { role: 'force', reason: true, confirm },
      consequence: expect.stringMatching(/disagrees with `ledger-west` permanently/) as unknown,
    });
    expect((await refusal(act(id, request))).code).toBe('forbidden');
    const unreasoned = { ...request, reason: undefined };
    expect((await refusal(act(id, unreasoned, { key }))).status).toBe(400);
    const mistyped = await refusal(act(id, { ...request, confirm: 'FORCE ABORT' }, { key }));
    expect([mistyped.status, mistyped.code]).toEqual([422, 'not-confirmed']);
    expect((await product.prepared()).map((one) => one.gid)).toContain(gid);
    const done = await act(id, request, { key });
    expect(done.branches).toEqual([expect.objectContaining({ result: 'done' })]);
    expect((await product.prepared()).map((one) => one.gid)).not.toContain(gid);
    const { entries } = await product.admin().audit({ transactionId: id });
    expect(entries.map((one) => [one.phase, one.role, one.action])).toEqual([
      ['done', 'force', 'force-abort-branch'],
      ['asked', 'force', 'force-abort-branch'],
    ]);
    await product.restart('coordinator');
  });

  it('and that is unknown here is finished by a recorded abort', async () => {
    // It does not inquire, which it does at once when a new coordinator announces itself.
    product.arm('ledger-west', 'inquire.pre=throw');
    const { id, gid } = await plant(5_000);
    await found(gid, 'prepared-unknown');
    const { orphans } = await product.admin().orphans();
    const orphan = orphans.find((one) => one.gid === gid);
    expect(orphan?.actions.filter((one) => one.offered).map((one) => one.action)).toEqual([
      'finish',
    ]);
    const request = { gid, participant: 'ledger-west' } as const;
    const admin = product.admin();
    const etag = orphan?.etag ?? '';
    const forced = await refusal(admin.actOnOrphan({ ...request, action: 'force-commit' }, etag));
    expect(forced.status).toBe(403);
    await actedOnByNobodyWhoHasNotSeenIt({ ...request, action: 'finish' }, etag);
    expect((await product.prepared()).map((one) => one.gid)).toContain(gid);
    const done = await admin.actOnOrphan({ ...request, action: 'finish' }, etag);
    expect(done).toMatchObject({ gid, result: 'done' });
    expect((await product.prepared()).map((one) => one.gid)).not.toContain(gid);
    expect((await admin.transaction(id)).transaction).toMatchObject({ decision: 'abort' });
    await waitFor(async () => (await admin.orphans()).orphans.every((one) => one.gid !== gid), {
      what: 'the comparison to find it no more',
      timeoutMs: 90_000,
    });
    const again = await refusal(admin.actOnOrphan({ ...request, action: 'finish' }, etag));
    expect([again.status, again.code]).toEqual([404, 'unknown-orphan']);
  });
});

/** Without the tag it is 428; with that of something else 412, with the present one and what is there. */
async function actedOnByNobodyWhoHasNotSeenIt(body: object, etag: string): Promise<void> {
  const path = '/v1/admin/orphans/actions';
  const key = product.operatorKey;
  const bare = await product.request('POST', path, { key, body });
  expect([bare.status, bare.body['code']]).toEqual([428, 'if-match-missing']);
  expect(bare.body['detail']).toMatch(/`etag` of the orphan as it was seen/);
  const headers = { 'if-match': '"of-something-else"' };
  const stale = await product.request('POST', path, { key, body, headers });
  expect([stale.status, stale.body['code']]).toEqual([412, 'changed-since']);
  expect(stale.body).toMatchObject({ etag, kind: 'prepared-unknown' });
  expect(stale.body['detail']).toMatch(/it is prepared, unknown now\. Nothing was done/);
  expect(stale.headers.get('etag')).toBe(etag);
}

describe('The audit', () => {
  it('has what was asked before what was done, by whom, from where, and is one chain', async () => {
    const begun = await product.request('POST', '/v1/transactions', { body: {} });
    const id = String(begun.body['transactionId']);
    const done = await act(id, { action: 'abort', reason: 'audited', ticket: 'OPS-9' });
    const page = await product.admin(product.viewerKey).audit({ transactionId: id });
    const [answer, question] = page.entries;
    expect(question).toMatchObject({
      auditId: done.auditId,
      by: 'operator',
      role: 'operator',
      from: expect.stringMatching(/127\.0\.0\.1/) as unknown,
      action: 'abort',
      reason: 'audited',
      ticket: 'OPS-9',
      phase: 'asked',
      before: expect.objectContaining({ status: 'active' }) as unknown,
    });
    expect(answer).toMatchObject({ phase: 'done', answers: done.auditId });
    expect(page.chainIntact).toBe(true);
    const shown = await product.admin().transaction(id);
    expect(shown.audit).toHaveLength(2);
    const log = product.service('coordinator');
    expect(log.output()).toContain(`audit ${done.auditId} ${question?.hash ?? '?'} asked abort`);
  });

  it('has an operator’s rollback of what another client began, and no client’s of its own', async () => {
    const rollback = async (owner: string, by: string) => {
      const begun = await product.request('POST', '/v1/transactions', { key: owner, body: {} });
      const id = String(begun.body['transactionId']);
      const path = `/v1/transactions/${id}/rollback`;
      const { status } = await product.request('POST', path, { key: by, body: { reason: 'why' } });
      expect(status).toBe(200);
      return (await product.admin().audit({ transactionId: id })).entries;
    };
    const { clientKey, operatorKey } = product;
    const [done, asked, ...others] = await rollback(clientKey, operatorKey);
    const by = { by: 'operator', role: 'operator', action: 'abort', reason: 'why' };
    expect(asked).toMatchObject({ ...by, phase: 'asked', before: { status: 'active' } });
    expect(done).toMatchObject({ ...by, phase: 'done', answers: asked?.auditId });
    expect(others).toEqual([]);
    expect(await rollback(clientKey, clientKey)).toEqual([]);
    expect(await rollback(operatorKey, operatorKey)).toEqual([]);
  });

  it('says of what was refused that it was refused, and why', async () => {
    const begun = await product.request('POST', '/v1/transactions', { body: {} });
    const path = `/v1/transactions/${String(begun.body['transactionId'])}`;
    expect((await product.request('POST', `${path}/commit`)).status).toBe(200);
    const key = product.operatorKey;
    const tried = await product.request('POST', `${path}/rollback`, { key, body: {} });
    expect(tried.status).toBe(409);
    const transactionId = String(begun.body['transactionId']);
    const [answer, question] = (await product.admin().audit({ transactionId })).entries;
    expect(question).toMatchObject({ phase: 'asked', before: { status: 'committed' } });
    expect(answer).toMatchObject({ phase: 'refused', answers: question?.auditId });
    expect(String(answer?.after?.['why'])).toMatch(/commit/i);
  });

  it('shows that somebody with all rights has changed an entry', async () => {
    expect((await product.admin().audit()).chainIntact).toBe(true);
    const owner = (text: string) => product.sql('concordat', text);
    await expect(owner(`UPDATE concordat.audit SET reason = ''`)).rejects.toThrow(/is refused/);
    await expect(owner(`DELETE FROM concordat.audit`)).rejects.toThrow(/is refused/);
    await owner(`ALTER TABLE concordat.audit DISABLE TRIGGER ALL`);
    await owner(`UPDATE concordat.audit SET reason = 'harmless' WHERE sequence = 1`);
    const page = await product.admin().audit({ limit: 500 });
    expect(page.chainIntact).toBe(false);
    const { checks } = await product.admin().doctor();
    const bad = checks.filter((one) => one.result === 'bad' && one.at === 'register');
    expect(bad.map((one) => one.name).sort()).toEqual(['audit', 'schema guards']);
    expect(bad.every((one) => one.remedy !== undefined)).toBe(true);
  });
});
