/**
 * The list that is shown and the list as it is now, brought together. Guards "rows do not jump under the
 * pointer": a row keeps its place until somebody asks for the new order; what it says is kept up to date.
 */
import type { AdminTransactionList, TransactionRow } from '@concordat/client';

export interface ShownRow extends TransactionRow {
  /** The moment its ages are true of. */
  readonly asOfMs: number;
  /** It was at the beginning of this view, and is not any more. */
  readonly hasLeft: boolean;
}

export interface Merged {
  readonly rows: readonly ShownRow[];
  /** Rows of the view that are not shown yet. */
  readonly fresh: number;
  readonly left: number;
}

export function mergeLists(
  pages: readonly AdminTransactionList[],
  head: AdminTransactionList | undefined,
): Merged {
  const shown = uniqueRows(pages);
  if (!head) return { rows: shown.map((row) => ({ ...row, hasLeft: false })), fresh: 0, left: 0 };
  const asOfMs = Date.parse(head.serverTime);
  const now = new Map(head.transactions.map((row) => [row.transactionId, row]));
  const known = new Set(shown.map((row) => row.transactionId));
  // When the head holds the whole view, a shown row that it lacks has left it. When there is more
  // behind it, the row may merely have moved further down.
  const isWhole = head.nextCursor === undefined;
  const rows = shown.map((row): ShownRow => {
    const newer = now.get(row.transactionId);
    if (newer)
      return asOfMs >= row.asOfMs
        ? { ...newer, asOfMs, hasLeft: false }
        : { ...row, hasLeft: false };
    return { ...row, hasLeft: isWhole && asOfMs > row.asOfMs };
  });
  const fresh = head.transactions.filter((row) => !known.has(row.transactionId)).length;
  return { rows, fresh, left: rows.filter((row) => row.hasLeft).length };
}

/** Pages are asked for one after another, while rows come and go: one may be on two of them. */
function uniqueRows(pages: readonly AdminTransactionList[]): Omit<ShownRow, 'hasLeft'>[] {
  const seen = new Set<string>();
  const rows: Omit<ShownRow, 'hasLeft'>[] = [];
  for (const page of pages) {
    const asOfMs = Date.parse(page.serverTime);
    for (const row of page.transactions) {
      if (seen.has(row.transactionId)) continue;
      seen.add(row.transactionId);
      rows.push({ ...row, asOfMs });
    }
  }
  return rows;
}
