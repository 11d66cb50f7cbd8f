/**
 * Names of participants as people mistype them. Guards "a typing error is answered, not kept": a request for
 * a name that has never answered gets the names that have.
 */
import { Problem } from '../../problems/problem.js';
import { quoted } from '@concordat/words';
import { hintOf } from '../../problems/near-names.js';

const NAMES_MAX = 20;

/** The problem of a name that has never answered, with the names that are known. */
export function unknownParticipant(
  name: string,
  known: readonly { readonly participant: string }[],
): Problem {
  const names = known.map((one) => one.participant);
  return new Problem(
    'unknown-participant',
    `No participant is called ${quoted(name)}: none of that name has answered, or it was retired. ${hintOf(name, names)}`,
    { members: { known: names.slice(0, NAMES_MAX) } },
  );
}
