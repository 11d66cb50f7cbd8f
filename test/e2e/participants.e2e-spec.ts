/**
 * Participants, and what is known of them. A participant is a name that has answered; one whose database is
 * unreachable, or that does not answer, is not reported to hold nothing; one that is permanently gone can be
 * retired.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import type { AdminParticipant } from '@concordat/client';
import { startPostgres, waitFor, type PostgresServer } from '@concordat/testing';
import { Product, transferBody, type Json } from '../stage/product.js';
import { refusal } from '../stage/refusal.js';

const CONCORDAT = resolve(import.meta.dirname, '../../apps/cli/dist/main.js');
/** Slow enough for a machine with other things to do. */
const PATIENCE_MS = 90_000;
/** What would make a person settle manually, on any screen, of a database that cannot be seen. */
const CLAIMS_NOTHING = /nothing is prepared|not prepared|in doubt 0\b/i;

let product: Product;
/** The database of the ledger in the west, on a server of its own, which can go away alone. */
let west: PostgresServer;

beforeAll(async () => {
  west = await startPostgres();
  const url = await west.createDatabase('ledger_west');
  product = await Product.start({
    armable: true,
    env: { CONCORDAT_COMPARE_PERIOD_MS: '2000' },
    participants: ['ledger-east', 'ledger-west'],
    reroute: (id): Record<string, string> => (id === 'ledger-west' ? { DATABASE_URL: url } : {}),
  });
  const open = (participant: string, account: string) => ({
    participant,
    operations: [{ name: 'open', input: { account, amount: 1_000 } }],
  });
  const branches = [open('ledger-east', 'alice'), open('ledger-west', 'bob')];
  await product.client().transactions.submit({ branches }, { until: 'completed' });
}, 180_000);

afterEach(async () => {
  await west.start();
  await product.restore();
}, 120_000);
afterAll(async () => {
  await product.dispose();
  await west.dispose();
});

const names = async (): Promise<string[]> =>
  (await product.admin().participants()).participants.map((one) => one.participant);

/** `concordat …`, as somebody at a terminal sees it. */
function concordat(...args: string[]): Promise<{ code: number; text: string }> {
  const target = ['--url', product.coordinatorUrl, '--key', product.operatorKey];
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
  return new Promise((done) => {
    execFile(process.execPath, [CONCORDAT, ...args, ...target], { env }, (error, out, err) =>
      done({ code: typeof error?.code === 'number' ? error.code : 0, text: out + err }),
    );
  });
}

/**
 * What every place that shows participants says of them now, by place; of one alone where a place
 * distinguishes them.
 */
async function everywhere(only?: string): Promise<Record<string, string>> {
  const admin = product.admin();
  const isIt = (name: string) => only === undefined || name === only;
  const metrics = await fetch(`${product.coordinatorUrl}/metrics`, {
    headers: { authorization: `Bearer ${product.operatorKey}` },
  });
  const json = async (asked: Promise<unknown>) => JSON.stringify(await asked);
  return {
    'the list': await json(
      admin.participants().then((list) => list.participants.filter((one) => isIt(one.participant))),
    ),
    'the overview': await json(admin.overview()),
    'the doctor': await json(
      admin.doctor().then(({ checks }) => checks.filter((one) => isIt(one.at))),
    ),
    'the orphans': await json(admin.orphans()),
    'the metrics': await metrics.text(),
    'the REST API': await json(product.request('GET', '/v1/participants')),
    'concordat participants': (await concordat('participants')).text,
    'concordat doctor': (await concordat('doctor')).text,
    'concordat orphans': (await concordat('orphans')).text,
  };
}

async function untilParticipant(
  name: string,
  holds: (one: AdminParticipant) => boolean,
  what: string,
): Promise<AdminParticipant> {
  return waitFor(
    async () => {
      const one = await product.admin().participant(name);
      return holds(one) ? one : undefined;
    },
    { what: `${name} ${what}`, timeoutMs: PATIENCE_MS },
  );
}

