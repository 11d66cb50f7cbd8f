/**
 * What a coordinator asks of another for its clients, over a real broker: once, of the owner alone, and
 * without an answer nothing is concluded from silence.
 */
import { NatsCoordinatorChannel, type Forward, type ForwardAnswer } from '@concordat/channel';
import type { Incarnation } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { CLUSTER, EAST, gate, newTransaction, OWNER, Stage } from './channel-stage.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.close());

const OTHER = 'coordr02' as Incarnation;

async function peer(): Promise<NatsCoordinatorChannel> {
  const asker = { coordinator: OTHER };
  return new NatsCoordinatorChannel(await stage.connection('peer'), { cluster: CLUSTER, asker });
}

const commit = (more: Partial<Forward> = {}): Forward => ({
  transaction: newTransaction(),
  verb: 'commit',
  principal: 'app',
  role: 'client',
  ...more,
});
const done: ForwardAnswer = {
  status: 200,
  headers: { ETag: '"1"' },
  body: { status: 'committed' },
};

/** An array in an array, so many times. */
const nested = (levels: number): unknown =>
  Array.from({ length: levels }).reduce<unknown>((inner) => [inner], 'x');

describe('a request that is forwarded to the owner', () => {
  it('arrives as it was made, and its answer comes back as it was given', async () => {
    const asked: Forward[] = [];
    await stage.coordinator({
      forward: async (forward) => {
        asked.push(forward);
        return done;
      },
    });
    const body = { participant: EAST, operations: [{ name: 'debit', input: nested(17) }] };
    const wait = { until: 'decided', waitMs: 5, applied: 'wait=5' } as const;
    const request = commit({ verb: 'work', body, key: 'key-1', wait });
    expect(await (await peer()).forward(request, 5_000)).toEqual({
      kind: 'answered',
      answer: done,
    });
    expect(asked).toEqual([request]);
  });

  it('is distinguished: no owner, no answer, and too many there already', async () => {
    const held = gate();
    const { connection } = await stage.coordinator({
      forward: async () => {
        await held.opened;
        throw new Error('the register is away');
      },
    });
    const asking = await peer();
    const gone = commit({ transaction: newTransaction('gone0001' as Incarnation) });
    expect(await asking.forward(gone, 5_000)).toEqual({ kind: 'no-responders' });
    const waiting = asking.forward(commit(), 30_000);
    expect(await asking.forward(commit(), 50)).toMatchObject({ kind: 'no-answer' });
    held.open();
    // It failed while it was carried out, so it may have been done.
    expect(await waiting).toMatchObject({ kind: 'no-answer' });
    await connection.close();
    // The broker may learn of it a moment after the owner has closed it.
    const isGone = async (): Promise<boolean> =>
      (await asking.forward(commit(), 500)).kind === 'no-responders';
    await waitFor(isGone, { what: 'the broker to answer that no owner is there' });
  });

  it('is refused by a coordinator that did not begin the transaction, and never sent on', async () => {
    const carriedOut: unknown[] = [];
    const forward = async (one: Forward) => {
      carriedOut.push(one);
      return done;
    };
    await stage.coordinator({ forward }, OTHER);
    await stage.coordinator({ forward });
    const stranger = await stage.stranger();
    const subject = stage.subjects.toIncarnation({ coordinator: OTHER }, OTHER, 'forward');
    const reply = stage.subjects.replyToCoordinator(OTHER, 'token0000001');
    const heard = gate<unknown>();
    stranger.subscribe(reply, { callback: (_, message) => heard.open(message.json()) });
    const message = { v: 1, type: 'forward', cluster: CLUSTER, coordinator: OTHER, ...commit() };
    stranger.publish(subject, JSON.stringify(message), { reply });
    expect(await heard.opened).toMatchObject({ type: 'refused', code: 'unknown-transaction' });
    expect(carriedOut).toEqual([]);
  });

  it('is nothing that a participant may ask, nor a coordinator in the name of another', async () => {
    const carriedOut: unknown[] = [];
    await stage.coordinator({
      forward: async (one) => {
        carriedOut.push(one);
        return done;
      },
    });
    const stranger = await stage.stranger();
    const ask = async (subject: string, reply: string, coordinator: Incarnation) => {
      const heard = gate<unknown>();
      stranger.subscribe(reply, { callback: (_, message) => heard.open(message.json()) });
      const message = { v: 1, type: 'forward', cluster: CLUSTER, coordinator, ...commit() };
      stranger.publish(subject, JSON.stringify(message), { reply });
      return heard.opened;
    };
    const { subjects } = stage;
    const asParticipant = subjects.toIncarnation({ participant: EAST }, OWNER, 'forward');
    const ofParticipant = `${subjects.participantReplyPrefix(EAST)}inst0001.token0000001`;
    const asPeer = subjects.toIncarnation({ coordinator: OTHER }, OWNER, 'forward');
    const ofPeer = subjects.replyToCoordinator(OTHER, 'token0000002');
    for (const [subject, reply] of [
      [asParticipant, ofParticipant],
      [asPeer, ofPeer],
    ] as const) {
      expect(await ask(subject, reply, OWNER)).toMatchObject({ code: 'wrong-asker' });
    }
    expect(carriedOut).toEqual([]);
  });

  it('that does not fit with its envelope is not sent; an answer that does not is said to be done', async () => {
    const carriedOut: Forward[] = [];
    const { connection } = await stage.coordinator({
      forward: async (one) => {
        carriedOut.push(one);
        return { ...done, body: { outputs: ['x'.repeat(connection.maxPayload - 50)] } };
      },
    });
    const asking = await peer();
    const body = { operations: ['x'.repeat(connection.maxPayload - 50)] };
    expect(await asking.forward(commit({ verb: 'work', body }), 5_000)).toMatchObject({
      kind: 'too-large',
      bytesMax: connection.maxPayload,
    });
    expect(carriedOut).toEqual([]);
    expect(await asking.forward(commit(), 5_000)).toMatchObject({ kind: 'answer-too-large' });
    expect(carriedOut).toHaveLength(1);
  });

  it('may be answered with outputs as deep as a vote may carry them', async () => {
    const outputs = [nested(22)];
    await stage.coordinator({
      forward: async () => ({ ...done, body: { branches: [{ outputs }] } }),
    });
    expect(await (await peer()).forward(commit(), 5_000)).toMatchObject({ kind: 'answered' });
  });

  it('keeps no inquiry waiting, however many are carried out at once', async () => {
    const held = gate();
    const transaction = newTransaction();
    await stage.coordinator({
      forward: async () => {
        await held.opened;
        return done;
      },
      inquire: async () => ({ kind: 'decided', decision: 'abort' }),
    });
    const asking = await peer();
    const waiting = Array.from({ length: 400 }, () => asking.forward(commit(), 60_000));
    const inquiry = { transaction, branch: '1' as never, participant: EAST };
    expect(await asking.inquire(inquiry)).toMatchObject({ kind: 'answered' });
    held.open();
    for (const one of await Promise.all(waiting)) expect(one.kind).toBe('answered');
  });
});
