/**
 * Forged reply subjects. NATS does not check a reply subject against the asker's rights, so whoever
 * answers could be made to publish a command that the asker may not publish. Nothing may ever be
 * published where the asker has no inbox, and such a message is not even run.
 */
import type { Msg } from '@nats-io/nats-core';
import type { Incarnation } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import {
  CLUSTER,
  EAST,
  FIRST,
  instanceId,
  newTransaction,
  OWNER,
  Stage,
  WEST,
} from './channel-stage.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  await stage.close();
});

/** Everything that is published anywhere, by whoever, while the forgeries are tried. */
async function wiretap(): Promise<Msg[]> {
  const heard: Msg[] = [];
  const stranger = await stage.stranger();
  stranger.subscribe('>', {
    callback: (_error, message) => {
      heard.push(message);
    },
  });
  await stranger.flush();
  return heard;
}

describe('a coordinator', () => {
  it('publishes nothing on a command subject that is named as reply subject', async () => {
    let ran = 0;
    await stage.coordinator({
      inquire: async () => {
        ran += 1;
        return { kind: 'decided', decision: 'commit' };
      },
    });
    const victim = stage.subjects.command(WEST, 'commit');
    const forgeries = [
      victim,
      `${victim}.x`,
      stage.subjects.command(WEST, 'commit', instanceId(1)),
      // Another participant's inbox, a coordinator's, a prefix without a token, a wildcard.
      stage.subjects.replyToParticipant(WEST, instanceId(1), 'token000'),
      stage.subjects.replyToCoordinator(OWNER, 'token000'),
      stage.subjects.replyToCommand(EAST, OWNER, 'token000'),
      stage.subjects.participantReplyPrefix(EAST).slice(0, -1),
      '_INBOX.anything',
      '$SYS.REQ.SERVER.PING',
    ];
    const heard = await wiretap();
    const stranger = await stage.stranger();
    const question = JSON.stringify({
      ...{ v: 1, type: 'inquire', cluster: CLUSTER, participant: EAST },
      ...{ transaction: newTransaction(), branch: FIRST },
    });
    for (const reply of forgeries) {
      stranger.publish(stage.subjects.toAnyCoordinator('inquire'), question, { reply });
    }
    stranger.publish(stage.subjects.toAnyCoordinator('inquire'), question);
    await waitFor(() => stage.count('forged-reply') === forgeries.length + 1, {
      what: 'every forgery to be refused',
    });
    const honest = await (
      await stage.asker(EAST, 1, 60_000)
    ).inquire({
      transaction: newTransaction(),
      branch: FIRST,
      participant: EAST,
    });
    expect(honest.kind).toBe('answered');
    expect(ran).toBe(1);
    // The honest inquiry and its answer close the list: whatever went elsewhere came before.
    await waitFor(() => heard.some(({ subject }) => subject.includes('.reply.p.')), {
      what: 'the honest answer on the tap',
    });
    const published = heard
      .map(({ subject }) => subject)
      .filter((one) => !one.includes('.coord.any.'));
    expect(published).toHaveLength(1);
    expect(published[0]).toContain(stage.subjects.participantReplyPrefix(EAST));
  });

  it('answers a coordinator only in the inbox of the coordinator that the question names', async () => {
    await stage.coordinator();
    const heard = await wiretap();
    const stranger = await stage.stranger();
    const peer = 'coordr02' as Incarnation;
    const ping = JSON.stringify({ v: 1, type: 'ping', cluster: CLUSTER, coordinator: peer });
    const subject = stage.subjects.toIncarnation(OWNER, 'ping');
    stranger.publish(subject, ping, {
      reply: stage.subjects.replyToCoordinator(OWNER, 'token000'),
    });
    const own = stage.subjects.replyToCoordinator(peer, 'token000');
    stranger.publish(subject, ping, { reply: own });
    await waitFor(() => heard.some((one) => one.subject === own), { what: 'the honest answer' });
    expect(heard.map((one) => one.subject)).toEqual([subject, subject, own]);
    expect(stage.count('forged-reply')).toBe(1);
  });

  it('tells no cluster id where a discovery names a command subject', async () => {
    await stage.coordinator();
    const heard = await wiretap();
    const stranger = await stage.stranger();
    const reply = stage.subjects.command(WEST, 'commit');
    stranger.publish('concordat.discover.v1', JSON.stringify({ v: 1, type: 'discover' }), {
      reply,
    });
    await waitFor(() => stage.count('forged-reply') === 1, { what: 'the refusal' });
    await stranger.flush();
    expect(heard.map((one) => one.subject)).toEqual(['concordat.discover.v1']);
  });
});

