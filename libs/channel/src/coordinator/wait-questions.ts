/** How a coordinator follows waits: to owners of other transactions, and to instances that reported. */
import { WaitQuestions } from '@concordat/engine';
import type { NatsCoordinatorChannel } from './coordinator-channel.js';
import type { NatsParticipantChannel } from './participant-channel.js';

export class NatsWaitQuestions extends WaitQuestions {
  constructor(
    private readonly coordinators: Pick<NatsCoordinatorChannel, 'waitsOf'>,
    private readonly participants: Pick<NatsParticipantChannel, 'waitsNow'>,
  ) {
    super();
  }

  override waitsOf(
    ...asked: Parameters<NatsCoordinatorChannel['waitsOf']>
  ): ReturnType<NatsCoordinatorChannel['waitsOf']> {
    return this.coordinators.waitsOf(...asked);
  }

  override waitsNow(
    ...asked: Parameters<NatsParticipantChannel['waitsNow']>
  ): ReturnType<NatsParticipantChannel['waitsNow']> {
    return this.participants.waitsNow(...asked);
  }
}
