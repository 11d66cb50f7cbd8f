/**
 * Bodies share a number of bytes, no key has more than half of it, and released bytes are available again.
 */
import { Problem } from '../problems/problem.js';
import { BodyBudget, type GiveBack } from './body-budget.js';

function taken(budget: BodyBudget, owner: string, bytes: number): GiveBack {
  const took = budget.take(owner, bytes);
  if (took instanceof Problem) throw took;
  return took;
}

const codeOf = (took: GiveBack | Problem): string | undefined =>
  took instanceof Problem ? took.code : undefined;

describe('The budget of bodies', () => {
  it('is shared by all, and comes back with the answers', () => {
    const budget = new BodyBudget(1_000);
    const backs = ['a', 'b', 'c'].map((owner) => taken(budget, owner, 300));
    const refused = budget.take('d', 200);
    expect(codeOf(refused)).toBe('too-many-body-bytes');
    expect((refused as Problem).headers['Retry-After']).toBe('1');
    expect(budget.statistics()).toEqual({ bytes: 900, bytesMax: 1_000, refused: 1 });
    for (const back of backs) back();
    for (const back of backs) back(); // Once more changes nothing.
    expect(budget.statistics().bytes).toBe(0);
    expect(codeOf(budget.take('d', 200))).toBeUndefined();
  });

  it('leaves half of it to others, however much one key asks for', () => {
    const budget = new BodyBudget(1_000);
    taken(budget, 'greedy', 400);
    expect(codeOf(budget.take('greedy', 200))).toBe('too-many-bytes-of-key');
    expect(codeOf(budget.take('other', 200))).toBeUndefined();
  });

  it('keeps what a body turned out to have', () => {
    const budget = new BodyBudget(1_000);
    const back = taken(budget, 'a', 500);
    back(20);
    expect(budget.statistics().bytes).toBe(20);
    back();
    expect(budget.statistics().bytes).toBe(0);
  });

  it('takes one body alone, however small it is', () => {
    const budget = new BodyBudget(10);
    expect(codeOf(budget.take('a', 1_000))).toBeUndefined();
    expect(codeOf(budget.take('a', 1))).toBe('too-many-bytes-of-key');
    expect(codeOf(budget.take('b', 1))).toBe('too-many-body-bytes');
  });
});