describe('a participant', () => {
  it('runs no command that wants its answer outside the own inbox', async () => {
    let ran = 0;
    await stage.participant({
      finish: async () => {
        ran += 1;
        return { kind: 'acknowledged', outcome: { kind: 'committed' } };
      },
    });
    const heard = await wiretap();
    const stranger = await stage.stranger();
    const subject = stage.subjects.command(EAST, 'commit');
    const command = JSON.stringify({
      ...{ v: 1, type: 'commit', cluster: CLUSTER, transaction: newTransaction(), branch: FIRST },
      ...{ participant: EAST, epoch: OWNER, timeLeftMs: 1000 },
    });
    const forgeries = [
      stage.subjects.command(WEST, 'abort'),
      stage.subjects.replyToCommand(WEST, OWNER, 'token000'),
      stage.subjects.toAnyCoordinator('inquire'),
      '_INBOX.anything',
    ];
    for (const reply of forgeries) {
      stranger.publish(subject, command, { reply });
      stranger.publish(subject, 'unreadable', { reply });
    }
    const own = stage.subjects.replyToCommand(EAST, OWNER, 'token000');
    stranger.publish(subject, command, { reply: own });
    await waitFor(() => heard.some((one) => one.subject === own), { what: 'the honest answer' });
    expect(ran).toBe(1);
    expect(stage.count('forged-reply')).toBe(2 * forgeries.length);
    expect(new Set(heard.map((one) => one.subject))).toEqual(new Set([subject, own]));
  });

  it('lists itself to no command subject', async () => {
    await stage.participant();
    const heard = await wiretap();
    const stranger = await stage.stranger();
    for (const reply of [stage.subjects.command(WEST, 'commit'), '$SYS.REQ.SERVER.PING']) {
      stranger.publish('$SRV.PING', '', { reply });
    }
    await waitFor(() => stage.count('forged-reply') === 2, { what: 'the refusals' });
    expect((await stranger.request('$SRV.PING')).json()).toMatchObject({ name: EAST });
    const others = heard.filter(({ subject }) => /^(\$SRV|_INBOX)/.test(subject));
    expect(heard).toHaveLength(others.length);
  });

  it('cannot answer in the name of another, even with the right token', async () => {
    const channel = await stage.commander();
    const stranger = await stage.stranger();
    const seen: string[] = [];
    stranger.subscribe(stage.subjects.command(EAST, 'commit'), {
      callback: (_error, message) => {
        seen.push(message.reply ?? '');
        const forged = (message.reply ?? '').replace(`.${EAST}.`, `.${WEST}.`);
        const { transaction, branch } = message.json<Record<string, string>>();
        stranger.publish(
          forged,
          JSON.stringify({
            ...{ v: 1, type: 'acknowledged', transaction, branch, participant: EAST },
            ...{ instance: instanceId(1), outcome: { kind: 'committed' } },
          }),
        );
      },
    });
    await stranger.flush();
    const answer = await channel.finish({
      to: { transaction: newTransaction(), branch: FIRST, participant: EAST },
      epoch: OWNER,
      decision: 'commit',
      timeLeftMs: 150,
    });
    expect(answer.kind).toBe('no-answer');
    await waitFor(() => stage.count('unawaited-answer') === 1, { what: 'the forged answer' });
    expect(seen).toHaveLength(1);
  });
});
