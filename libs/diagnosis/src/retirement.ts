/**
 * Whether a participant may be retired, and why not. Guards "unknown is never no": what was prepared there
 * when its database was last seen stays prepared until it is seen again, and a commit that it has not
 * acknowledged is delivered without limit, so that an instance has to answer under its name.
 */
import type { ParticipantActionResource } from '@concordat/api';
import { counted, durationText, instantText, quoted } from '@concordat/words';
import type { ParticipantSeen, Undelivered } from './participant-seen.js';

/** What retiring is judged by. */
export interface Retiring {
  readonly seen: ParticipantSeen;
  readonly undelivered: Undelivered;
  readonly nowMs: number;
}

export function retireAction(retiring: Retiring): ParticipantActionResource {
  const because = whyNotRetired(retiring);
  return {
    action: 'retire',
    offered: because === undefined,
    ...(because === undefined ? {} : { because }),
    consequence: consequenceOf(retiring),
    needs: { role: 'operator', reason: true, ticket: false },
  };
}

function whyNotRetired({ seen, undelivered, nowMs }: Retiring): string | undefined {
  const who = quoted(seen.participant);
  if (seen.state !== 'silent') {
    return `${who} answers, so it is in use. Stop its instances first.`;
  }
  if (!undelivered) {
    return 'The register does not answer, so it is not known whether a commit is undelivered.';
  }
  const commits = undelivered.get(seen.participant) ?? 0;
  if (commits > 0) {
    return `${counted(commits, 'commit')} for ${who} ${commits === 1 ? 'is' : 'are'} undelivered. Start a service under its name and let it acknowledge.`;
  }
  const { lastKnown } = seen;
  if (lastKnown && lastKnown.inDoubt > 0) {
    const branches = counted(lastKnown.inDoubt, 'branch', 'branches');
    return `It had ${branches} prepared when its database was last seen (${instantText(lastKnown.atMs, nowMs)}). Start a service under its name and let them be settled.`;
  }
  return undefined;
}

function consequenceOf({ seen, nowMs }: Retiring): string {
  const who = quoted(seen.participant);
  const { lastKnown } = seen;
  const known = lastKnown
    ? `Its database was last seen ${durationText(nowMs - lastKnown.atMs)} ago; what was prepared there since is not known, and asks when it is back.`
    : 'What is prepared there was never reported.';
  return `Takes ${who} off the list of participants, out of comparisons, metrics and the doctor's findings, until it answers again. ${known}`;
}
