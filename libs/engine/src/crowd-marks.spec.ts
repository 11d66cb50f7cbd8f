/** What operations have in common. */
import { commonOf, isPartOf, marksOf, seedsOf } from './crowd-marks.js';

const of = (account: string, amount: number) =>
  marksOf([{ name: 'debit', input: { account, amount } }]);

describe('What operations have in common', () => {
  it('is their names, and each short value of their inputs by its place', () => {
    const input = { account: 'a', amount: 5, note: 'x'.repeat(101), to: { shelf: [7] }, no: null };
    const calls = [
      { name: 'debit', input },
      { name: 'tick', input: { fast: true } },
    ];
    expect([...marksOf(calls)]).toEqual([
      ...['debit', 'debit.account="a"', 'debit.amount=5', 'debit.to.shelf.0=7'],
      ...['tick', 'tick.fast=true'],
    ]);
  });

  it('is all that each of them has', () => {
    expect([...commonOf([of('hot', 1), of('hot', 1), of('hot', 1)])]).toHaveLength(3);
    const common = commonOf([of('hot', 1), of('hot', 2)]);
    expect([...common]).toEqual(['debit', 'debit.account="hot"']);
    expect(isPartOf(common, of('hot', 3))).toBe(true);
    expect(isPartOf(common, of('own-1', 1))).toBe(false);
  });

  it('is nothing that all others have, where it is nothing', () => {
    const nothing = commonOf([of('hot', 1), marksOf([{ name: 'credit', input: {} }])]);
    expect(isPartOf(nothing, of('hot', 1))).toBe(false);
  });

  it('is looked for by what most have, values before names', () => {
    expect(seedsOf([of('hot', 1), of('hot', 1), of('hot', 2), of('own-1', 3)])).toEqual([
      ...['debit.account="hot"', 'debit.amount=1', 'debit'],
    ]);
  });
});
