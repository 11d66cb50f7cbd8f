/** Bodies of a begin that are wrong in one place: what is wrong, the body, and the field that the answer must name. */
export const branch = (more: object = {}) => ({
  participant: 'ledger-east',
  operations: [{ name: 'debit', input: {} }],
  ...more,
});

export const WRONG_BODIES: readonly [what: string, body: object, field: string][] = [
  ['an unknown field', { lable: 'x' }, 'lable'],
  [
    'a mistyped participant',
    { branches: [{ participent: 'a', operations: [] }] },
    'branches[0].participent',
  ],
  ['no participant', { branches: [{ operations: [{ name: 'x' }] }] }, 'branches[0].participant'],
  [
    'no name of an operation',
    { branches: [branch({ operations: [{}] })] },
    'branches[0].operations[0].name',
  ],
  ['an unknown field in a branch', { branches: [branch({ then: 1 })] }, 'branches[0].then'],
  [
    'an unknown field in an operation',
    { branches: [branch({ operations: [{ name: 'x', inputs: 1 }] })] },
    'branches[0].operations[0].inputs',
  ],
  ['a number as label', { label: 7 }, 'label'],
  ['a label with control characters', { label: 'a\u0000b' }, 'label'],
  ['a label of half a character', { label: '\ud800' }, 'label'],
  ['a label that is too long', { label: 'x'.repeat(201) }, 'label'],
  ['text as time-out', { timeoutMs: '5' }, 'timeoutMs'],
  ['a negative time-out', { timeoutMs: -1 }, 'timeoutMs'],
  ['a time-out of zero', { timeoutMs: 0 }, 'timeoutMs'],
  ['a broken time-out', { timeoutMs: 1.5 }, 'timeoutMs'],
  ['a time-out of a day', { timeoutMs: 86_400_000 }, 'timeoutMs'],
  ['a commit that is no boolean', { commit: 'yes', branches: [branch()] }, 'commit'],
  ['a commit of nothing', { commit: true }, 'branches'],
  ['branches that are no list', { branches: {} }, 'branches'],
  ['a branch that is no object', { branches: ['ledger-east'] }, 'branches[0]'],
  [
    'a participant with a quote',
    { branches: [branch({ participant: "a'; DROP TABLE decision" })] },
    'branches[0].participant',
  ],
  [
    'a participant with a line break',
    { branches: [branch({ participant: 'a\nb' })] },
    'branches[0].participant',
  ],
  [
    'a participant that is a subject',
    { branches: [branch({ participant: 'a.>' })] },
    'branches[0].participant',
  ],
  ['no operations', { branches: [branch({ operations: [] })] }, 'branches[0].operations'],
  [
    'too many operations',
    { branches: [branch({ operations: Array.from({ length: 257 }, () => ({ name: 'x' })) })] },
    'branches[0].operations',
  ],
  [
    'an operation with a bell in its name',
    { branches: [branch({ operations: [{ name: 'debit\u0007' }] })] },
    'branches[0].operations[0].name',
  ],
  ['a participant twice', { branches: [branch(), branch()] }, 'branches[1].participant'],
  [
    'a thousand branches',
    {
      commit: true,
      branches: Array.from({ length: 1_000 }, (_, n) => branch({ participant: `p${n}` })),
    },
    'branches',
  ],
];
