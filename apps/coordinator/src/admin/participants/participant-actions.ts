/**
 * Retiring a participant, guarded. Guards, in this order: it is known, what was seen is still so
 * (If-Match), no instance answers under its name and nothing of it is left, what it needs was given; then it
 * is audited, and done. Crash window: between the entry and the register's row the entry has no answer and
 * the name stays on the list.
 */
import { retireAction, type Retiring } from '@concordat/diagnosis';
import type { RetireBody, RetireResultResource } from '@concordat/api';
import { ParticipantStore } from '@concordat/decision-log';
import type { ParticipantName } from '@concordat/protocol';
import { Injectable } from '@nestjs/common';
import { Problem } from '../../problems/problem.js';
import { Identity } from '../../platform/identity.js';
import { Audited } from '../../access/audited.js';
import type { Operator } from '../../access/acting.js';
import { assertSaysWhatWasSeen, assertUnchanged } from '../if-match.js';
import { assertGiven } from '../transactions/guards.js';
import { quoted } from '@concordat/words';
import { unknownParticipant } from './names.js';
import { ParticipantsWatch } from '../../known/participants-watch.js';
import { etagOf } from './participant-tag.js';

const PARTICIPANT = { name: 'participant' } as const;

@Injectable()
export class ParticipantActions {
  constructor(
    private readonly watch: ParticipantsWatch,
    private readonly store: ParticipantStore,
    private readonly audited: Audited,
    private readonly identity: Identity,
  ) {}

  async retire(
    name: string,
    body: RetireBody,
    ifMatch: string | undefined,
    operator: Operator,
  ): Promise<RetireResultResource> {
    assertSaysWhatWasSeen(ifMatch, PARTICIPANT);
    await this.watch.fresh(); // Silence of a moment ago is no silence now.
    const retiring = await this.retiring(name);
    const { participant, state } = retiring.seen;
    const etag = etagOf(retiring);
    assertUnchanged(ifMatch, etag, PARTICIPANT, { is: state, members: { state } });
    const entry = retireAction(retiring);
    if (!entry.offered) throw notOffered(entry.because ?? 'It is not offered now.');
    assertGiven(entry.needs, body);
    const { lastKnown, lastSeenAtMs } = retiring.seen;
    const { reason, ticket } = body;
    const { auditId } = await this.audited.run(
      operator,
      {
        action: 'participant-retire',
        ...(reason === undefined ? {} : { reason }),
        ...(ticket === undefined ? {} : { ticket }),
        before: {
          participant,
          etag,
          consequence: entry.consequence,
          ...(lastSeenAtMs === undefined ? {} : { lastSeenAtMs }),
          ...(lastKnown ? { lastKnown } : {}),
        },
      },
      () => this.carryOut(participant),
      () => ({ participant, retired: true }),
    );
    this.watch.forget(participant);
    const summary = `${quoted(participant)} is retired. It is a participant again as soon as it answers.`;
    return { participant, summary, auditId };
  }

  private async retiring(name: string): Promise<Retiring> {
    const seen = this.watch.one(name);
    if (!seen) throw unknownParticipant(name, this.watch.known());
    const undelivered = await this.watch.undelivered([seen]);
    return { seen, undelivered, nowMs: this.identity.clock.wallNow() };
  }

  private async carryOut(participant: ParticipantName): Promise<void> {
    if (await this.store.retire(participant)) return;
    throw notOffered(
      'A transaction that it alone decides is not decided yet (look for `deciding`), a commit was decided for it meanwhile, or another has retired it. For the first two, start a service under its name.',
    );
  }
}

function notOffered(because: string): Problem {
  return new Problem('not-offered', `${because} Nothing was done.`, { retryable: false });
}
