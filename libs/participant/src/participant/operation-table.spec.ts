/** Operations by name: what is wrong with a call is a vote that says what would be right. */
import { z } from 'zod';
import { OperationTable } from './operation-table.js';

const run = () => undefined;
const debit = {
  name: 'debit',
  input: z.strictObject({ account: z.string(), amount: z.int().min(1) }),
  run,
};

describe('the operations of a participant', () => {
  const table = new OperationTable([debit, { name: 'ping', run }]);

  it('pass a call on with its input as the schema read it', () => {
    const upper = { name: 'up', input: z.string().transform((text) => text.toUpperCase()), run };
    expect(new OperationTable([upper]).check({ name: 'up', input: 'a' })).toEqual({
      name: 'up',
      input: 'A',
    });
    expect(table.check({ name: 'ping', input: { any: 1 } })).toEqual({
      name: 'ping',
      input: { any: 1 },
    });
  });

  it('answer bad input with a no that names every field', () => {
    const vote = table.check({ name: 'debit', input: { amount: 0.5, extra: true } });
    expect(vote).toMatchObject({ kind: 'no', code: 'INVALID_INPUT', retryable: false });
    expect(vote).toMatchObject({
      details: {
        field: 'account',
        issues: [{ field: 'account' }, { field: 'amount' }, { field: 'input' }],
      },
    });
  });

  it('answer an unknown name, also one that every object has, with the names there are', () => {
    for (const name of ['credit', 'constructor', '__proto__']) {
      expect(table.check({ name, input: {} })).toMatchObject({
        code: 'UNKNOWN_OPERATION',
        reason: expect.stringContaining('debit, ping') as string,
      });
    }
  });

  it('refuse duplicates, odd names and having none at all, before the service starts', () => {
    expect(() => new OperationTable([debit, debit])).toThrow(/debit is defined twice/);
    expect(() => new OperationTable([{ name: 'two words', run }])).toThrow(/two words/);
    expect(() => new OperationTable([])).toThrow(/no operations/);
  });
});
