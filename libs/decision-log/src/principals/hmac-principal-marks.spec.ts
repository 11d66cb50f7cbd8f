/** Marks show whose an id is, to coordinators of the same cluster only. */
import { makeTransactionId, type Incarnation, type TransactionId } from '@concordat/protocol';
import { randomBytes } from 'node:crypto';
import { HmacPrincipalMarks } from './hmac-principal-marks.js';

const fresh = () => makeTransactionId(Date.now(), randomBytes(10), 'k7m2p9xd' as Incarnation);

describe('The mark in a transaction id', () => {
  const secret = randomBytes(32);
  const marks = new HmacPrincipalMarks(secret, ['billing', 'shop', 'billing']);

  it('is known at every coordinator with the same secret, and at none with another', () => {
    const id = marks.mark(fresh(), 'billing');
    expect(new HmacPrincipalMarks(secret, []).isMarked(id, 'billing')).toBe(true);
    expect(new HmacPrincipalMarks(randomBytes(32), []).isMarked(id, 'billing')).toBe(false);
  });

  it('is one principal’s alone, and of one id', () => {
    const id = marks.mark(fresh(), 'billing');
    for (const other of ['shop', 'billing2', 'billin', '']) {
      expect(marks.isMarked(id, other)).toBe(false);
    }
    const moved = `${id.slice(0, 27)}zzzzzzzz` as TransactionId;
    expect(marks.isMarked(moved, 'billing')).toBe(false);
  });

  it('is on no id that somebody makes up', () => {
    const made = Array.from({ length: 2_000 }, fresh);
    expect(made.filter((id) => marks.isMarked(id, 'billing'))).toEqual([]);
  });

  it('names the owner among the known principals, and none for others', () => {
    expect(marks.whose(marks.mark(fresh(), 'shop'))).toBe('shop');
    expect(marks.whose(marks.mark(fresh(), 'gone'))).toBeUndefined();
    expect(marks.whose(fresh())).toBeUndefined();
  });
});
