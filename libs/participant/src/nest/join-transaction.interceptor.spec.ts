/** What a direct caller is answered when its call cannot join, or its branch refuses. */
import type { ExecutionContext } from '@nestjs/common';
import { HttpException } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { JoinRefused } from '@concordat/engine';
import { protocolNo, type NoCode } from '@concordat/protocol';
import { firstValueFrom, of } from 'rxjs';
import { VoteNo } from '../branch/vote-no.js';
import { voteOfSqlError } from '../postgres/votes-of-errors.js';
import type { BranchRunner } from './branch-runner.js';
import { JoinTransactionInterceptor } from './join-transaction.interceptor.js';
import type { ParticipantHost } from './participant.host.js';
import type { ParticipantRegistry } from './participant-registry.js';

const call = {
  getType: () => 'http',
  getArgByIndex: () => undefined,
  getClass: () => Object,
  getHandler: () => of,
  switchToHttp: () => ({
    getRequest: () => ({ headers: { 'Concordat-Context': 'v1;tx=x' } }),
    getResponse: () => ({}),
  }),
} as unknown as ExecutionContext;

/** What the caller gets when joining ends like this. */
async function answerTo(thrown: unknown): Promise<unknown> {
  const runner = { run: () => Promise.reject(thrown as Error) } as unknown as BranchRunner;
  const host = { name: 'notes', voteOf: voteOfSqlError } as unknown as ParticipantHost;
  const alone = { several: false } as unknown as ParticipantRegistry;
  const interceptor = new JoinTransactionInterceptor(runner, host, new Reflector(), alone);
  const handler = { handle: () => of(undefined) };
  return firstValueFrom(interceptor.intercept(call, handler)).catch((error: unknown) => error);
}

const problemOf = (answer: unknown) => (answer as HttpException).getResponse();

describe('a direct call that cannot go on', () => {
  it.each<[NoCode, boolean]>([
    ['SESSIONS_BUSY', true],
    ['IN_DOUBT_LIMIT', true],
    ['BRANCH_LOST', true],
    ['ALREADY_FINISHED', false],
  ])('for %s says whether a retry may succeed: %s', async (code, retryable) => {
    const answer = await answerTo(JoinRefused.by(protocolNo(code, 'It cannot.')));
    expect(problemOf(answer)).toMatchObject({ status: 409, code, detail: 'It cannot.', retryable });
  });

  it('has the code also where the details cannot be sent', async () => {
    const answer = await answerTo(new VoteNo('BAD_NAME', { amount: 10n }));
    expect(problemOf(answer)).toMatchObject({ status: 409, code: 'BAD_NAME' });
    expect(JSON.stringify(problemOf(answer))).not.toContain('details');
  });

  it('meets the service’s own error where a statement of it is wrong', async () => {
    const wrong = Object.assign(new Error('no such column'), { code: '42703', severity: 'ERROR' });
    expect(await answerTo(wrong)).toBe(wrong);
  });
});
