/** Two bodies have one fingerprint if and only if they are the same JSON value. */
import fc from 'fast-check';
import { canonicalJson, fingerprint } from './canonical-json.js';

/** The same value with the members of every object in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).map(([key, member]) => [key, shuffled(member)] as const);
  return Object.fromEntries(members.reverse());
}

/** JSON values as they arrive: through text, with keys that sort as text. */
const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe('The fingerprint of a body', () => {
  it('does not depend on the order of keys or on white space', () => {
    fc.assert(
      fc.property(json, (value) => {
        const spaced = JSON.parse(JSON.stringify(shuffled(value), null, 3)) as unknown;
        expect(fingerprint(spaced)).toBe(fingerprint(value));
      }),
    );
  });

  it('differs for bodies that differ, since nothing of the value is lost', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(value);
      }),
    );
  });

  it('keeps the order of lists, and distinguishes null, absence and emptiness', () => {
    const prints = [[1, 2], [2, 1], { a: null }, {}, { a: [] }, { a: {} }, { a: '' }, { a: 0 }].map(
      fingerprint,
    );
    expect(new Set(prints).size).toBe(prints.length);
  });

  it('is not fooled by text that looks like structure', () => {
    expect(fingerprint({ a: '1,"b":2' })).not.toBe(fingerprint({ a: '1', b: 2 }));
    expect(fingerprint(['a,b'])).not.toBe(fingerprint(['a', 'b']));
  });

  it('is 64 hexadecimal digits', () => {
    expect(fingerprint({})).toMatch(/^[0-9a-f]{64}$/);
  });
});
