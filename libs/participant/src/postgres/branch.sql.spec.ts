/** Nothing but a gid of this protocol becomes SQL: there is no bind parameter for gids. */
import fc from 'fast-check';
import { parseGid, type Gid } from '@concordat/protocol';
import { beginSteps, identifier, prepareSql } from './branch.sql.js';

const GOOD = 'cc:abcdefgh:0123456789abcdefghjkmnpqrs-abcdefgh:1' as Gid;

describe('the SQL of a branch', () => {
  it('takes a gid of the protocol', () => {
    expect(prepareSql(GOOD)).toBe(`PREPARE TRANSACTION '${GOOD}'`);
  });

  it.each([
    "x'; DROP TABLE account; --",
    `${GOOD}'`,
    `${GOOD}\n`,
    `${GOOD} `,
    '',
    'cc:ABCDEFGH:0123456789abcdefghjkmnpqrs-abcdefgh:1',
    'cc:abcdefgh:0123456789abcdefghjkmnpqrs-abcdefgh:0',
  ])('refuses %j', (text) => {
    expect(() => prepareSql(text as Gid)).toThrow(/not a gid/);
  });

  it('refuses every text that the protocol does not parse', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((s) => `${GOOD}${s}`),
        ),
        (text) => {
          fc.pre(parseGid(text) === undefined);
          expect(() => prepareSql(text as Gid)).toThrow(RangeError);
        },
      ),
    );
  });

  it('writes time-outs as integers that Postgres can hold', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (ms) => {
        const steps = beginSteps(GOOD, { lockMs: ms, statementMs: ms, idleMs: ms });
        const [lock, statement, idle, gid] = steps.at(-1)?.values ?? [];
        expect(gid).toBe(GOOD);
        const values = [lock, statement, idle].map(Number);
        for (const value of values) {
          expect(Number.isInteger(value)).toBe(true);
          expect(value).toBeGreaterThanOrEqual(1);
          expect(value).toBeLessThanOrEqual(2_147_483_647);
        }
      }),
    );
  });

  it('quotes schema names, and refuses those that are none', () => {
    expect(identifier('odd"name')).toBe('"odd""name"');
    expect(() => identifier('')).toThrow(RangeError);
    expect(() => identifier('x'.repeat(64))).toThrow(RangeError);
  });
});
