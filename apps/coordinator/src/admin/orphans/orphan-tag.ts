/** The entity tag of an orphan. Guards "If-Match on every mutation": what was seen is what is acted on. */
import type { FoundOrphan } from '@concordat/engine';
import { tagOf } from '../if-match.js';

/**
 * What `If-Match` must carry: it changes with what was found and with what the register says of it, and
 * not with the age of what is found again and again.
 */
export function etagOf({ gid, participant, kind, verdict }: FoundOrphan): string {
  return tagOf(['orphan', gid, participant, kind, verdict]);
}
