/** A number in a body is either kept as it was written, or found with its path. */
import fc from 'fast-check';
import { inexactNumbers, isExact } from './exact-numbers.js';

/** A JSON number as a whole count of a power of ten: the judge that does no arithmetic of doubles. */
function valueOf(token: string): { readonly count: bigint; readonly power: number } {
  const [mantissa = '', exponent = '0'] = token.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  let count = BigInt(whole + fraction);
  let power = Number(exponent) - fraction.length;
  while (count !== 0n && count % 10n === 0n) {
    count /= 10n;
    power += 1;
  }
  return { count, power: count === 0n ? 0 : power };
}

const digits = (max: number) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: max })
    .map((all) => all.join(''));

/** Any JSON number that a person or another language may write. */
const token = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: digits(24).map((text) => text.replace(/^0+(?=\d)/, '')),
    fraction: fc.option(digits(24), { nil: undefined }),
    exponent: fc.option(
      fc.tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), digits(3)),
      { nil: undefined },
    ),
  })
  .map(({ sign, whole, fraction, exponent }) =>
    [sign, whole, fraction === undefined ? '' : `.${fraction}`, exponent?.join('') ?? ''].join(''),
  );

describe('A JSON number', () => {
  it.each([
    '0',
    '-0',
    '0.0',
    '0e400',
    '1',
    '-1',
    '0.1',
    '0.10',
    '0.30000000000000004',
    '9007199254740991',
    '9007199254740992',
    '-9007199254740994',
    '1e21',
    '1E+2',
    '1.00000000000000000000',
    '100000000000000000000000',
    '5e-324',
    '1.7976931348623157e308',
  ])('%s is kept', (text) => {
    expect(isExact(text)).toBe(true);
    expect(inexactNumbers(`[${text}]`)).toEqual([]);
  });

  it.each([
    ['1e400', 'Infinity'],
    ['-1e400', '-Infinity'],
    ['1.7976931348623159e308', 'Infinity'],
    ['9007199254740993', '9007199254740992'],
    ['-9007199254740993', '-9007199254740992'],
    ['9007199254740993.0', '9007199254740992'],
    ['12345678901234567890', '12345678901234567000'],
    ['1.00000000000000000001', '1'],
    ['0.123456789012345678901234567890', '0.12345678901234568'],
    ['0.10000000000000001', '0.1'],
    ['4.9e-324', '5e-324'],
    ['1e-400', '0'],
    [`1${'0'.repeat(400)}`, 'Infinity'],
    [`1${'0'.repeat(30)}1`, '1e+31'],
  ])('%s is not: it would arrive as %s', (text, arrivesAs) => {
    expect(isExact(text)).toBe(false);
    expect(inexactNumbers(`[${text}]`)).toEqual([{ path: [0], arrivesAs }]);
  });

  it('is kept if and only if what leaves again is the same decimal value', () => {
    fc.assert(
      fc.property(token, (text) => {
        const value = JSON.parse(text) as number;
        const isSame =
          Number.isFinite(value) &&
          (() => {
            const [before, after] = [valueOf(text), valueOf(JSON.stringify(value))];
            return before.count === after.count && before.power === after.power;
          })();
        expect([text, isExact(text)]).toEqual([text, isSame]);
        expect([text, inexactNumbers(`[${text}]`).length]).toEqual([text, isSame ? 0 : 1]);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is kept whenever JavaScript wrote it', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        expect(isExact(JSON.stringify(value))).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('The numbers of a body', () => {
  it('are found with their path, wherever they are', () => {
    const text =
      '{"branches":[{"a":1},{"operations":[{"name":"x","input":{"amount":9007199254740993, "b":[[1,1e999]]}}]}]}';
    expect(inexactNumbers(text).map((one) => one.path)).toEqual([
      ['branches', 1, 'operations', 0, 'input', 'amount'],
      ['branches', 1, 'operations', 0, 'input', 'b', 0, 1],
    ]);
  });

  it('are not looked for in strings and names, with any contents', () => {
    const odd = ['9007199254740993', 'a "1e999" b', '\\', '\\"', '{"x":1e999', '[1e999,', '\\\\"'];
    const text = JSON.stringify(Object.fromEntries(odd.map((one) => [one, [one, { [one]: one }]])));
    expect(inexactNumbers(text)).toEqual([]);
  });

  it('are all found in any value, in their order, and nothing else', () => {
    // Placeholders become numbers that no double holds; where they are is known from the value.
    const value = fc.jsonValue({ maxDepth: 4 }).map((one) => planted(one));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1), ({ plain, paths }, indent) => {
        const text = JSON.stringify(plain, null, indent).replaceAll(
          `"${MARK}"`,
          '12345678901234567891',
        );
        expect(inexactNumbers(text, Number.MAX_SAFE_INTEGER).map((one) => one.path)).toEqual(paths);
      }),
    );
  });

  it('are reported up to a number, and no longer looked for', () => {
    expect(inexactNumbers(`[${Array(1_000).fill('1e999').join()}]`, 5)).toHaveLength(5);
  });

  it.each([
    ['digits in strings', `["${'1'.repeat(500_000)}"]`],
    ['escapes', `["1111111111111111${'\\\\'.repeat(250_000)}"]`],
    ['escaped quotes', `["1111111111111111${'\\"'.repeat(250_000)}"]`],
    ['one number', `[1${'0'.repeat(250_000)}1${'0'.repeat(250_000)}]`],
    ['many numbers', `[${Array(25_000).fill('1.000000000000000000').join()}]`],
    ['short runs of digits', `[${Array(60_000).fill('1234567').join()},1e999]`],
  ])('are found in time that grows with the text only: %s', (_, text) => {
    const from = performance.now();
    inexactNumbers(text);
    // A quadratic scan of half a megabyte takes minutes.
    expect(performance.now() - from).toBeLessThan(2_000);
  });
});

const MARK = 'a number that no double holds';

/** The value with every `true` in it replaced by a mark, and where the marks are, in their order. */
function planted(value: unknown): { plain: unknown; paths: (string | number)[][] } {
  const paths: (string | number)[][] = [];
  const visit = (one: unknown, path: (string | number)[]): unknown => {
    if (one === true) {
      paths.push(path);
      return MARK;
    }
    // Other numbers are left out: those of fast-check are doubles, which are kept.
    if (Array.isArray(one)) return one.map((member, index) => visit(member, [...path, index]));
    if (one === null || typeof one !== 'object') return one;
    const members = Object.entries(one).filter(([name]) => name !== '__proto__');
    return Object.fromEntries(
      members.map(([name, member]) => [name, visit(member, [...path, name])]),
    );
  };
  const plain = visit(JSON.parse(JSON.stringify(value)), []);
  return { plain, paths };
}
