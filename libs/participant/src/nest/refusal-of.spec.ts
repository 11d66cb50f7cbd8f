/**
 * What Nest's exceptions say as votes: the code, the field, as much as a client of HTTP would read,
 * and no more.
 */
import {
  BadRequestException,
  ConflictException,
  ForbiddenException,
  HttpException,
  InternalServerErrorException,
  type HttpExceptionOptions,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { refusalOf } from './refusal-of.js';

const voteOf = (error: unknown) => refusalOf(error)?.vote;

describe('An exception of Nest’s as a vote', () => {
  const options: HttpExceptionOptions = { cause: new Error('secret cause') };
  const cases: Readonly<Record<string, readonly [unknown, object]>> = {
    'has its message': [
      new ConflictException('The seat is taken', options),
      { code: 'CONFLICT', reason: 'The seat is taken', retryable: false },
    ],
    'has its standard message where it was given none': [
      new ForbiddenException(),
      { code: 'FORBIDDEN', reason: 'Forbidden' },
    ],
    'has all messages of a list': [
      new BadRequestException(['name must be a string', 'amount must be positive']),
      {
        code: 'INVALID_INPUT',
        reason: 'name must be a string; amount must be positive',
        details: {
          issues: [{ message: 'name must be a string' }, { message: 'amount must be positive' }],
        },
      },
    ],
    'names the fields of messages that are grouped': [
      new BadRequestException({ message: { 'to.street': ['is empty', 'is short'] }, error: 'x' }),
      {
        reason: 'to.street: is empty; to.street: is short',
        details: {
          field: 'to.street',
          issues: [
            { field: 'to.street', message: 'is empty' },
            { field: 'to.street', message: 'is short' },
          ],
        },
      },
    ],
    'names the fields of class-validator’s errors, children too': [
      new BadRequestException([
        {
          property: 'to',
          target: { secret: 1 },
          value: 'secret',
          children: [{ property: 'street', constraints: { isString: 'must be a string' } }],
        },
      ]),
      { reason: 'to.street: must be a string', details: { field: 'to.street' } },
    ],
    'names the fields of a schema’s issues beside a general message': [
      new BadRequestException({
        message: 'Validation failed',
        errors: [{ path: ['to', 0, { key: 'street' }], message: 'expected string' }],
      }),
      { reason: 'Validation failed; to.0.street: expected string' },
    ],
    'is retryable where the same may succeed in a moment': [
      new HttpException('Too many requests', 429),
      { code: 'TOO_MANY_REQUESTS', retryable: true },
    ],
    'has a code also for a status that Nest does not name': [
      new HttpException('odd', 499),
      { code: 'REFUSED', reason: 'odd' },
    ],
    'keeps an error that it wraps to itself': [
      new HttpException(new Error('password of the database') as never, 400),
      { code: 'INVALID_INPUT', reason: 'invalid input' },
    ],
    'keeps a stack in a message to itself': [
      new BadRequestException(
        'boom\n    at secret (/srv/app.js:1:2)\n    at other (/srv/x.js:3:4)',
      ),
      { reason: 'boom' },
    ],
    'of Nest’s message transports has its own code, if that is one': [
      new RpcException({ code: 'OUT_OF_STOCK', message: 'none left' }),
      { code: 'OUT_OF_STOCK', reason: 'none left' },
    ],
    'of Nest’s message transports has its text': [
      new RpcException('not today'),
      { code: 'REFUSED', reason: 'not today' },
    ],
  };

  it.each(Object.entries(cases))('%s', (_what, [error, vote]) => {
    expect(voteOf(error)).toMatchObject({ kind: 'no', ...vote });
    expect(JSON.stringify(voteOf(error))).not.toMatch(/secret|password|\.js/);
  });

  it('is bounded, however much it says', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => ({
      [`f${index}`]: 'x'.repeat(5_000),
    }));
    const vote = voteOf(new BadRequestException(many));
    expect(vote?.reason.length).toBeLessThanOrEqual(1_000);
    expect(JSON.stringify(vote).length).toBeLessThan(10_000);
    let nested: unknown = 'deep';
    for (let depth = 0; depth < 100_000; depth += 1) nested = { children: [nested], property: 'a' };
    expect(voteOf(new BadRequestException([nested]))?.code).toBe('INVALID_INPUT');
  });

  it('is none for a failure: that goes to the log', () => {
    expect(voteOf(new InternalServerErrorException('secret'))).toBeUndefined();
    expect(voteOf(new Error('secret'))).toBeUndefined();
  });
});
