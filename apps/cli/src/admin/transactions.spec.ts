import type { AdminTransaction, BranchWaits } from '@concordat/client';
import { describeList, describeTransaction, hasFindings } from './transactions.js';

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
      runbook: [
        { explanation: 'commit is decided', sql: `COMMIT PREPARED 'cc:abcdefgh:${id}:1';` },
      ],
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
      because: 'COMMIT was decided.',
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

  it.each([60, 80, 120])('fits a terminal of %i columns, but for statements to copy', (width) => {
    const { columns } = process.stdout;
    process.stdout.columns = width;
    const lines = describeTransaction(STUCK, true);
    process.stdout.columns = columns;
    const long = lines.filter((line) => line.length > width);
    expect(long.filter((line) => !line.includes('COMMIT PREPARED'))).toEqual([]);
  });

  it('shows what the branch holds and who waits, also behind another', () => {
    expect(text).toContain('prepared for 1 min 59 s, 1 lock, 2 sessions wait');
    expect(text).toContain('holds RowExclusiveLock on stock');
    expect(text).toContain('pid 4712 waits behind pid 4711');
  });

  it('offers the command that may be used, and says why another may not', () => {
    expect(text).toContain(`concordat retry ${id}`);
    expect(text).toContain('not abort: COMMIT was decided.');
  });

  it('lets no label speak to the terminal', () => {
    expect(text).not.toContain('\u{1b}[31m');
  });

  it('says of an action without a written result that it is not known', () => {
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
    const empty = { transactions: [], serverTime };
    expect(describeList(empty, 'in-doubt')[0]).toMatch(/^Nothing is in doubt \(/);
    expect(describeList(empty, 'stuck', { participant: 'ledger-east', label: 'a' })[0]).toMatch(
      /^No transaction with a branch at ledger-east of the label "a" is stuck \(/,
    );
    expect(lines).toEqual([`Nothing is stuck (looked at ${serverTime}).`]);
  });

  it('names a session that blocks branches, where no transaction is stuck', () => {
    const holder = {
      kind: 'session',
      pid: 42,
      application: 'psql\u{1b}[31m',
      user: 'ada',
    } as const;
    const blocker = {
      holder,
      participant: 'ledger-west',
      sessions: 1,
      transactions: [id],
    } as const;
    const since = '2026-11-21T11:59:48.000Z';
    const list = { transactions: [], serverTime };
    const blockers = [{ ...blocker, since, asOf: serverTime }];
    expect(describeList({ ...list, blockers }, 'stuck')).toEqual([
      `No transaction is stuck (looked at ${serverTime}).`,
      expect.stringMatching(
        /ledger-west: session pid 42 of application psql, user ada blocks 1 session since .* \(12 s so far\), of transaction 01k/,
      ),
    ]);
    expect(hasFindings({ ...list, blockers })).toBe(true);
    expect(hasFindings(list)).toBe(false);
  });
});

describe('A transaction that waits, or is waited for', () => {
  const since = '2026-11-21T11:59:48.000Z';
  const wait = {
    ...{ for: { kind: 'transactionid', relation: 'account', row: '(0,7)' }, since, ahead: 2 },
    heldBy: [{ kind: 'branch', transactionId: 'other', status: 'active' }],
  } as const;
  const [branch] = STUCK.branches;
  const shown = (more: Partial<AdminTransaction>) =>
    describeTransaction({ ...STUCK, ...more }, false).join('\n');
  const waiting = (waitsFor: BranchWaits) =>
    shown({ branches: branch ? [{ ...branch, waitsFor }] : [] });

  it('says for what, since when, and who holds it', () => {
    expect(waiting({ known: true, asOf: serverTime, waits: [wait] })).toMatch(
      /waits for row \(0,7\) of account, held by transaction other \(active\), 2 ahead of it \(since .*, 12 s so far\)/,
    );
  });

  it('says where it is not known, and nothing where it waits for nothing', () => {
    expect(waiting({ known: false, waits: [] })).toMatch(
      /whether it waits for a lock is not known/,
    );
    expect(waiting({ known: true, asOf: serverTime, waits: [] })).not.toMatch(/for a lock/);
  });

  it('says whom it blocks, and which cycle it was in', () => {
    const blocks = {
      sessions: 1,
      transactions: [],
      since,
      asOf: serverTime,
      participants: ['west'],
    };
    const waiter = { ...wait, participant: 'west', waiter: { kind: 'session', pid: 9 } } as const;
    const step = { transactionId: 'a', participant: 'east', relation: 'account', heldBy: 'b' };
    const cycle = { state: 'broken', at: serverTime, victim: 'a', waits: [step] } as const;
    const text = shown({ blocks, waiters: [waiter], cycles: [cycle] });
    expect(text).toMatch(/blocks 1 session at west since .* \(12 s so far/);
    expect(text).toMatch(/session pid 9 waits at west for row \(0,7\) of account since/);
    expect(text).toMatch(
      /was in a cycle of waits, broken .*; a gave way\n.*a waited for a row of account at east, held by b/,
    );
  });
});
