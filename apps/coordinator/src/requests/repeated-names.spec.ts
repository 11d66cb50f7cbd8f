/** No text has a name twice in one object without its path being found, and no other text is refused. */
import fc from 'fast-check';
import { repeatedNames } from './repeated-names.js';

const found = (text: string, max?: number) => repeatedNames(text, JSON.parse(text), max);

describe('A name twice in one object', () => {
  it.each<[string, readonly (string | number)[]]>([
    ['{"commit":true,"commit":false}', ['commit']],
    ['{"a" : 1, "b":2, "a"\n:3}', ['a']],
    ['{"branches":[{},{"input":{"amount":1,"amount":100}}]}', ['branches', 1, 'input', 'amount']],
    [String.raw`{"amount":1,"\u0061mount":2}`, ['amount']],
    [String.raw`{"a\\":1,"a\\":2}`, ['a\\']],
    [String.raw`{"x":"\"a\":","x":"}"}`, ['x']],
  ])('%s is found where it is', (text, path) => {
    expect(found(text)).toEqual([path]);
  });

  it.each([
    '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
    String.raw`{"a":"\"a\":1,\"a\":2"}`,
    '{"a":":","b":"\\":"}',
    '[]',
  ])('%s has none', (text) => {
    expect(found(text)).toEqual([]);
  });

  it('is never seen in what JSON.stringify has written, and always in what was repeated', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(found(JSON.stringify(JSON.parse(text)))).toEqual([]);
      }),
    );
    fc.assert(
      fc.property(fc.string(), fc.json(), (name, text) => {
        const member = `${JSON.stringify(name)}:${JSON.stringify(JSON.parse(text))}`;
        expect(found(`{${member},"between":0,${member}}`)).toContainEqual([name]);
      }),
    );
  });

  it('is reported so often at most', () => {
    const many = `{${Array.from({ length: 99 }, () => '"a":1').join()}}`;
    expect(found(many, 7)).toHaveLength(7);
  });
});
