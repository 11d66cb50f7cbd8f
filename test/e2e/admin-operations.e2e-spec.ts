/** Many at once, and changes reported as they happen: plans, drift, progress, cancel, events. */
import type { AdminOperation, NumberedAdminEvent } from '@concordat/client';
import { waitFor } from '@concordat/testing';
import { Product } from '../stage/product.js';
import { refusal } from '../stage/refusal.js';

let product: Product;

beforeAll(async () => {
  product = await Product.start({ participants: [] });
}, 120_000);

afterAll(() => product.dispose());

/** Open transactions of a label, once all of them are on record. */
async function open(count: number, label: string): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at++) {
    const begun = await product.request('POST', '/v1/transactions', {
      body: { label, timeoutMs: 900_000 },
    });
    ids.push(String(begun.body['transactionId']));
  }
  await waitFor(
    async () => {
      const list = await product.admin().transactions({ view: 'deciding', label, limit: 500 });
      return list.transactions.length === count;
    },
    { what: `${count} open transactions to be on record`, timeoutMs: 30_000 },
  );
  return ids;
}

async function ended(id: string): Promise<AdminOperation> {
  await waitFor(async () => (await product.admin().operation(id)).state !== 'running', {
    what: 'the operation to end',
    timeoutMs: 60_000,
  });
  return product.admin().operation(id);
}

const phasesOf = async (transactionId = '') =>
  (await product.admin().audit({ transactionId })).entries.map((one) => one.phase);

const statusOf = async (id: string) =>
  (await product.request('GET', `/v1/transactions/${id}`)).body['status'];

