/** Problems say what happened, name the field, and say whether another try can help. */
import { Refusal, type TransactionView } from '@concordat/engine';
import { voteNo, type AbortCause } from '@concordat/protocol';
import { z } from 'zod';
import { invalidRequest, Problem, PROBLEMS, type ProblemCode } from './problem.js';
import { abortedProblem, heuristicProblem, refusalProblem, type Fate } from './refusal-problem.js';
import { schemaProblem } from './schema-problem.js';

const transaction = '01m7yqagbxf1n9msr29xrrrv77-6fkr70s7' as TransactionView['transaction'];
const branch = '1' as TransactionView['branches'][number]['branch'];
const participant = 'ledger-east' as TransactionView['branches'][number]['participant'];

const aborted = (cause: AbortCause): Fate => ({
  transaction,
  status: 'aborted',
  decision: 'abort',
  cause,
  branches: [],
});

const bodyOf = (problem: Problem) => problem.getResponse() as Record<string, unknown>;

describe('A problem', () => {
  it.each(Object.keys(PROBLEMS) as ProblemCode[])('%s has all that RFC 9457 asks for', (code) => {
    const problem = new Problem(code, 'What happened, and what happens next.');
    const [status, title] = PROBLEMS[code];
    expect(problem.getStatus()).toBe(status);
    expect(bodyOf(problem)).toMatchObject({ type: `/problems#${code}`, title, status, code });
    expect(status).toBeGreaterThanOrEqual(400);
  });

  it('asks to come back in whole seconds, and never in zero', () => {
    const after = (retryAfterMs: number) =>
      new Problem('too-many-transactions', '', { retryAfterMs }).headers['Retry-After'];
    expect([after(1), after(1_000), after(1_001)]).toEqual(['1', '1', '2']);
  });

  it('of several fields names the first in its detail and all in its errors', () => {
    const errors = ['a', 'b', 'c', 'd', 'e'].map((field) => ({ field, message: 'is wrong' }));
    const body = bodyOf(invalidRequest(errors));
    expect(body['detail']).toContain('a, b, c and 2 more');
    expect(body['errors']).toEqual(errors);
  });
});

describe('An aborted commit', () => {
  it('is 409 and names the branch that said no, with its code, reason and details', () => {
    const vote = voteNo('INSUFFICIENT_FUNDS', 'insufficient funds', {
      details: { account: 'alice' },
    });
    const problem = abortedProblem(aborted({ kind: 'vote', branch, participant, vote }));
    expect(problem.getStatus()).toBe(409);
    expect(bodyOf(problem)).toMatchObject({
      code: 'transaction-aborted',
      transactionId: transaction,
      decision: 'abort',
      retryable: false,
      cause: {
        kind: 'vote',
        branch: '1',
        participant: 'ledger-east',
        code: 'INSUFFICIENT_FUNDS',
        reason: 'insufficient funds',
        retryable: false,
        details: { account: 'alice' },
      },
    });
  });

  it.each<[AbortCause, boolean, RegExp]>([
    [
      { kind: 'vote', branch, participant, vote: voteNo('BUSY', 'busy', { retryable: true }) },
      true,
      /voted no: BUSY/,
    ],
    [{ kind: 'unreachable', branch, participant }, true, /No instance of ledger-east/],
    [{ kind: 'deadline', missing: [participant] }, true, /without a vote from ledger-east/],
    [{ kind: 'deadline', missing: [] }, true, /before the commit was asked for/],
    [{ kind: 'rollback-requested', reason: 'changed my mind' }, false, /changed my mind/],
    [{ kind: 'doubtful-work', branch, participant, reason: 'time-out' }, true, /is unknown/],
    [
      { kind: 'given-up', branch, participant, reason: 'no room' },
      true,
      /does not wait for it: no/,
    ],
    [{ kind: 'idempotency-key', winner: transaction }, false, /same idempotency key/],
    [{ kind: 'operator', reason: 'stuck' }, false, /An operator aborted it: stuck/],
    [{ kind: 'undetermined' }, true, /found in the decision register/],
  ])('for %j says whether another try can help: %s', (cause, retryable, sentence) => {
    const body = bodyOf(abortedProblem(aborted(cause)));
    expect(body['retryable']).toBe(retryable);
    expect(body['detail']).toMatch(sentence);
    expect(body['detail']).not.toContain('..');
  });
});

