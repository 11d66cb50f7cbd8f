/**
 * What was seen is what is acted on: the entity tags of the admin API and their comparison. Guards
 * "If-Match on every mutation": a request that does not say what it has seen is refused (428), and one
 * that has seen something else gets the current state (412). Nothing is done in either case.
 */
import { createHash } from 'node:crypto';
import { Problem, type ProblemExtras } from '../problems/problem.js';

/** What may be acted on: `it` in words, and what a problem about it names. */
export interface Subject {
  readonly name: 'transaction' | 'orphan' | 'operation' | 'participant';
  readonly transactionId?: string;
}

/** The tag of everything that may change which actions are right: nothing else belongs into `parts`. */
export function tagOf(parts: readonly unknown[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
  return `"${digest.slice(0, 16)}"`;
}

/** Throws unless the request says what it has seen. */
export function assertSaysWhatWasSeen(
  ifMatch: string | undefined,
  { name, ...extras }: Subject,
): asserts ifMatch is string {
  if (ifMatch !== undefined) return;
  throw new Problem(
    'if-match-missing',
    `Send in If-Match the \`etag\` of the ${name} as it was seen, so that nothing is done to what has changed since. Nothing was done.`,
    {
      ...extras,
      errors: [{ field: 'header If-Match', message: `must be the etag of the ${name}` }],
    },
  );
}

/** Throws when what was seen is not what is; `is` says in a few words how it is now. */
export function assertUnchanged(
  ifMatch: string,
  etag: string,
  { name, ...extras }: Subject,
  { is, members }: { readonly is: string } & Pick<ProblemExtras, 'members'>,
): void {
  if (matches(ifMatch, etag)) return;
  throw new Problem(
    'changed-since',
    `The ${name} has changed since it was looked at: it is ${is} now. Nothing was done; look at it again.`,
    { ...extras, headers: { ETag: etag }, members: { etag, ...members } },
  );
}

function matches(ifMatch: string, etag: string): boolean {
  return ifMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
