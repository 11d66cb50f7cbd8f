/** What a waiting session does may be shown; what it does it to may not. */
import fc from 'fast-check';
import { withoutLiterals } from './redact.js';

describe('a statement without its literals', () => {
  it.each([
    [
      `UPDATE account SET balance = 7 WHERE id = 'alice'`,
      'UPDATE account SET balance = ? WHERE id = ?',
    ],
    [`SELECT 'it''s', E'a\\'b', U&'\\0061', B'01', 1.5e-3, .5`, 'SELECT ?, ?, ?, ?, ?, ?'],
    ['SELECT $$secret$$, $tag$se$$cret$tag$, $1', 'SELECT ?, ?, $1'],
    ['SELECT t1.c2 FROM "Table 3" t1 -- alice', 'SELECT t1.c2 FROM "Table 3" t1'],
    ['SELECT /* alice */ 1', 'SELECT ?'],
    [`SELECT * FROM t WHERE name = 'cut off in the mid`, 'SELECT * FROM t WHERE name = ?'],
    [`SELECT * FROM t WHERE name = E'cut off \\`, 'SELECT * FROM t WHERE name = ?'],
    ['SELECT $x$cut off', 'SELECT ?'],
  ])('%s', (statement, shown) => {
    expect(withoutLiterals(statement)).toBe(shown);
  });

  it('never shows the contents of a string, whatever surrounds it', () => {
    const secret = fc.stringMatching(/^[a-z]{8,12}$/).map((one) => `${one}q9`);
    fc.assert(
      fc.property(secret, fc.string(), (word, after) => {
        expect(withoutLiterals(`SELECT '${word}' ${after}`)).not.toContain(word);
        expect(withoutLiterals(`SELECT $$${word}$$ ${after}`)).not.toContain(word);
      }),
    );
  });

  it('is short and ends, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2_000 }), (statement) => {
        expect(withoutLiterals(statement).length).toBeLessThanOrEqual(300);
      }),
    );
  });
});
