/**
 * The bodies that begin, extend and end a transaction. One schema each for validation, types and the
 * OpenAPI document. Guards "nothing is begun by a request that names an unknown field": every object
 * is strict, every list and text bounded, every number a bounded integer.
 */
import { BRANCHES_MAX } from '@concordat/protocol';
import { z } from 'zod';

export const OPERATIONS_MAX = 256;
export const LABEL_LENGTH_MAX = 200;
export const REASON_LENGTH_MAX = 500;
export const TIMEOUT_MS_MAX = 900_000;

/** Text for people: no control characters, no halves of surrogate pairs. */
export const text = (lengthMax: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(lengthMax, `must have at most ${lengthMax} characters`)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters');

export const ParticipantNameField = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,31}$/,
    'must be a participant name: a lower-case letter, then up to 31 of a-z 0-9 and hyphen',
  )
  .meta({ description: 'name of the service that takes part', example: 'ledger-east' });

export const Operation = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/,
        'must be an operation name: a letter, then up to 63 of letters, digits and _ . -',
      )
      .meta({ description: 'what its participant calls it', example: 'debit' }),
    input: z
      .unknown()
      .meta({
        description:
          'what the operation takes; {} when absent. A number that a double does not hold (9007199254740993, 1e400) is refused: send it as text',
        example: { account: 'alice', amount: 100 },
      })
      .optional(),
  })
  .meta({ id: 'OperationRequest' });

const Operations = z
  .array(Operation)
  .min(1, 'must name at least one operation')
  .max(OPERATIONS_MAX, `must have at most ${OPERATIONS_MAX} operations`);

export const Branch = z
  .strictObject({ participant: ParticipantNameField, operations: Operations })
  .meta({ id: 'BranchRequest', description: 'one participant’s share: its operations, in order' });

export const BeginTransaction = z
  .strictObject({
    label: text(LABEL_LENGTH_MAX).optional().meta({ description: 'for people; shown in lists' }),
    timeoutMs: z
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .max(TIMEOUT_MS_MAX, `must be at most ${TIMEOUT_MS_MAX}`)
      .optional()
      .meta({
        description:
          'milliseconds until an undecided transaction is aborted; in one phase, until its participant is asked',
      }),
    commit: z
      .boolean()
      .optional()
      .meta({ description: 'true: the whole transaction in this one call' }),
    retry: z.boolean().optional().meta({
      description:
        'of a transaction in one call: whether it is tried again, while its time lasts and the request waits, when it lost to others or found no capacity; true when absent',
    }),
    prepare: z
      .enum(['ordered', 'parallel', 'auto'], {
        error: 'must be "ordered", "parallel" or "auto"',
      })
      .optional()
      .meta({
        description:
          'of a transaction in one call: whether its participants are asked one after another, all at once, or, when absent, as it suits what collides at the moment',
      }),
    branches: z
      .array(Branch)
      .max(BRANCHES_MAX, `must have at most ${BRANCHES_MAX} branches`)
      .optional(),
  })
  .check(({ value, issues }) => {
    const seen = new Set<string>();
    value.branches?.forEach(({ participant }, index) => {
      if (seen.has(participant)) {
        issues.push({
          code: 'custom',
          input: value,
          path: ['branches', index, 'participant'],
          message: `${participant} is named twice: put all its operations into one branch`,
        });
      }
      seen.add(participant);
    });
    if (value.commit === true && (value.branches ?? []).length === 0) {
      const message = 'must have at least one branch when commit is true';
      issues.push({ code: 'custom', input: value, path: ['branches'], message });
    }
    for (const field of ['retry', 'prepare'] as const) {
      if (value[field] === undefined || value.commit === true) continue;
      const message = 'is for a transaction in one call: leave it out, or set "commit" to true';
      issues.push({ code: 'custom', input: value, path: [field], message });
    }
  })
  .meta({ id: 'BeginTransaction' });
export type BeginTransaction = z.infer<typeof BeginTransaction>;

/** Work for one participant of an open transaction. */
export const RunOperations = z
  .strictObject({ participant: ParticipantNameField, operations: Operations })
  .meta({ id: 'RunOperations' });
export type RunOperations = z.infer<typeof RunOperations>;

/** A commit has no other fields. */
export const Commit = z.strictObject({}).meta({ id: 'Commit' });

export const Rollback = z
  .strictObject({ reason: text(REASON_LENGTH_MAX).optional() })
  .meta({ id: 'Rollback' });
export type Rollback = z.infer<typeof Rollback>;
