/**
 * Questions to the decision database, for requests. Guards "a database that does not answer is a problem that
 * says so, and nothing else is called one": what the server itself refuses, and mistakes of ours, stay what
 * they are.
 */
import { CursorRefused, isAboutTheData } from '@concordat/decision-log';
import { Refusal } from '@concordat/engine';
import { HttpException } from '@nestjs/common';
import { invalidRequest, Problem } from './problem.js';

const NO_ANSWER =
  'The decision database does not answer. Nothing was done and nothing is known; ask again.';

/** The answer. Rejects with a problem where there is none, which `detail` describes. */
export async function answered<T>(asked: Promise<T>, detail = NO_ANSWER): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof CursorRefused) {
      throw invalidRequest([{ field: 'query cursor', message: error.message }]);
    }
    if (!mayBeAway(error)) throw error;
    throw new Problem('register-unavailable', detail, { retryAfterMs: 1_000 });
  }
}

function mayBeAway(error: unknown): boolean {
  const isOurs = error instanceof HttpException || error instanceof Refusal;
  const isMistake = error instanceof TypeError || error instanceof RangeError;
  return !isOurs && !isMistake && !isAboutTheData(error);
}
