/** What values weigh bounds what they take as text, so that most messages need not be written out to fit. */
import fc from 'fast-check';
import { weightOf } from './weight.js';

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe('The weight of a value', () => {
  it('is at least a third of what its JSON takes, whatever it holds', () => {
    const unit = fc.constantFrom('a', 'ä', '漢', '\0', '\u001f', '"', '\\', '\ud800', '\u{1f600}');
    // Mixed, and of one character only: six bytes for each, or more than what its slot allows for.
    const text = fc.oneof(
      fc.string({ unit, maxLength: 50 }),
      fc.tuple(unit, fc.nat(200)).map(([one, times]) => one.repeat(times)),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(null, true, false, -1.7976931348623157e308),
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(text, tie('value'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(value, (one) => {
        expect(bytesOf(one)).toBeLessThanOrEqual(3 * weightOf(one));
      }),
      { numRuns: 2_000 },
    );
  });
});