async function untilCompared(): Promise<void> {
  await waitFor(async () => (await product.admin().orphans()).comparedAt !== undefined, {
    what: 'the first comparison',
    timeoutMs: PATIENCE_MS,
  });
}

/** A commit that the west has voted for, and of whose delivery it dies, or which it never carries out. */
async function undelivered(how: 'kill' | 'hang'): Promise<string> {
  await product.untilAllEnded(); // What an earlier test left must not meet this one's crash point.
  product.arm('ledger-west', `commit.pre=${how}`);
  const { body } = await product.request('POST', '/v1/transactions', { body: transferBody(1) });
  expect(body).toMatchObject({ decision: 'commit' });
  if (how === 'kill') await product.service('ledger-west').exited;
  return String(body['transactionId']);
}

describe('A name without an instance', () => {
  const typos = Array.from({ length: 20 }, (_, at) => `ledger-noth${'abcdefghijklmnopqrst'[at]}`);

  it('becomes no participant anywhere, however often it is asked for and whichever process starts again', async () => {
    await untilCompared();
    const ask = (participant: string) =>
      product.request('POST', '/v1/transactions', {
        body: { commit: true, branches: [{ participant, operations: [{ name: 'debit' }] }] },
      });
    const answers = await Promise.all(typos.map(ask));
    expect(answers.map((one) => one.status)).toEqual(typos.map(() => 409));
    await waitFor(
      async () => {
        const text = `SELECT DISTINCT participant FROM concordat.journal_participant WHERE participant LIKE 'ledger-noth%'`;
        return (await product.sql('concordat', text)).length === typos.length;
      },
      { what: 'the history to have all of them' },
    );
    for (const restart of [false, true]) {
      if (restart) await product.restart('coordinator');
      if (restart) await untilCompared();
      await waitFor(async () => (await names()).includes('ledger-east'), {
        what: 'the ledgers to be listed',
        timeoutMs: PATIENCE_MS,
      });
      const told = await everywhere();
      expect(await names()).toEqual(['ledger-east', 'ledger-west']);
      const where = Object.keys(told).filter((place) => told[place]?.includes('ledger-noth'));
      expect(where).toEqual([]);
    }
  }, 240_000);

  it('is answered with the name that was meant, and with those that are known', async () => {
    const near = await refusal(product.admin().participant('ledger-esat'));
    expect([near.status, near.code]).toEqual([404, 'unknown-participant']);
    expect(near.message).toMatch(/Did you mean `ledger-east`\?/);
    const far = await refusal(product.admin().participant('warehouse'));
    expect(far.message).toMatch(/Known are `ledger-east` and `ledger-west`\./);
    const branches = [{ participant: 'ledger-esat', operations: [{ name: 'debit' }] }];
    const asked = await product.request('POST', '/v1/transactions', {
      body: { commit: true, branches },
    });
    expect(asked.body['detail']).toMatch(/No instance of ledger-esat is connected\..*Did you mean/);
  });
});

