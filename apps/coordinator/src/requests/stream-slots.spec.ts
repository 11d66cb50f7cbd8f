/** Streams have a bound for all, and one for each key. */
import { Problem } from '../problems/problem.js';
import { StreamSlots } from './stream-slots.js';

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'open';
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(error.headers['Retry-After']).toBe('5');
    return error.code;
  }
}

describe('Streams', () => {
  it('of one key are as many as one may have, and leave room for another', () => {
    const slots = new StreamSlots('streams', 3, 2);
    const back = slots.take('greedy');
    slots.take('greedy');
    expect(codeOf(() => slots.take('greedy'))).toBe('too-many-streams-of-key');
    expect(codeOf(() => slots.take('other'))).toBe('open');
    expect(codeOf(() => slots.take('third'))).toBe('too-many-requests');
    back();
    expect(codeOf(() => slots.take('greedy'))).toBe('open');
    expect(slots.open).toBe(3);
  });
});
