/** A database that does not answer is distinguished from one that refuses, and from our own mistakes. */
import { CursorRefused } from '@concordat/decision-log';
import { answered } from './answered.js';
import { Problem } from './problem.js';

describe('A question to the decision database', () => {
  const failing = (error: Error) =>
    answered(Promise.reject(error)).catch((thrown: unknown) => thrown);
  const fromServer = (code: string) => Object.assign(new Error(code), { severity: 'ERROR', code });

  it.each([
    ['a lost connection', new Error('Connection terminated')],
    ['a server that shuts down', fromServer('57P01')],
    ['a full disk', fromServer('53100')],
  ])('without an answer for %s is a problem that says so', async (_, error) => {
    const problem = (await failing(error)) as Problem;
    expect(problem).toBeInstanceOf(Problem);
    expect(problem.getResponse()).toMatchObject({ code: 'register-unavailable' });
  });

  it.each([
    ['text that the server cannot hold', fromServer('22021')],
    ['a violated constraint', fromServer('23514')],
    ['a mistake of ours', new TypeError('x is not a function')],
    ['a problem', new Problem('not-found', 'It is not there.')],
  ])('that is refused for %s is not called an outage', async (_, error) => {
    expect(await failing(error)).toBe(error);
  });

  it('with a cursor that is none of ours names the parameter', async () => {
    const problem = (await failing(new CursorRefused('is none'))) as Problem;
    expect(problem.getResponse()).toMatchObject({ errors: [{ field: 'query cursor' }] });
  });
});