describe('A participant whose database is down', () => {
  it('is said to be not known, with what was last seen, and never to hold nothing', async () => {
    const before = await untilParticipant('ledger-west', (one) => one.inDoubt === 0, 'to be seen');
    expect(before).toMatchObject({ prepared: [], slotsUsed: 0 });
    await west.stop({ mode: 'immediate' });
    const shown = await untilParticipant(
      'ledger-west',
      (one) => one.inDoubt === undefined && one.prepared === undefined,
      'not to be seen any more',
    );
    expect(shown).toMatchObject({ state: 'troubled', undelivered: 0 });
    expect(shown.lastKnown?.inDoubt).toBe(0);
    for (const absent of ['slotsUsed', 'oldestMs', 'blockedSessions', 'prepared']) {
      expect([absent, absent in shown]).toEqual([absent, false]);
    }
    await waitFor(
      async () => (await product.admin().orphans()).notCompared[0]?.participant === 'ledger-west',
      { what: 'a comparison that could not look into it', timeoutMs: PATIENCE_MS },
    );
    const told = await everywhere('ledger-west');
    for (const [place, text] of Object.entries(told)) {
      expect([place, CLAIMS_NOTHING.exec(text)?.[0]]).toEqual([place, undefined]);
    }
    expect(told['concordat participants']).toMatch(
      /ledger-west: what is prepared there is not known/,
    );
    expect(told['concordat orphans']).toMatch(/ledger-west: not compared/);
    expect(told['the metrics']).toContain('participant_database_seen{participant="ledger-west"} 0');
    expect(told['the metrics']).not.toContain('participant_in_doubt{participant="ledger-west"}');
    expect((await concordat('orphans')).code).toBe(4);
    const overview = await product.admin().overview();
    expect(overview).toMatchObject({ notSeen: ['ledger-west'], notCompared: ['ledger-west'] });
    for (const absent of ['preparedBranches', 'blockedSessions', 'orphans']) {
      expect([absent, absent in overview]).toEqual([absent, false]);
    }
    await west.start();
    const back = await untilParticipant('ledger-west', (one) => one.inDoubt === 0, 'to be seen');
    expect(back.lastKnown).toBeUndefined();
  }, 240_000);

  it('has a branch of which it is not known whether it is prepared', async () => {
    const id = await undelivered('hang');
    await untilParticipant('ledger-west', (one) => one.inDoubt === 1, 'to hold the branch');
    const branchNow = async () => (await product.admin().transaction(id)).branches[1];
    expect(await branchNow()).toMatchObject({ inDatabase: 'prepared' });
    await west.stop({ mode: 'immediate' });
    const dark = await waitFor(
      async () => {
        const branch = await branchNow();
        return branch?.inDatabase === 'not-known' ? branch : undefined;
      },
      { what: 'the branch not to be known any more', timeoutMs: PATIENCE_MS },
    );
    expect(dark.prepared).toBeUndefined();
    const shown = await concordat('show', id);
    expect(shown.text).toMatch(/in its database: not known/);
    const card = await untilParticipant(
      'ledger-west',
      (one) => one.undelivered === 1 && one.lastKnown?.inDoubt === 1,
      'to have a commit undelivered',
    );
    expect(card.prepared).toBeUndefined();
    await west.start();
    await product.kill('ledger-west');
    await product.startService('ledger-west');
    await waitFor(async () => (await branchNow())?.inDatabase === 'finished', {
      what: 'the branch to be finished',
      timeoutMs: PATIENCE_MS,
    });
  }, 300_000);
});

