/**
 * The network, as far as one participant is concerned: a set of messages under way, so that order
 * means nothing. Delivery takes a message out; a duplicate is a delivery that leaves it in; a loss
 * takes it out undelivered. Guards protocol §8: at most once, late, out of order, and at times twice.
 */
import { fault, type Change } from './change.js';
import { excluding, type Mail, type Participant } from './world.js';

export interface Delivery extends Pick<Change, 'kind' | 'spends'> {
  readonly mail: Mail;
  readonly after: Participant;
  /** For the trace: says that a copy stays under way. */
  readonly again: string;
}

/** Every way in which a message that `wanted` accepts can arrive. */
export function deliveries(
  participant: Participant,
  wanted: (mail: Mail) => boolean,
): readonly Delivery[] {
  return participant.mail.filter(wanted).flatMap((mail): Delivery[] => [
    {
      mail,
      kind: 'progress',
      after: { ...participant, mail: excluding(participant.mail, mail) },
      again: '',
    },
    { mail, ...fault('duplicate'), after: participant, again: ', and a copy is under way' },
  ]);
}

export function losses(participant: Participant): Change[] {
  const { inquiry } = participant;
  const unheard: Change = {
    label: 'the answer to the inquiry of {p} is lost on its way',
    ...fault('loss'),
    participant: { ...participant, inquiry: 'none' },
  };
  const lost = participant.mail.map((mail): Change => ({
    label: `“${mail.replace(/[<>].$/, '')}” is lost on its way ${/^(prepare|commit<|abort<)/.test(mail) ? 'to' : 'from'} {p}`,
    ...fault('loss'),
    participant: { ...participant, mail: excluding(participant.mail, mail) },
  }));
  return inquiry.startsWith('reply') ? [...lost, unheard] : lost;
}
