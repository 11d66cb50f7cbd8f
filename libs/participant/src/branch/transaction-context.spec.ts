/** The context of direct calls: read in every shape and casing, never taken for absent when unreadable. */
import { headers } from '@nats-io/nats-core';
import { makeTransactionId, type Incarnation } from '@concordat/protocol';
import { contextHeaderOf, parseContext } from './transaction-context.js';

const TX = makeTransactionId(Date.now(), new Uint8Array(10), 'abcdefgh' as Incarnation);

describe('the context header', () => {
  it('is found whatever its casing, in the headers of HTTP, fetch and NATS', () => {
    const nats = headers();
    nats.set('concordat-CONTEXT', `v1;tx=${TX}`);
    const shapes = [
      { 'concordat-context': `v1;tx=${TX}` },
      { 'CONCORDAT-CONTEXT': [`v1;tx=${TX}`] },
      new Headers({ 'Concordat-Context': `v1;tx=${TX}` }),
      new Map([['Concordat-Context', `v1;tx=${TX}`]]),
      nats,
    ];
    for (const shape of shapes) expect(contextHeaderOf(shape)).toBe(`v1;tx=${TX}`);
  });

  it('is absent where there is none', () => {
    for (const none of [undefined, null, {}, { other: 'x' }]) {
      expect(contextHeaderOf(none)).toBeUndefined();
    }
  });

  it('names its transaction; fields of later versions of v1 are ignored', () => {
    expect(parseContext(`v1;tx=${TX}`)).toBe(TX);
    expect(parseContext(`v1; later=1 ; tx=${TX};x`)).toBe(TX);
  });

  it.each(['', 'v1', 'v1;tx=', 'v1;tx=me', `v1;tx=${TX}'`])(
    'that is unreadable (%j) is refused',
    (text) => {
      expect(() => parseContext(text)).toThrow(/v1/);
    },
  );

  it('of an unknown version is refused by that name', () => {
    expect(() => parseContext(`v2;tx=${TX}`)).toThrow(
      expect.objectContaining({ code: 'unknown-context-version' }) as Error,
    );
  });
});
