/** What `concordat settle` says: how many were settled, and of each that is left, why. */
import { describeSettlement } from './settle.js';

const left = { gid: 'cc:clusterx:a:1', heldMs: 125_000, why: 'no coordinator is there' };

describe('concordat settle', () => {
  it('says that nothing is in doubt, or that all is settled, in a line', () => {
    expect(describeSettlement('ledger', { found: 0, settled: 0, left: [] })).toEqual([
      'Nothing of ledger is in doubt.',
    ]);
    expect(describeSettlement('ledger', { found: 3, settled: 3, left: [] })).toEqual([
      '3 of 3 branches of ledger that were in doubt are settled.',
    ]);
  });

  it('lists what is left with its age and the reason', () => {
    const lines = describeSettlement('ledger', { found: 2, settled: 1, left: [left] });
    expect(lines[0]).toContain('1 of 2 branches of ledger');
    expect(lines.at(-1)).toMatch(/^cc:clusterx:a:1 +2 min 5 s +no coordinator is there$/);
  });
});