describe('A bulk operation', () => {
  it('is a plan first: what it is about is frozen, and nothing is begun', async () => {
    const ids = await open(3, 'planned');
    const admin = product.admin();
    const filter = { view: 'deciding', label: 'planned' } as const;
    const plan = await admin.planOperation({ action: 'abort-undecided', filter, reason: 'stale' });
    expect(plan).toMatchObject({
      state: 'planned',
      by: 'operator',
      total: 3,
      counts: { waiting: 3, done: 0, skipped: 0, failed: 0 },
    });
    expect(plan.confirm).toBeUndefined(); // So few need nothing typed.
    const { items } = await admin.operation(plan.operationId);
    expect(items.map((one) => one.transactionId).sort()).toEqual([...ids].sort());
    expect(items[0]).toMatchObject({
      result: 'waiting',
      detail: expect.stringMatching(/^Records an abort/) as unknown,
    });
    expect(await statusOf(ids[0] as string)).toBe('active');
    const retry = await admin.planOperation({
      action: 'retry',
      transactionIds: ids,
      reason: 'not decided',
    });
    expect(retry.counts).toMatchObject({ waiting: 0, skipped: 3 });
  });

  it('above ten begins only with their number typed, and reports the result of each', async () => {
    const ids = await open(12, 'dozen');
    const admin = product.admin();
    const plan = await admin.planOperation({
      action: 'abort-undecided',
      transactionIds: ids,
      reason: 'a client gone wild',
      ticket: 'OPS-4',
    });
    expect(plan.confirm).toBe('12');
    for (const confirm of [undefined, '11', 'yes']) {
      const refused = await refusal(admin.startOperation(plan, confirm));
      expect([refused.status, refused.code]).toEqual([422, 'not-confirmed']);
    }
    expect(await statusOf(ids[0] as string)).toBe('active');
    expect(await admin.startOperation(plan, '12')).toMatchObject({ state: 'running' });
    const done = await ended(plan.operationId);
    expect(done).toMatchObject({ state: 'done', counts: { waiting: 0, done: 12, failed: 0 } });
    for (const id of ids) expect(await statusOf(id)).toBe('aborted');
    const { entries } = await admin.audit({ transactionId: ids[0] as string });
    expect(entries.map((one) => [one.phase, one.action, one.ticket])).toEqual([
      ['done', 'abort', 'OPS-4'],
      ['asked', 'abort', 'OPS-4'],
    ]);
    const again = await refusal(admin.startOperation(done, '12'));
    expect([again.status, again.code]).toEqual([409, 'not-offered']);
  });

  it('is refused when what it is about has changed since it was planned', async () => {
    const ids = await open(2, 'drifting');
    const admin = product.admin();
    const reason = 'stale';
    const plan = await admin.planOperation({
      action: 'abort-undecided',
      transactionIds: ids,
      reason,
    });
    await product.request('POST', `/v1/transactions/${ids[0] ?? ''}/commit`);
    await waitFor(async () => (await statusOf(ids[0] as string)) === 'committed', {
      what: 'the commit',
    });
    const refused = await refusal(admin.startOperation(plan));
    expect([refused.status, refused.code]).toEqual([409, 'set-drifted']);
    expect(await statusOf(ids[1] as string)).toBe('active');
  });

  it('is cancelled before it begins, and then never begins', async () => {
    const [id = ''] = await open(1, 'cancelled');
    const admin = product.admin();
    const plan = await admin.planOperation({
      action: 'abort-undecided',
      transactionIds: [id],
      reason: 'perhaps',
    });
    const cancelled = await admin.cancelOperation(plan);
    expect(cancelled.state).toBe('cancelled');
    expect((await refusal(admin.startOperation(cancelled))).code).toBe('not-offered');
    expect(await statusOf(id)).toBe('active');
    const { operations } = await admin.operations();
    expect(operations.find((one) => one.operationId === plan.operationId)?.state).toBe('cancelled');
  });

  it('is started and cancelled only by a caller that has seen it as it is', async () => {
    const transactionIds = await open(1, 'unseen');
    const admin = product.admin();
    const request = { action: 'abort-undecided', transactionIds, reason: 'unseen' } as const;
    const plan = await admin.planOperation(request);
    const path = `/v1/admin/operations/${plan.operationId}`;
    const ask = (verb: string, headers = {}) =>
      product.request('POST', `${path}/${verb}`, { key: product.operatorKey, body: {}, headers });
    const shown = await product.request('GET', path, { key: product.viewerKey });
    expect([shown.headers.get('etag'), shown.body['etag']]).toEqual([plan.etag, plan.etag]);
    for (const verb of ['start', 'cancel']) {
      const bare = await ask(verb);
      expect([bare.status, bare.body['code']]).toEqual([428, 'if-match-missing']);
      expect(bare.body['detail']).toMatch(/`etag` of the operation as it was seen/);
    }
    expect((await admin.operation(plan.operationId)).etag).toBe(plan.etag);
    const { etag } = await admin.cancelOperation(plan);
    expect(etag).not.toBe(plan.etag);
    for (const verb of ['start', 'cancel']) {
      const stale = await ask(verb, { 'if-match': plan.etag });
      expect([stale.status, stale.body['code']]).toEqual([412, 'changed-since']);
      expect(stale.body).toMatchObject({ etag, state: 'cancelled' });
      expect(stale.body['detail']).toMatch(/it is cancelled now\. Nothing was done/);
      expect(stale.headers.get('etag')).toBe(etag);
    }
    expect(await statusOf(transactionIds[0] as string)).toBe('active');
  });

  it('that two start in one moment is begun once, and the other is refused', async () => {
    const transactionIds = await open(1, 'raced');
    const admin = product.admin();
    const request = { action: 'abort-undecided', transactionIds, reason: 'raced' } as const;
    const plan = await admin.planOperation(request);
    const { operationId } = plan;
    // Both have read that it is planned, and asked in the audit, before either can begin it.
    const release = await product.hold(
      'concordat',
      'LOCK TABLE concordat.operation IN EXCLUSIVE MODE',
    );
    const starts = [admin.startOperation(plan), admin.startOperation(plan)];
    const settled = Promise.allSettled(starts);
    try {
      await product.untilWaiting('concordat', 2);
    } finally {
      await release();
    }
    expect((await settled).map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = await refusal(Promise.all(starts));
    expect([refused.status, refused.code]).toEqual([409, 'not-offered']);
    expect(await ended(operationId)).toMatchObject({ state: 'done', counts: { done: 1 } });
    // Its end is reported before the entry that says so.
    const { ofIt, starting } = await waitFor(
      async () => {
        const { entries } = await admin.audit({ limit: 20 });
        const ofIt = entries.filter(
          (one) => (one.after ?? one.before)?.['operation'] === operationId,
        );
        const starting = ofIt.filter((one) => one.action === 'operation-start');
        return starting.length >= 4 ? { ofIt, starting } : undefined;
      },
      { what: 'both starts to be answered in the audit' },
    );
    expect(starting.map((one) => one.phase).sort()).toEqual(['asked', 'asked', 'done', 'refused']);
    const questions = starting.filter((one) => one.phase === 'asked').map((one) => one.auditId);
    const answered = starting.flatMap((one) => one.answers ?? []);
    expect(answered.sort()).toEqual(questions.sort());
    expect(ofIt.filter((one) => one.transactionId === transactionIds[0])).toHaveLength(2);
  });

  it('killed in the middle is interrupted, keeps what is done, and goes on when started again', async () => {
    const ids = await open(85, 'interrupted'); // Two chunks, and some that are not begun.
    const admin = product.admin();
    const request = { action: 'abort-undecided', transactionIds: ids, reason: 'stale' } as const;
    const plan = await admin.planOperation(request);
    const { operationId } = plan;
    // The second chunk is carried out, and its results are never written.
    const release = await product.hold(
      'concordat',
      `SELECT FROM concordat.operation_item WHERE operation = '${operationId}' AND ordinal = 41 FOR UPDATE`,
    );
    try {
      await admin.startOperation(plan, '85');
      await product.untilWaiting('concordat', 1);
      await product.kill('coordinator');
      await product.endWaiting('concordat');
    } finally {
      await release();
    }
    await product.startService('coordinator');
    await waitFor(async () => (await admin.operation(operationId)).state === 'interrupted', {
      what: 'its coordinator to be taken for gone',
      timeoutMs: 30_000,
    });
    const interrupted = await admin.operation(operationId);
    expect(interrupted).toMatchObject({ counts: { done: 40, waiting: 45 }, confirm: '45' });
    expect(await phasesOf(ids[0])).toEqual(['done', 'asked']);
    expect(await phasesOf(ids[40])).toEqual(['asked']); // What came of it was never written.

    await admin.startOperation(interrupted, '45');
    const done = await ended(operationId);
    expect(done).toMatchObject({ state: 'done', counts: { waiting: 0, done: 85 } });
    const { items } = await admin.operation(operationId);
    expect(items.slice(0, 40)).toEqual(interrupted.items.slice(0, 40));
    expect(await phasesOf(ids[0])).toEqual(['done', 'asked']);
    expect(await phasesOf(ids[40])).toEqual(['done', 'asked', 'asked']);
    expect(await phasesOf(ids[84])).toEqual(['done', 'asked']);
    for (const id of ids) expect(await statusOf(id)).toBe('aborted');
  }, 120_000);

  it.each([
    ['both ids and a filter', { transactionIds: ['x'], filter: {} }],
    ['neither', {}],
    ['what is no id', { transactionIds: ['01k9'] }],
    ['nothing that matches', { filter: { label: 'nobody-has-this' } }],
    ['a filter of another kind', { filter: { sort: 'harm' } }],
  ])('about %s is refused', async (_, selection) => {
    const { status, body } = await product.request('POST', '/v1/admin/operations', {
      key: product.operatorKey,
      body: { action: 'retry', reason: 'try', ...selection },
    });
    expect([status, body['code']]).toEqual([400, 'invalid-request']);
  });

  it('never forces', async () => {
    const { status } = await product.request('POST', '/v1/admin/operations', {
      key: product.forceKey,
      body: { action: 'force-abort-branch', filter: { view: 'stuck' }, reason: 'no' },
    });
    expect(status).toBe(400);
  });
});

describe('The events', () => {
  /** Collects events until the signal says stop. */
  function follow(last?: string) {
    const stop = new AbortController();
    const seen: NumberedAdminEvent[] = [];
    const reading = (async () => {
      for await (const one of product.admin(product.viewerKey).events(last, stop.signal)) {
        seen.push(one);
      }
    })().catch(() => undefined);
    const types = () => seen.map((one) => one.event.type);
    const until = (type: string) =>
      waitFor(() => Promise.resolve(types().includes(type as never)), {
        what: `an event of type ${type}`,
        timeoutMs: 30_000,
      });
    return {
      seen,
      types,
      until,
      end: async () => {
        stop.abort();
        await reading;
      },
    };
  }

  async function planSomething(): Promise<AdminOperation> {
    const [id = ''] = await open(1, `event-${Math.random()}`);
    return product.admin().planOperation({
      action: 'abort-undecided',
      transactionIds: [id],
      reason: 'to be seen',
    });
  }

  /** What is over within moments is not reported: no person can have seen it. */
  async function onSomebodysScreen(plan: AdminOperation): Promise<void> {
    const { items } = await product.admin().operation(plan.operationId);
    await waitFor(
      async () => {
        const known = await product.admin().transaction(items[0]?.transactionId ?? '');
        const { begunAt = '', serverTime } = known.transaction;
        return Date.parse(serverTime) - Date.parse(begunAt) > 2_000;
      },
      { what: 'the transaction to have been open for two seconds' },
    );
  }

  it('report what changes, and resume after the last that was seen', async () => {
    const first = follow('somebody-0'); // Of no coordinator that is here.
    await first.until('reset');
    const plan = await planSomething();
    await first.until('operation');
    await onSomebodysScreen(plan);
    await product.admin().startOperation(plan);
    await first.until('audit');
    await first.until('transaction');
    await first.end();
    const last = first.seen.at(-1)?.id;
    const another = await planSomething();
    const second = follow(last);
    await second.until('operation');
    expect(second.types()).not.toContain('reset');
    const told = second.seen.map((one) => one.event);
    expect(told).toContainEqual({ type: 'operation', operationId: another.operationId });
    await second.end();
  });

  it('begin again after another coordinator has taken over', async () => {
    const before = follow();
    await planSomething();
    await before.until('operation');
    const last = before.seen.at(-1)?.id;
    await before.end();
    await product.restart('coordinator');
    const after = follow(last);
    await after.until('reset');
    await after.end();
  });
});
