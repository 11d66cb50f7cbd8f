/** What an answer may hold: what JSON would change, or lose, is named by its path before it leaves. */
import { sendFault } from './sendable.js';

const cycle: Record<string, unknown> = { name: 'ring' };
cycle['next'] = { back: cycle };
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const trap = () => {
  throw new Error('trap');
};

describe('an answer', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['NaN', { a: [1, { b: Number.NaN }] }, 'a.1.b', /^is NaN/],
    ['Infinity', [Number.POSITIVE_INFINITY], '0', /^is Infinity/],
    ['-Infinity', { a: Number.NEGATIVE_INFINITY }, 'a', /^is -Infinity/],
    ['a bigint', { total: { amount: 10n } }, 'total.amount', /^is a bigint: send it as a string/],
    ['a Map', { by: new Map([['a', 1]]) }, 'by', /^is a Map/],
    ['a Set', { of: new Set([1]) }, 'of', /^is a Set/],
    ['a promise', { row: Promise.resolve(1) }, 'row', /await it/],
    ['an invalid Date', { at: new Date(Number.NaN) }, 'at', /^is an invalid Date/],
    ['a cycle', cycle, 'next.back', /^contains itself/],
    ['too many levels', deep(40), '0.'.repeat(23) + '0', /^nests deeper/],
    ['a toJSON that throws', { a: { toJSON: trap } }, 'a', /^has a toJSON/],
    [
      'a getter that throws',
      Object.defineProperty({}, 'a', { get: trap, enumerable: true }),
      'a',
      /throws/,
    ],
    ['a proxy that throws', new Proxy({}, { ownKeys: trap }), '', /cannot be read/],
    ['a key that reaches the prototype', JSON.parse('{"__proto__":1}'), '', /__proto__/],
  ])('with %s is refused by its path', (_what, value, path, what) => {
    const fault = sendFault(value);
    expect(fault?.path).toBe(path);
    expect(fault?.what).toMatch(what);
  });

  it.each<[string, unknown]>([
    ['plain JSON', { a: [1, 'two', true, null, { b: -0.5 }] }],
    ['fields that are left out', { a: undefined, b: () => 1, c: 1 }],
    ['a result as a driver gives it', { rows: [{ id: 1 }], _parsers: [() => 1, undefined] }],
    ['a Date, which is sent as text', { at: new Date(0) }],
    ['an object with a toJSON of its own', { a: { toJSON: () => 'text' } }],
    ['the same object twice', [cycle['name'], { a: deep(2) }].flatMap((one) => [one, one])],
    ['a number beyond 2^53 that is one already', 2 ** 60],
    ['nothing', undefined],
  ])('with %s may leave', (_what, value) => {
    expect(sendFault(value)).toBeUndefined();
  });

  it('that has to arrive whole may leave out nothing, either', () => {
    expect(sendFault({ a: { b: () => 1 } }, 'strict')).toMatchObject({ path: 'a.b' });
  });
});