describe('A participant that is silent', () => {
  it('is not known also to a coordinator that has just started, and cannot be retired', async () => {
    await undelivered('kill');
    const silent = (one: AdminParticipant) => one.state === 'silent' && one.undelivered === 1;
    await untilParticipant('ledger-west', silent, 'to be silent');
    await product.restart('coordinator');
    const shown = await untilParticipant('ledger-west', silent, 'to be silent after the restart');
    expect(shown.lastSeenAt).toBeDefined();
    expect(shown).not.toHaveProperty('inDoubt');
    expect(shown).not.toHaveProperty('prepared');
    const listed = await product.request('GET', '/v1/participants');
    expect(listed.body['silent']).toEqual([
      { participant: 'ledger-west', lastSeenAt: expect.any(String) as unknown as Json },
    ]);
    expect(shown.actions[0]).toMatchObject({ action: 'retire', offered: false });
    expect(shown.actions[0]?.because).toMatch(/^1 commit for `ledger-west` is undelivered/);
    const request = { reason: 'it is gone' };
    const refused = await refusal(product.admin().retire('ledger-west', request, shown.etag));
    expect([refused.status, refused.code]).toEqual([409, 'not-offered']);
    const { entries } = await product.admin().audit({});
    expect(entries.filter((one) => one.action === 'participant-retire')).toEqual([]);
    await product.startService('ledger-west');
    await untilParticipant('ledger-west', (one) => one.state === 'up', 'to be back');
    await product.untilAllEnded();
  }, 300_000);

  it('is retired by an operator who says why, audited, and comes back by answering', async () => {
    const up = await untilParticipant('ledger-west', (one) => one.inDoubt === 0, 'to be seen');
    expect(up.actions[0]?.because).toMatch(/answers, so it is in use/);
    await product.service('ledger-west').stop();
    const gone = await untilParticipant('ledger-west', (one) => one.state === 'silent', 'to stop');
    const admin = product.admin();
    const { etag } = gone;
    const bare = await product.request('POST', '/v1/admin/participants/ledger-west/retire', {
      key: product.operatorKey,
      body: { reason: 'none' },
    });
    expect([bare.status, bare.body['code']]).toEqual([428, 'if-match-missing']);
    expect((await refusal(admin.retire('ledger-west', { reason: 'x' }, up.etag))).status).toBe(412);
    expect((await refusal(admin.retire('ledger-west', {}, etag))).code).toBe('invalid-request');
    const viewer = product.admin(product.viewerKey);
    expect((await refusal(viewer.retire('ledger-west', { reason: 'x' }, etag))).status).toBe(403);

    const done = await concordat('retire', 'ledger-west', '--yes', '--reason', 'decommissioned');
    expect(done.text).toMatch(/`ledger-west` is retired/);
    expect(done.code).toBe(0);
    const { entries } = await admin.audit({});
    const own = entries.filter((one) => one.action === 'participant-retire');
    expect(own.map((one) => [one.phase, one.reason])).toEqual([
      ['done', 'decommissioned'],
      ['asked', 'decommissioned'],
    ]);
    await product.restart('coordinator');
    await waitFor(async () => (await names()).join() === 'ledger-east', {
      what: 'it to stay off the list',
      timeoutMs: PATIENCE_MS,
    });
    await untilCompared();
    const told = await everywhere();
    expect(Object.keys(told).filter((place) => told[place]?.includes('ledger-west'))).toEqual([]);

    await product.startService('ledger-west');
    await untilParticipant('ledger-west', (one) => one.state === 'up', 'to be a participant again');
  }, 300_000);

  it('is not retired while it alone decides a transaction, in one phase, of which nothing is known', async () => {
    await product.restart('coordinator', { env: { CONCORDAT_ONE_PHASE: 'enabled' } });
    const operations = [{ name: 'credit', input: { account: 'bob', amount: 1 } }];
    const body = {
      commit: true,
      timeoutMs: 1_000,
      branches: [{ participant: 'ledger-west', operations }],
    };
    const alone = async () => {
      const answer = await product.request('POST', '/v1/transactions?wait=1s', { body });
      return String(answer.body['transactionId']);
    };
    await waitFor(async () => (await alone()).endsWith('-ledger-west'), { what: 'one phase' });
    product.service('ledger-west').kill('SIGSTOP');
    const id = await alone();
    const noted = () =>
      product.sql('concordat', 'SELECT FROM concordat.journal WHERE transaction = $1', [id]);
    await waitFor(async () => (await noted()).length > 0, { what: 'it to be noted' });
    await product.kill('ledger-west');
    const { etag } = await untilParticipant(
      'ledger-west',
      (one) => one.state === 'silent',
      'to die',
    );
    const refused = await refusal(product.admin().retire('ledger-west', { reason: 'gone' }, etag));
    expect([refused.status, refused.code]).toEqual([409, 'not-offered']);
    expect(refused.message).toMatch(/look for `deciding`.*start a service under its name/);
    await product.startService('ledger-west');
    const ended = await product.request('GET', `/v1/transactions/${id}?wait=20s&until=completed`);
    expect(ended.body['status']).toBe('aborted');
  }, 300_000);
});
