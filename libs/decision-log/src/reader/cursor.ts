/**
 * Cursors: opaque to clients, bound to the list it came from. A cursor of another filter is
 * refused, because it would silently skip or repeat transactions. It also carries which transactions
 * have been shown ahead of their place, so that what does harm may change between two pages and still
 * nothing is shown twice or not at all.
 */
import { isTransactionId, type TransactionId } from '@concordat/protocol';
import { createHash } from 'node:crypto';
import { CursorRefused } from '../refusals.js';

const VERSION = '2';
const MARK_LENGTH = 8;

export interface Position {
  /** The last transaction shown in its place; absent while only those ahead were shown. */
  readonly last?: TransactionId;
  /** Marks of those that were shown ahead of their place. */
  readonly ahead: ReadonlySet<string>;
}

/** Short enough for hundreds in a cursor; two of a list are the same once in many billions. */
export function markOf(transaction: TransactionId): string {
  return createHash('sha256').update(transaction).digest('base64url').slice(0, MARK_LENGTH);
}

export function makeCursor(filter: object, { last = '' as never, ahead }: Position): string {
  const text = `${VERSION}.${fingerprintOf(filter)}.${String(last)}.${[...ahead].join('')}`;
  return Buffer.from(text).toString('base64url');
}

/** Where the page before ended. */
export function readCursor(filter: object, cursor: string): Position {
  const parts = Buffer.from(cursor, 'base64url').toString().split('.');
  const [version, fingerprint, last = '', marks = ''] = parts;
  const isFit = last === '' || isTransactionId(last);
  if (version !== VERSION || !isFit || marks.length % MARK_LENGTH !== 0) {
    throw new CursorRefused('this is no cursor of ours: begin again without a cursor');
  }
  if (fingerprint !== fingerprintOf(filter)) {
    throw new CursorRefused(
      'the cursor belongs to a list with another filter: begin again without a cursor, or repeat ' +
        'the filter it came with',
    );
  }
  const ahead = new Set(marks.match(new RegExp(`.{${MARK_LENGTH}}`, 'g')) ?? []);
  return { ahead, ...(last === '' ? {} : { last: last as TransactionId }) };
}

function fingerprintOf(filter: object): string {
  const fields = Object.entries(filter).filter(([, value]) => value !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 16);
}