describe('A heuristic outcome', () => {
  it('is never a success: it names the branches that disagree and forbids a repeat', () => {
    const evidence = { decision: 'commit', found: 'missing', explanation: 'gone' } as const;
    const problem = heuristicProblem({
      transaction,
      status: 'heuristic-mixed',
      decision: 'commit',
      outcome: 'heuristic-mixed',
      branches: [
        {
          branch,
          participant,
          work: 'bundled',
          operations: [],
          attempts: 1,
          outcome: { kind: 'heuristic', evidence },
        },
      ],
    });
    expect(problem.getStatus()).toBe(409);
    expect(bodyOf(problem)).toMatchObject({
      code: 'heuristic-outcome',
      retryable: false,
      decision: 'commit',
      outcome: 'heuristic-mixed',
      branches: [{ participant: 'ledger-east', evidence }],
    });
  });
});

describe('A refusal of the engine', () => {
  it.each([
    ['unknown-transaction', 404, 'unknown-or-forgotten'],
    ['not-active', 409, 'not-active'],
    ['already-committed', 409, 'already-committed'],
    ['too-many-transactions', 429, 'too-many-transactions'],
    ['too-many-of-principal', 429, 'too-many-transactions-of-key'],
    ['too-fast', 429, 'too-many-begins-of-key'],
    ['too-many-bytes', 503, 'too-many-bytes'],
    ['too-many-bytes-of-principal', 429, 'too-many-bytes-of-key'],
    ['too-many-branches', 422, 'too-many-branches'],
    ['message-too-large', 413, 'message-too-large'],
    ['timeout-out-of-range', 422, 'timeout-out-of-range'],
    ['shutting-down', 503, 'shutting-down'],
  ] as const)('%s becomes %d %s', (code, status, problemCode) => {
    const problem = refusalProblem(
      new Refusal(code, 'Why, and what next.', { retryAfterMs: 1_500 }),
    );
    expect(problem.getStatus()).toBe(status);
    expect(bodyOf(problem)).toMatchObject({ code: problemCode, detail: 'Why, and what next.' });
    expect(problem.headers['Retry-After']).toBe('2');
  });
});

describe("A schema's complaint", () => {
  const Body = z.strictObject({
    list: z.array(z.strictObject({ name: z.string() })),
    'odd key': z.string().optional(),
  });

  function errors(value: unknown, schema?: z.ZodType): unknown {
    const { error } = Body.safeParse(value);
    return bodyOf(schemaProblem(error?.issues ?? [], 'body', schema))['errors'];
  }

  it('gives the nearest known field of a mistyped one, else all that are known there', () => {
    expect(errors({ list: [{ name: 'a', nmae: 1, most: 2 }], lists: [] }, Body)).toEqual([
      { field: 'list[0].nmae', message: 'is not a known field; did you mean name?' },
      { field: 'list[0].most', message: 'is not a known field; known here are `name`' },
      { field: 'lists', message: 'is not a known field; did you mean list?' },
    ]);
  });

  it('knows the fields of a schema with a name of its own, as the bodies of requests have', () => {
    const Part = z.strictObject({ name: z.string() }).meta({ id: 'NamedPart' });
    const Named = z.strictObject({ parts: z.array(Part) }).meta({ id: 'NamedBody' });
    const { error } = Named.safeParse({ parts: [{ name: 'a', nmae: 1 }], prats: 1 });
    expect(bodyOf(schemaProblem(error?.issues ?? [], 'body', Named))['errors']).toEqual([
      { field: 'parts[0].nmae', message: 'is not a known field; did you mean name?' },
      { field: 'prats', message: 'is not a known field; did you mean parts?' },
    ]);
  });

  it('says of a field that it is missing, or what it must be and what it is', () => {
    expect(errors({ list: [{}, { name: 7 }] })).toEqual([
      { field: 'list[0].name', message: 'is missing; it must be a string' },
      { field: 'list[1].name', message: 'must be a string, not a number' },
    ]);
  });

  it('names an unknown field itself, not the object that holds it', () => {
    expect(errors({ list: [{ name: 'a', more: 1, most: 2 }] })).toEqual([
      { field: 'list[0].more', message: 'is not a known field' },
      { field: 'list[0].most', message: 'is not a known field' },
    ]);
  });

  it('names the path of a wrong value', () => {
    expect(errors({ list: [{ name: 'a' }, { name: 1 }] })).toMatchObject([
      { field: 'list[1].name' },
    ]);
  });

  it('names the body when it is no object', () => {
    expect(errors(7)).toMatchObject([{ field: 'body' }]);
  });

  it('is bounded, in number and in length, for any body', () => {
    const many = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, n) => [`x${n}`.repeat(99), 1]),
    );
    const told = errors({ list: [], ...many }) as { field: string }[];
    expect(told).toHaveLength(50);
    expect(Math.max(...told.map((one) => one.field.length))).toBeLessThan(100);
  });
});
