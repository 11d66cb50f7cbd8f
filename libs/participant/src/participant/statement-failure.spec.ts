/** Whose error a branch votes for, where an ORM made one of its own of what the database said. */
import { VoteNoError } from '@concordat/engine';
import type { PostgresSession } from '../postgres/branch-session.js';
import { voteOfSqlError } from '../postgres/votes-of-errors.js';
import { withItsFailure } from './statement-failure.js';

const deadlock = Object.assign(new Error('deadlock detected'), {
  code: '40P01',
  severity: 'ERROR',
});
const ofTheOrm = new Error('Transaction API error: unable to go on');
const resource = { voteOf: voteOfSqlError };

const thrownBy = (failure: unknown, error: unknown): Promise<unknown> =>
  withItsFailure(resource, { failure } as PostgresSession, () => Promise.reject(error)).catch(
    (thrown: unknown) => thrown,
  );

describe('the error of an operation whose transaction has failed', () => {
  it('is the statement’s, where its own means nothing to the database; its text stays', async () => {
    const thrown = await thrownBy(deadlock, ofTheOrm);
    expect(voteOfSqlError(thrown)).toMatchObject({ code: 'DEADLOCK', retryable: true });
    expect(thrown).toMatchObject({ message: ofTheOrm.message, thrown: ofTheOrm, cause: deadlock });
  });

  it('is its own where no statement has failed, where it says enough, and where it is a vote', async () => {
    expect(await thrownBy(undefined, ofTheOrm)).toBe(ofTheOrm);
    const wrapped = new Error('query failed', { cause: deadlock });
    expect(await thrownBy(deadlock, wrapped)).toBe(wrapped);
    const vote = new VoteNoError('OUT_OF_STOCK');
    expect(await thrownBy(deadlock, vote)).toBe(vote);
  });
});
