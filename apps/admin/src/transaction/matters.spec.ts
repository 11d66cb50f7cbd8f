import type { BranchState } from '@concordat/client';
import { thatMatter } from './matters.js';

describe('Of many branches', () => {
  const branch = (at: number, more: object = {}) =>
    ({
      branch: String(at),
      participant: `p${at}`,
      work: 'bundled',
      operations: [],
      attempts: 1,
      vote: { kind: 'prepared' },
      outcome: { kind: 'committed' },
      ...more,
    }) as unknown as BranchState;
  const numbers = (branches: readonly BranchState[]) => branches.map((one) => one.branch);

  it('those that need attention are among the first, in their own order', () => {
    const all = Array.from({ length: 64 }, (_, at) => branch(at + 1));
    all[63] = branch(64, { outcome: { kind: 'heuristic' } });
    all[50] = branch(51, { outcome: undefined, lastError: 'no answer' });
    all[40] = branch(41, { outcome: undefined });
    all[30] = branch(31, { vote: { kind: 'no' }, outcome: undefined });
    expect(numbers(thatMatter(all, 5))).toEqual(['1', '31', '41', '51', '64']);
    expect(numbers(thatMatter(all, 2))).toEqual(['31', '64']);
  });

  it('the first ones are shown where none needs anything', () => {
    const all = Array.from({ length: 9 }, (_, at) => branch(at + 1));
    expect(numbers(thatMatter(all, 3))).toEqual(['1', '2', '3']);
  });
});
