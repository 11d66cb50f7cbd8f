/** The entity tag of a participant. Guards "If-Match on every mutation": what was seen is what is acted on. */
import type { Retiring } from '@concordat/diagnosis';
import { tagOf } from '../if-match.js';

/** What `If-Match` must carry: it changes with everything that may change whether it may be retired. */
export function etagOf({ seen, undelivered }: Retiring): string {
  const { participant, state, lastKnown } = seen;
  if (state !== 'silent') return tagOf(['participant', participant, 'answers']);
  const commits = undelivered && (undelivered.get(participant) ?? 0) > 0;
  return tagOf(['participant', participant, 'silent', commits, lastKnown?.inDoubt]);
}
