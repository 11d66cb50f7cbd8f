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
        issues: [
          { field: 'account', message: 'is missing; it must be a string' },
          { field: 'amount', message: 'must be a whole number' },
          { field: 'input' },
        ],
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

  describe('with a schema of another library', () => {
    const even = (input: unknown) =>
      Number(input) % 2 === 0
        ? { value: Number(input) / 2 }
        : { issues: [{ message: 'is odd', path: [{ key: 'amount' }, 0] }] };
    const halve = (
      validate: (input: unknown) => ReturnType<typeof even> | Promise<ReturnType<typeof even>>,
    ) =>
      new OperationTable([
        {
          name: 'halve',
          input: { '~standard': { version: 1, vendor: 'test', validate } },
          run: (input) => input,
        },
      ]);
    const branch = undefined as never; // No operation here looks at it.
    const no = { code: 'INVALID_INPUT', details: { field: 'amount.0' } };

    it('read and refuse as it says', async () => {
      const atOnce = halve(even);
      const call = atOnce.check({ name: 'halve', input: 8 });
      expect(call).toEqual({ name: 'halve', input: 4 });
      expect(await atOnce.run({ name: 'halve', input: 4 }, branch)).toBe(4);
      expect(atOnce.check({ name: 'halve', input: 7 })).toMatchObject(no);
    });

    it('wait for one that answers later, inside of the branch', async () => {
      const later = halve((input) => Promise.resolve(even(input)));
      const call = { name: 'halve', input: 8 };
      expect(later.check(call)).toBe(call);
      expect(await later.run(call, branch)).toBe(4);
      const odd = { name: 'halve', input: 7 };
      expect(later.check(odd)).toBe(odd);
      await expect(later.run(odd, branch)).rejects.toMatchObject({ vote: no });
    });
  });
});
