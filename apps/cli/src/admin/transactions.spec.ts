import type { AdminTransaction } from '@concordat/client';
import { describeList, describeTransaction } from './transactions.js';

const serverTime = '2026-11-21T12:00:00.000Z';
const id = '01k9zq4w7nfx3v2m8r5t6y0abc-7f3k9x2m';

const STUCK: AdminTransaction = {
  transaction: {
    transactionId: id,
    label: 'transfer\u{1b}[31m',
    owner: '7f3k9x2m',
    status: 'committing',
    decision: 'commit',
    begunAt: '2026-11-21T11:58:00.000Z',
    decidedAt: '2026-11-21T11:58:01.000Z',
    branches: [],
    version: 7,
    serverTime,
  },
  explanation: {
    why: 'COMMIT durable since 11:58; inventory unreachable, 14 attempts.',
    next: 'Delivered again by itself.',
    nextAt: '2026-11-21T12:00:42.000Z',
    severity: 'stuck',
  },
  branches: [
    {
      branch: '1',
      participant: 'inventory',
      work: 'bundled',
      operations: ['reserve'],
      vote: { kind: 'prepared' },
      attempts: 14,
      lastError: 'no responders',
      gid: `cc:abcdefgh:${id}:1`,
      participantState: 'silent',
      inDatabase: 'prepared',
      prepared: {
        gid: `cc:abcdefgh:${id}:1`,
        transactionId: id,
        branch: '1',
        participant: 'inventory',
        heldMs: 119_000,
        locks: [{ relation: 'stock', mode: 'RowExclusiveLock' }],
        waiters: [
          { pid: 4_711, waitingMs: 60_000, relation: 'stock' },
          { pid: 4_712, behind: 4_711 },
        ],
      },
      runbook: [{ explanation: 'commit stands', sql: `COMMIT PREPARED 'cc:abcdefgh:${id}:1';` }],
    },
  ],
  events: [{ sequence: 1, at: serverTime, type: 'begun' }],
  actions: [
    {
      action: 'retry',
      offered: true,
      consequence: 'Sends COMMIT again.',
      needs: { role: 'operator', reason: false, ticket: false },
    },
    {
      action: 'abort',
      offered: false,
      because: 'COMMIT stands.',
      consequence: 'Aborts it.',
      needs: { role: 'operator', reason: true, ticket: false },
    },
  ],
  audit: [],
  etag: 'W/"v7-abc"',
  serverTime,
};

describe('`concordat show`', () => {
  const text = describeTransaction(STUCK, false).join('\n');

  it('says why first, and when it goes on', () => {
    expect(text).toContain('Why   COMMIT durable since 11:58; inventory unreachable, 14 attempts.');
    expect(text).toContain('Next  Delivered again by itself. (in 42 s)');
  });

  it('shows what the branch holds and who waits, also behind another', () => {
    expect(text).toContain('prepared for 1 m 59 s, 1 locks, 2 sessions wait');
    expect(text).toContain('holds RowExclusiveLock on stock');
    expect(text).toContain('pid 4712 waits behind pid 4711');
  });

  it('offers the command that may be used, and tells why another may not', () => {
    expect(text).toContain(`concordat retry ${id}`);
    expect(text).toContain('not abort: COMMIT stands.');
  });

  it('lets no label speak to the terminal', () => {
    expect(text).not.toContain('\u{1b}[31m');
  });

  it('says of an action whose result nobody wrote that it is not known', () => {
    const who = { by: 'ada', role: 'operator', action: 'retry' } as const;
    const asked = { ...who, auditId: '1', at: serverTime, phase: 'asked', hash: 'h' } as const;
    const answer = { ...asked, auditId: '2', phase: 'done', answers: '1' } as const;
    const told = (audit: AdminTransaction['audit']) =>
      describeTransaction({ ...STUCK, audit }, false).join('\n');
    expect(told([asked])).toMatch(/ada {2}retry asked\n {6}.*no result is written: .*coordinator/);
    expect(told([answer, asked])).not.toContain('no result');
  });

  it('adds the timeline when asked', () => {
    expect(text).not.toContain('begun\n');
    expect(describeTransaction(STUCK, true).at(-1)).toContain('begun');
  });
});

describe('`concordat stuck`', () => {
  it('says when it looked if there is nothing', () => {
    const lines = describeList({ transactions: [], serverTime }, 'stuck');
    expect(lines).toEqual([`Nothing is stuck (looked at ${serverTime}).`]);
  });
});
