/**
 * The checker checked: it finds nothing in a good history and something in every bad one, named by
 * the invariant that is broken, in any order of the lines.
 */
import fc from 'fast-check';
import { CHECKERS, check } from './checker/check.js';
import { goodHistory } from './checker/good-history.js';
import { at, tx, WEST } from './checker/good-pieces.js';
import { fromLines, toLine, type Event } from './checker/history.js';
import { MUTATIONS, sentAgain } from './checker/mutations.js';

/** Any order of the lines. */
function shuffled(history: readonly Event[]): fc.Arbitrary<Event[]> {
  return fc.shuffledSubarray([...history], { minLength: history.length });
}

describe('The offline checker', () => {
  it('finds nothing in a good history', () => {
    expect(check(goodHistory())).toEqual([]);
  });

  it.each(MUTATIONS.map((one) => [one.what, one.breaks, one] as const))(
    'complains when %s (%s)',
    (_, breaks, { names, mutate }) => {
      const complaints = check(mutate(goodHistory()));
      const ours = complaints.filter(({ invariant }) => invariant === breaks);
      expect(ours.map(({ sentence }) => sentence).join('\n')).toContain(names);
    },
  );

  it('complains about no prepare that was lost on its way and is sent again', () => {
    expect(check(sentAgain(tx(1), '1', 'voted')(goodHistory()))).toEqual([]);
  });

  it('complains about no branch in doubt while its participant is away', () => {
    const doubtful = MUTATIONS.find(({ what }) => what.includes('more than a minute'));
    const away = { type: 'life', service: WEST } as const;
    const history = [
      ...(doubtful?.mutate(goodHistory()) ?? []),
      at(-59_000, { ...away, event: 'ended', expected: true }),
      at(1_005, { ...away, event: 'up' }),
    ];
    expect(check(history)).toEqual([]);
  });

  it('has a mutation for each of its invariants', () => {
    const broken = new Set(MUTATIONS.map((one) => one.breaks));
    expect([...broken].sort()).toEqual(Object.keys(CHECKERS).sort());
  });

  it('leaves out none of the eighteen', () => {
    const told = new Set(Object.keys(CHECKERS));
    const eighteen = Array.from({ length: 18 }, (_, index) => `I${index + 1}`);
    expect(eighteen.filter((one) => !told.has(one))).toEqual([]);
  });

  it('says the same in any order of the lines', () => {
    const histories = [goodHistory(), ...MUTATIONS.map(({ mutate }) => mutate(goodHistory()))];
    const anyOrder = fc
      .constantFrom(...histories)
      .chain((history) => fc.tuple(fc.constant(history), shuffled(history)));
    fc.assert(
      fc.property(anyOrder, ([history, other]) => {
        expect(check(other)).toEqual(check(history));
      }),
      { numRuns: 300 },
    );
  });

  it('reads what it writes, and says which line was cut', () => {
    const lines = goodHistory().map(toLine).join('\n');
    expect(fromLines(`${lines}\n`)).toEqual(goodHistory());
    expect(() => fromLines(lines.slice(0, -5))).toThrow(/line \d+ .* cut/);
  });
});
