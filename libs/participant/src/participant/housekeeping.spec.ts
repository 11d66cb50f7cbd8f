/** How old an outcome row is by the register's clock, whatever its own database says. */
import { lowestTransactionIdAt, makeTransactionId, type Incarnation } from '@concordat/protocol';
import { lowestPastRetention } from './housekeeping.js';

const DAY = 24 * 3_600_000;
const RETENTION = 7 * DAY;

describe('Forgetting outcomes', () => {
  const now = Date.now();
  const mark = lowestTransactionIdAt(now);
  const madeAt = (ms: number) =>
    makeTransactionId(ms, new Uint8Array(10).fill(255), '0wner000' as Incarnation);

  it('takes none that is young by the mark, however old its own database takes it for', () => {
    expect(madeAt(now - RETENTION) < lowestPastRetention(mark, RETENTION)).toBe(true);
    expect(madeAt(now - RETENTION + 1) < lowestPastRetention(mark, RETENTION)).toBe(false);
  });

  it('takes everything below the mark where nothing is to be retained', () => {
    expect(lowestPastRetention(madeAt(now), 0) > madeAt(now)).toBe(true);
  });
});
