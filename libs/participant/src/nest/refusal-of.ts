/** Nest's client errors as votes: what a guard, a pipe or a handler refuses is a no, not a failure. */
import { HttpException, HttpStatus } from '@nestjs/common';
import { NoCode } from '@concordat/protocol';
import { VoteNo } from '../branch/vote-no.js';

/** A refusal for a client error of Nest's; undefined for anything else. */
export function refusalOf(error: unknown): VoteNo | undefined {
  if (!(error instanceof HttpException)) return undefined;
  const status = error.getStatus();
  if (status >= Number(HttpStatus.INTERNAL_SERVER_ERROR)) return undefined;
  const isInput = status === Number(HttpStatus.BAD_REQUEST);
  const code = isInput ? NoCode.invalidInput : (HttpStatus[status] ?? 'REFUSED');
  return new VoteNo(code, undefined, { reason: error.message });
}
