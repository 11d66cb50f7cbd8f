/**
 * Marks by HMAC-SHA-256 under a key that all coordinators of a cluster derive from the secret in their
 * decision database. Guards "404 for all others": 30 bits, so an invented id is marked as one's own once in a
 * billion, and without the secret an id does not reveal whose it is.
 */
import { PrincipalMarks } from '@concordat/engine';
import { markTransactionId, unmarkedPart, type TransactionId } from '@concordat/protocol';
import { createHmac } from 'node:crypto';

export class HmacPrincipalMarks extends PrincipalMarks {
  private readonly key: Uint8Array;
  private readonly known: readonly string[];

  /** `known`: the principals among whom {@link whose} looks. */
  constructor(secret: Uint8Array, known: readonly string[]) {
    super();
    this.key = createHmac('sha256', secret).update('whose transaction').digest();
    this.known = [...new Set(known)];
  }

  override mark(id: TransactionId, principal: string): TransactionId {
    const mac = createHmac('sha256', this.key);
    return markTransactionId(id, mac.update(`${unmarkedPart(id)}:${principal}`).digest());
  }

  override isMarked(id: TransactionId, principal: string): boolean {
    return this.mark(id, principal) === id;
  }

  /** The one known principal whose id it is; undefined for none, or more than one. */
  whose(id: TransactionId): string | undefined {
    const theirs = this.known.filter((one) => this.isMarked(id, one));
    return theirs.length === 1 ? theirs[0] : undefined;
  }
}
