/** The messages between coordinator and participants, as rules of a proxy name them. */
import type { ParticipantId } from '../stage/product.js';
import { published, type Predicate } from '../faults/proxy/frame.js';

/** A command on its way to a participant, to one instance or to any; of every participant by default. */
export function command(
  verb: 'prepare' | 'commit' | 'abort',
  ...to: readonly ParticipantId[]
): Predicate {
  const participant = to.length > 0 ? to.join('|') : '[a-z0-9-]+';
  return published(new RegExp(`\\.cmd\\.(${participant})\\.([a-z0-9]{8}\\.)?${verb}$`));
}

/** A vote on its way from a participant. */
export const vote: Predicate = ({ from, text }) =>
  from === 'client' && text.includes('"type":"vote"');

/** The answer to a call of open work, on its way from a participant. */
export const worked: Predicate = ({ from, text }) =>
  from === 'client' && text.includes('"type":"worked"');

/** A question what became of a branch, on its way from a participant. */
export const inquiry: Predicate = published(/\.inquire$/);
