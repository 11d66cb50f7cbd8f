/** The text query and the address are the same thing said in two ways. */
import fc from 'fast-check';
import { addressOf, filterOfAddress, formatQuery, parseQuery, type ListFilter } from './query.js';

describe('The text query', () => {
  it('reads names, ages and the beginning of an id', () => {
    const { filter, misunderstood } = parseQuery(
      'status:in_doubt participant:inventory age:>5m label:"big order" by:shop 0193f',
    );
    expect(misunderstood).toEqual([]);
    expect(filter).toEqual({
      status: 'in-doubt',
      participant: 'inventory',
      olderThan: '5m',
      label: 'big order',
      principal: 'shop',
      q: '0193f',
    });
  });

  it('finds the transaction of a pasted gid', () => {
    expect(parseQuery('cc:k7m2qx0a:0193f4c2:3').filter).toEqual({ q: '0193f4c2' });
  });

  it.each([
    ['colour:red', /“colour:” is not known/],
    ['age:>soon', /not an age/],
    ['sort:best', /Known are harm, newest, oldest/],
    ['participant:', /needs a value/],
    ['by:a by:b', /given twice/],
    ['0193 0194', /one id/],
  ])('names what it does not understand in %s', (text, says) => {
    expect(parseQuery(text).misunderstood.join(' ')).toMatch(says);
  });

  it('comes back from text and from an address as it was', () => {
    const word = fc.stringMatching(/^[a-z0-9][a-z0-9 -]{0,12}[a-z0-9]$/);
    const filters = fc.record(
      {
        status: fc.constantFrom('committing', 'heuristic-mixed'),
        participant: word,
        label: word,
        principal: word,
        olderThan: fc.constantFrom('5m', '2h', '100ms'),
        sort: fc.constantFrom('harm' as const, 'newest' as const),
        q: fc.stringMatching(/^[0-9a-f]{4,12}$/),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(filters, (filter) => {
        expect(parseQuery(formatQuery(filter))).toEqual({ filter, misunderstood: [] });
        const inView: ListFilter = { view: 'in-doubt', ...filter };
        const address = new URL(addressOf(inView), 'http://view');
        expect(filterOfAddress(address.searchParams)).toEqual(inView);
      }),
    );
  });

  it('shows the stuck ones for an address that names no view, or one of another version', () => {
    expect(filterOfAddress(new URLSearchParams()).view).toBe('stuck');
    expect(filterOfAddress(new URLSearchParams('view=later')).view).toBe('stuck');
  });
});
