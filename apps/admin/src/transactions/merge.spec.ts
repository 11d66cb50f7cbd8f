/** Rows keep their place until somebody asks for the new order. */
import type { AdminTransactionList, TransactionRow } from '@concordat/client';
import { mergeLists } from './merge.js';

function row(transactionId: string, more: Partial<TransactionRow> = {}): TransactionRow {
  return {
    transactionId,
    status: 'committing',
    begunAt: '2026-11-21T12:00:00.000Z',
    inStatusMs: 1_000,
    branchesDone: 1,
    branchesTotal: 2,
    participants: [],
    waitingOn: [],
    attempts: 1,
    blockedSessions: 0,
    why: 'because',
    version: '1',
    ...more,
  };
}

function list(
  second: number,
  rows: readonly TransactionRow[],
  nextCursor?: string,
): AdminTransactionList {
  return {
    transactions: rows,
    serverTime: `2026-11-21T12:00:${String(second).padStart(2, '0')}.000Z`,
    ...(nextCursor ? { nextCursor } : {}),
  };
}

const ids = (rows: readonly { transactionId: string }[]): string[] =>
  rows.map((one) => one.transactionId);

describe('A list that changes while it is read', () => {
  it('keeps its order, counts what is new, and brings every row up to date', () => {
    const merged = mergeLists(
      [list(0, [row('a'), row('b')])],
      list(5, [row('new'), row('b', { attempts: 9 }), row('a')]),
    );
    expect(ids(merged.rows)).toEqual(['a', 'b']);
    expect(merged.rows[1]?.attempts).toBe(9);
    expect(merged.fresh).toBe(1);
  });

  it('says which rows have left the view, and leaves them where they were', () => {
    const merged = mergeLists([list(0, [row('a'), row('b')])], list(5, [row('b')]));
    expect(merged.rows.map((one) => one.hasLeft)).toEqual([true, false]);
    expect(merged.left).toBe(1);
  });

  it('does not take a row for gone that may have moved to a later page', () => {
    const merged = mergeLists([list(0, [row('a'), row('b')], 'more')], list(5, [row('b')], 'more'));
    expect(merged.left).toBe(0);
  });

  it('shows a row once that moved between two pages while they were loaded', () => {
    const merged = mergeLists(
      [list(0, [row('a'), row('b')], 'p2'), list(1, [row('b'), row('c')])],
      undefined,
    );
    expect(ids(merged.rows)).toEqual(['a', 'b', 'c']);
  });

  it('never replaces a row by an older account of it', () => {
    const merged = mergeLists([list(9, [row('a', { attempts: 9 })])], list(5, [row('a')]));
    expect(merged.rows[0]?.attempts).toBe(9);
  });
});
