/**
 * Forgeries. NATS does not check a reply subject against the asker's rights, so the answering process could
 * be made to publish a command that the asker may not publish: nothing may ever be published where the asker
 * has no inbox, and such a message is not even run. And the broker guarantees the subject of a question, not
 * its contents: a question that names another asker inside is refused.
 */
import { NotBelieved, Refusal } from '@concordat/engine';
import type { Msg, NatsConnection } from '@nats-io/nats-core';
import type { Incarnation, ParticipantName } from '@concordat/protocol';
import { serveCoordinator } from '@concordat/channel';
import { waitFor } from '@concordat/testing';
import { randomBytes } from 'node:crypto';
import {
  CLUSTER,
  EAST,
  FIRST,
  gate,
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

/** Everything that any process publishes while the forgeries are tried. */
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

/** Asks on a subject, with an inbox of the asker, and reads what comes. */
async function asked(
  nats: NatsConnection,
  subject: string,
  asker: { participant: ParticipantName } | { coordinator: Incarnation },
  body: object,
): Promise<unknown> {
  const token = randomBytes(8).toString('hex');
  const reply =
    'coordinator' in asker
      ? stage.subjects.replyToCoordinator(asker.coordinator, token)
      : stage.subjects.replyToParticipant(asker.participant, instanceId(1), token);
  const message = JSON.stringify({ v: 1, cluster: CLUSTER, ...body });
  const answer = await nats.request(subject, message, { reply, noMux: true, timeout: 10_000 });
  return answer.json();
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
      stranger.publish(
        stage.subjects.toAnyCoordinator({ participant: EAST }, 'inquire'),
        question,
        { reply },
      );
    }
    stranger.publish(stage.subjects.toAnyCoordinator({ participant: EAST }, 'inquire'), question);
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
    // The honest inquiry and its answer close the list: a message to any other place came before.
    await waitFor(() => heard.some(({ subject }) => subject.includes('.reply.p.')), {
      what: 'the honest answer on the tap',
    });
    const published = heard
      .map(({ subject }) => subject)
      .filter((one) => !one.includes('.coord.p.'));
    expect(published).toHaveLength(1);
    expect(published[0]).toContain(stage.subjects.participantReplyPrefix(EAST));
  });

  it('answers a coordinator only in the inbox of the coordinator that the question names', async () => {
    await stage.coordinator();
    const heard = await wiretap();
    const stranger = await stage.stranger();
    const peer = 'coordr02' as Incarnation;
    const ping = JSON.stringify({ v: 1, type: 'ping', cluster: CLUSTER, coordinator: peer });
    const subject = stage.subjects.toIncarnation({ coordinator: peer }, OWNER, 'ping');
    stranger.publish(subject, ping, {
      reply: stage.subjects.replyToCoordinator(OWNER, 'token000'),
    });
    const own = stage.subjects.replyToCoordinator(peer, 'token000');
    stranger.publish(subject, ping, { reply: own });
    await waitFor(() => heard.some((one) => one.subject === own), { what: 'the honest answer' });
    expect(heard.map((one) => one.subject)).toEqual([subject, subject, own]);
    expect(stage.count('forged-reply')).toBe(1);
  });

  it('refuses a question in the name of another asker than the subject says, and does nothing for it', async () => {
    const ran: string[] = [];
    const note = (what: string) => () => {
      ran.push(what);
      return Promise.reject(new Error('not to be asked'));
    };
    await stage.coordinator({
      inquire: note('inquire'),
      reportHeuristic: note('report'),
      enlist: note('enlist'),
      lowWaterMark: note('mark'),
    });
    const stranger = await stage.stranger();
    const transaction = newTransaction();
    const about = { transaction, branch: FIRST };
    const evidence = { decision: 'commit', found: 'missing', explanation: 'x' };
    const enlist = { transaction, instance: instanceId(1) };
    const coordinator = 'coordr02' as Incarnation;
    const east = { participant: EAST };
    const west = { participant: WEST };
    // A participant may be called like a coordinator: it is none.
    const alike = { participant: 'coordr02' as ParticipantName };
    const forgeries = [
      [east, 'inquire', { ...about, ...west }],
      [east, 'inquire', { ...about, ...east, coordinator }],
      [alike, 'inquire', { ...about, ...west, coordinator }],
      [east, 'report-heuristic', { ...about, ...west, evidence }],
      [east, 'enlist', { ...enlist, ...west }],
      [east, 'low-water-mark', west],
      [east, 'low-water-mark', {}],
      [east, 'low-water-mark', { coordinator }],
      [east, 'ping', { coordinator }],
      [east, 'live', { transaction, coordinator }],
      [{ coordinator }, 'ping', { coordinator: OWNER }],
      [{ coordinator }, 'live', { transaction, coordinator: OWNER }],
      [{ coordinator }, 'inquire', { ...about, ...east }],
      [{ coordinator }, 'low-water-mark', east],
      [{ coordinator }, 'report-heuristic', { ...about, ...east, evidence }],
      [{ coordinator }, 'enlist', { ...enlist, ...east }],
    ] as const;
    for (const [asker, type, body] of forgeries) {
      const to = [
        stage.subjects.toAnyCoordinator(asker, type),
        stage.subjects.toIncarnation(asker, OWNER, type),
      ];
      for (const subject of to) {
        const said = await asked(stranger, subject, asker, { type, ...body });
        expect({ subject, body, said }).toMatchObject({
          said: { type: 'refused', code: 'wrong-asker' },
        });
      }
    }
    expect(stage.count('wrong-asker')).toBe(2 * forgeries.length);
    expect(ran).toEqual([]);
  });

  it('receives nothing where the subject does not name the asker', async () => {
    await stage.coordinator();
    const stranger = await stage.stranger();
    const body = { type: 'inquire', participant: EAST, transaction: newTransaction() };
    for (const subject of ['coord.any.inquire', `coord.${OWNER}.inquire`, 'coord.p.any.inquire']) {
      const root = `concordat.${CLUSTER}.v1`;
      const said = asked(stranger, `${root}.${subject}`, { participant: EAST }, body);
      await expect(said).rejects.toThrow(/no responders/);
    }
  });

  it('says why it does not believe somebody, and when to ask again, by codes of the page', async () => {
    const answers = [
      [new NotBelieved('unknown-branch', 'it has no such branch'), 'unknown-branch', 'disbelieved'],
      [new Refusal('made-in-the-future', 'made tomorrow'), 'made-in-the-future', 'disbelieved'],
      [new Refusal('over-quota', 'too many'), 'overloaded', 'over-quota'],
      [new Refusal('cannot-tell-now', 'its owner lives'), 'unavailable', undefined],
    ] as const;
    let next: Error = new Error('none');
    await stage.coordinator({
      inquire: () => Promise.reject(next),
      reportHeuristic: () => Promise.reject(next),
    });
    const stranger = await stage.stranger();
    const asker = await stage.asker(EAST, 2);
    const about = { transaction: newTransaction(), branch: FIRST, participant: EAST };
    const evidence = { decision: 'commit', found: 'missing', explanation: 'x' } as const;
    for (const [error, code, incident] of answers) {
      next = error;
      const before = stage.incidents.length;
      const subject = stage.subjects.toAnyCoordinator({ participant: EAST }, 'inquire');
      const question = { type: 'inquire', ...about };
      const reason = error.message;
      expect(await asked(stranger, subject, { participant: EAST }, question)).toMatchObject({
        ...{ type: 'refused', code, reason },
      });
      expect(stage.incidents.slice(before).map((one) => one.kind)).toEqual(
        incident ? [incident] : [],
      );
      // A participant keeps what it reports in any case, and knows whether it was doubted.
      const isDoubted = incident === 'disbelieved';
      expect(await asker.reportHeuristic({ ...about, evidence })).toMatchObject(
        isDoubted
          ? { kind: 'answered', answer: { recorded: false, code, reason } }
          : { kind: 'no-answer', why: expect.stringContaining(code) as string },
      );
    }
  });

  it('lets one participant that floods it keep no other waiting', async () => {
    const hold = gate();
    const connection = await stage.connection('answers');
    await serveCoordinator(connection, {
      cluster: CLUSTER,
      incarnation: OWNER,
      perAskerMax: 3,
      limits: { running: 2, waiting: 10 },
      handlers: {
        inquire: async () => {
          await hold.opened;
          return { kind: 'undecided' };
        },
        reportHeuristic: async () => ({ recorded: true }),
        enlist: () => ({ kind: 'refused', code: 'x', reason: 'x' }),
        isLive: () => false,
        lowWaterMark: async () => newTransaction(),
      },
    });
    const flood = await stage.asker(EAST, 1, 60_000);
    const inquiry = () => ({ transaction: newTransaction(), branch: FIRST, participant: EAST });
    const flooding = Array.from({ length: 10 }, () => flood.inquire(inquiry()));
    await waitFor(() => stage.count('overloaded') === 7, { what: 'what is too much' });
    const west = await stage.asker(WEST, 1, 60_000);
    const other = west.inquire({ ...inquiry(), participant: WEST });
    await waitFor(() => west.counters().sent === 1, { what: 'the other question to be sent' });
    hold.open();
    expect((await other).kind).toBe('answered');
    const kinds = (await Promise.all(flooding)).map((one) => one.kind).sort();
    expect(kinds).toEqual([...Array<string>(3).fill('answered'), ...Array(7).fill('no-answer')]);
    // What was answered is given back: it may ask again.
    expect((await flood.inquire(inquiry())).kind).toBe('answered');
  });

  it('reveals no cluster id where a discovery names a command subject', async () => {
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
      stage.subjects.toAnyCoordinator({ participant: EAST }, 'inquire'),
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

  it('is not believed a heuristic outcome against another decision than it received', async () => {
    const channel = await stage.commander();
    const explanation = 'it is there';
    await stage.participant({
      finish: async () => ({
        kind: 'acknowledged',
        outcome: {
          kind: 'heuristic',
          evidence: { decision: 'abort', found: 'committed', explanation },
        },
      }),
    });
    const to = { transaction: newTransaction(), branch: FIRST, participant: EAST };
    const finish = (decision: 'commit' | 'abort') =>
      channel.finish({ to, epoch: OWNER, decision, timeLeftMs: 5_000 });
    expect(await finish('commit')).toMatchObject({ kind: 'no-answer' });
    expect(stage.count('disbelieved')).toBe(1);
    expect(await finish('abort')).toMatchObject({ answer: { outcome: { kind: 'heuristic' } } });
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
