/** What may follow what when a transaction is performed, and that anything else is our own defect. */
import { InvariantViolation } from '@concordat/protocol';
import { Progress } from './progress.js';

const at = { at: 5, atMs: 1_005 };

describe('the progress of a transaction', () => {
  it('goes from proposed to decided to settled, and reports its times as far as they are known', () => {
    const progress = new Progress(false);
    progress.propose();
    expect(progress.isDecided()).toBe(false);
    expect(progress.times()).toEqual({});
    progress.decide('commit', at);
    expect(progress.isDecided()).toBe(true);
    expect(progress.isSettled()).toBe(false);
    expect(progress.times()).toEqual({ decidedAtMs: 1_005 });
    progress.settle('commit', 1_010);
    expect(progress.isDecided()).toBe(true);
    expect(progress.isSettled()).toBe(true);
    expect(progress.times()).toEqual({ decidedAtMs: 1_005, endedAtMs: 1_010 });
  });

  it('is decided without a proposal where the decision needs none', () => {
    for (const decision of ['commit', 'abort'] as const) {
      const progress = new Progress(false);
      progress.decide(decision, at);
      progress.settle(decision, 1_010);
      expect(progress.isSettled()).toBe(true);
    }
  });

  it('counts its decision once and its end once', () => {
    const progress = new Progress(false);
    expect(progress.countDecision()).toBeUndefined();
    progress.decide('abort', at);
    expect(progress.countEnd()).toBe(false);
    expect(progress.countDecision()).toMatchObject(at);
    expect(progress.countDecision()).toBeUndefined();
    progress.settle('abort', 1_010);
    expect(progress.countEnd()).toBe(true);
    expect(progress.countEnd()).toBe(false);
    expect(progress.countDecision()).toBeUndefined();
  });

  it('still has its decision counted when both are known at once', () => {
    const progress = new Progress(false);
    progress.decide('abort', at);
    progress.settle('abort', 1_005);
    expect(progress.countDecision()).toMatchObject(at);
    expect(progress.countEnd()).toBe(true);
  });

  it.each<[string, boolean, (progress: Progress) => void]>([
    ['propose twice', false, (one) => [one.propose(), one.propose()]],
    ['propose when decided', false, (one) => [one.decide('abort', at), one.propose()]],
    ['propose what it took over', true, (one) => one.propose()],
    ['abort what it took over', true, (one) => one.decide('abort', at)],
    ['decide twice', false, (one) => [one.decide('commit', at), one.decide('commit', at)]],
    ['change the decision', false, (one) => [one.decide('commit', at), one.decide('abort', at)]],
    ['end undecided', false, (one) => [one.propose(), one.settle('commit', 1_010)]],
    ['end otherwise', false, (one) => [one.decide('commit', at), one.settle('abort', 1_010)]],
    [
      'end twice',
      true,
      (one) => [one.decide('commit', at), ...twice(() => one.settle('commit', 1))],
    ],
    [
      'count the end before the decision',
      false,
      (one) => [one.decide('abort', at), one.settle('abort', 1_010), one.countEnd()],
    ],
  ])('may not %s', (_, takenOver, act) => {
    expect(() => act(new Progress(takenOver))).toThrow(InvariantViolation);
  });
});

function twice(act: () => void): void[] {
  return [act(), act()];
}
