/** The searcher, held against what is published before it is believed about anything of ours. */
import { search } from './search.js';
import { TwoPhase } from './two-phase.js';

describe('The searcher', () => {
  it('finds what TLC finds in Lamport’s TwoPhase with 3 resource managers', () => {
    const specification = new TwoPhase(3);
    const found = search(specification, { invariants: [specification.consistent()] });
    expect(found.violation).toBeUndefined();
    expect({ distinct: found.distinct, generated: found.generated, depth: found.depth }).toEqual({
      distinct: 288,
      generated: 1_146,
      depth: 11,
    });
  });

  it('finds the 50,816 states of 6 resource managers', () => {
    const specification = new TwoPhase(6);
    const found = search(specification, { invariants: [specification.consistent()] });
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    expect(found.distinct).toBe(50_816);
  });
});
