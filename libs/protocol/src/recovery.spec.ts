import fc from 'fast-check';
import {
  FINISH_BACKOFF,
  backoffMs,
  branchesToInquire,
  finishersToTakeOver,
  formatGid,
  judgeInquiry,
  makeBranchId,
  makeTransactionId,
  tokenFrom,
} from './index.js';

const cluster = tokenFrom(new Uint8Array(8).fill(1));
const other = tokenFrom(new Uint8Array(8).fill(2));
const transaction = makeTransactionId(1, new Uint8Array(10), cluster);
const gidOf = (of: typeof cluster) =>
  formatGid({ cluster: of, transaction, branch: makeBranchId(1) });

describe('Recovery', () => {
  it('asks about its own cluster’s branches only', () => {
    const prepared = [
      { gid: gidOf(cluster), ageMs: 5_000 },
      { gid: gidOf(other), ageMs: 5_000 },
      { gid: 'somebody-else', ageMs: 5_000 },
    ];
    const found = branchesToInquire(prepared, { cluster, graceMs: 1_000, busy: new Set() });
    expect(found.map(formatGid)).toEqual([gidOf(cluster)]);
  });

  it('leaves young branches and those at work alone', () => {
    const entry = { gid: gidOf(cluster), ageMs: 500 };
    expect(branchesToInquire([entry], { cluster, graceMs: 1_000, busy: new Set() })).toEqual([]);
    const busy = new Set([entry.gid]);
    expect(branchesToInquire([entry], { cluster, graceMs: 0, busy })).toEqual([]);
  });

  it('never turns a missing answer into an abort without recording the abort', () => {
    expect(judgeInquiry({ standing: undefined, owner: 'gone' })).toEqual({ kind: 'propose-abort' });
    expect(judgeInquiry({ standing: undefined, owner: 'live' })).toEqual({ kind: 'undecided' });
    for (const owner of ['live', 'gone'] as const) {
      for (const standing of ['commit', 'abort'] as const) {
        expect(judgeInquiry({ standing, owner })).toEqual({ kind: 'tell', decision: standing });
      }
    }
  });

  it('takes over from the dead only', () => {
    expect(finishersToTakeOver([cluster, other], new Set([cluster]))).toEqual([other]);
  });
});

describe('Backoff', () => {
  const attempts = fc.integer({ min: 1, max: 1e6 });
  const chance = fc.double({ min: 0, max: 0.999, noNaN: true });

  it('grows to its cap, never exceeds it, and never gives up', () => {
    fc.assert(
      fc.property(attempts, chance, (attempt, unit) => {
        const wait = backoffMs(attempt, unit);
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual(FINISH_BACKOFF.capMs);
        expect(backoffMs(attempt + 1, unit)).toBeGreaterThanOrEqual(wait);
      }),
    );
    expect(backoffMs(2, 0)).toBeGreaterThan(backoffMs(1, 0));
    expect(backoffMs(1e6, 0.999)).toBeGreaterThan(0.99 * FINISH_BACKOFF.capMs);
  });

  it('spreads those that failed together over half of each wait', () => {
    fc.assert(
      fc.property(attempts, (attempt) => {
        const [least, most] = [backoffMs(attempt, 0), backoffMs(attempt, 0.999)];
        expect(most / least).toBeGreaterThan(1.9);
      }),
    );
  });
});
