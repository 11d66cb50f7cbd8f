/** A schema's complaint is told in words that follow the name of the field. */
import { complaintText } from '@concordat/words';
import { z } from 'zod';

describe('A complaint of zod', () => {
  const said = (schema: z.ZodType, value: unknown): string[] =>
    (schema.safeParse(value).error?.issues ?? []).map(({ message }) => complaintText(message));

  it.each<[z.ZodType, unknown, string]>([
    [z.string(), undefined, 'is missing; it must be a string'],
    [z.int(), undefined, 'is missing; it must be a number'],
    [z.array(z.string()), undefined, 'is missing; it must be an array'],
    [z.string(), 7, 'must be a string, not a number'],
    [z.string(), null, 'must be a string, not null'],
    [z.record(z.string(), z.int()), 7, 'must be an object, not a number'],
    [z.int(), 1.5, 'must be a whole number'],
    [z.number(), Number.NaN, 'must be a number, not NaN'],
    [z.enum(['a', 'b']), 'c', 'must be "a" or "b"'],
    [z.literal('x'), 'y', 'must be "x"'],
    [z.string().max(3), 'long', 'must have at most 3 characters'],
    [z.string().min(1), '', 'must have at least 1 character'],
    [z.string().length(2), 'a', 'must have exactly 2 characters'],
    [z.array(z.int()).max(1), [1, 2], 'must have at most 1 item'],
    [z.int().min(1), 0, 'must be at least 1'],
    [z.int().max(9), 10, 'must be at most 9'],
    [z.number().gt(0), 0, 'must be more than 0'],
    [z.number().lt(1), 1, 'must be less than 1'],
    [z.number().multipleOf(5), 3, 'must be a multiple of 5'],
    [z.string().regex(/^a/), 'b', 'must match pattern /^a/'],
    [z.email(), 'b', 'must be an email address'],
    [z.uuid(), 'b', 'must be a UUID'],
    [z.iso.datetime(), 'b', 'must be an ISO datetime'],
  ])('%# follows the name of a field', (schema, value, words) => {
    expect(said(schema, value)).toEqual([words]);
  });

  it('that the author of the schema wrote is kept', () => {
    expect(said(z.string({ error: 'Invalid account' }), 7)).toEqual(['Invalid account']);
    expect(complaintText('is odd')).toBe('is odd');
  });
});
