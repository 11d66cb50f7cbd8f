/** A hostile body is found by one walk, which costs no more than reading the body did. */
import { hostilePart, JSON_DEPTH_MAX, JSON_VALUES_MAX } from './hostile-part.js';

interface Told {
  readonly errors: readonly { readonly field: string; readonly message: string }[];
}

function told(text: string): Told['errors'] | undefined {
  return (hostilePart(JSON.parse(text))?.getResponse() as Told | undefined)?.errors;
}

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('A body', () => {
  it.each([
    '{}',
    '[]',
    '{"a":[1,{"b":null}],"c":"__proto__"}',
    nested(JSON_DEPTH_MAX),
    `[${'0,'.repeat(JSON_VALUES_MAX - 2)}0]`,
  ])('that is fit is taken (%#)', (text) => {
    expect(told(text)).toBeUndefined();
  });

  it.each([
    ['{"__proto__":1}', '__proto__'],
    ['{"a":[1,{"b":{"__proto__":{}}}]}', 'a[1].b.__proto__'],
    ['[[0],[{"__proto__":0}]]', '[1][0].__proto__'],
  ])('with a poisoned name is refused by its place: %s', (text, field) => {
    expect(told(text)).toEqual([{ field, message: 'is not a name that a field may have' }]);
  });

  it('that is too deep is refused by the place of the first level too many', () => {
    const [error] = told(`{"a":{"b":[7,${nested(JSON_DEPTH_MAX)}]}}`) ?? [];
    expect(error?.field).toBe(`a.b[1]${'[0]'.repeat(JSON_DEPTH_MAX - 3)}`);
    expect(error?.message).toMatch(/deeper than 20 levels/);
  });

  it('with more values than allowed is refused', () => {
    const text = `[${'0,'.repeat(JSON_VALUES_MAX)}0]`;
    expect(told(text)).toEqual([
      { field: 'body', message: expect.stringMatching(/250000 values/) },
    ]);
  });

  it('of as many values as allowed is walked about as fast as it was parsed', () => {
    const text = `[${'0,'.repeat(JSON_VALUES_MAX - 2)}0]`;
    const [parsing, walking] = [fastest(() => JSON.parse(text)), fastest(walkOf(JSON.parse(text)))];
    expect(walking).toBeLessThan(5 * parsing);
  });
});

function walkOf(body: unknown): () => unknown {
  return () => hostilePart(body);
}

/** Milliseconds of the fastest of several runs: what else the machine does counts least there. */
function fastest(act: () => unknown): number {
  const times = Array.from({ length: 7 }, () => {
    const from = performance.now();
    act();
    return performance.now() - from;
  });
  return Math.min(...times);
}
