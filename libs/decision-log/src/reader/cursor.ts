/**
 * Cursors: opaque to whoever holds one, bound to the list it came from. A cursor of another filter is
 * refused, because it would silently skip or repeat transactions.
 */
import { isTransactionId, type TransactionId } from '@concordat/protocol';
import { createHash } from 'node:crypto';
import { CursorRefused } from '../refusals.js';

const VERSION = '1';

export function makeCursor(filter: object, last: TransactionId): string {
  return Buffer.from(`${VERSION}.${fingerprintOf(filter)}.${last}`).toString('base64url');
}

/** The last transaction of the page before. */
export function readCursor(filter: object, cursor: string): TransactionId {
  const [version, fingerprint, last = ''] = Buffer.from(cursor, 'base64url').toString().split('.');
  if (version !== VERSION || !isTransactionId(last)) {
    throw new CursorRefused('this is no cursor of ours: begin again without a cursor');
  }
  if (fingerprint !== fingerprintOf(filter)) {
    throw new CursorRefused(
      'the cursor belongs to a list with another filter: begin again without a cursor, or repeat ' +
        'the filter it came with',
    );
  }
  return last;
}

function fingerprintOf(filter: object): string {
  const fields = Object.entries(filter).filter(([, value]) => value !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 16);
}
