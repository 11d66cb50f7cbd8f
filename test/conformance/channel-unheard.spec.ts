/**
 * A participant whose own link to the broker breaks around an answer to work or prepare, which is never asked
 * for again. The answer is sent once more when the link is back, and only the first one received counts.
 */
import type { Answer, PrepareAnswer, WorkAnswer } from '@concordat/engine';
import { formatGid } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { delivered, published, type Predicate } from '../faults/proxy/frame.js';
import { NATS } from '../faults/proxy/nats-frames.js';
import { startProxy, type TcpProxy } from '../faults/proxy/tcp-proxy.js';
import {
  finishRequest,
  gate,
  instanceId,
  newTransaction,
  FIRST,
  EAST,
  prepareRequest,
  Stage,
  workRequest,
} from './channel-stage.js';

/** Longer than a link takes to come back; who was not answered by then is not answered at all. */
const LONG_MS = 15_000;
const ANSWER = published(/\.reply\.coord\./);

let stage: Stage;
let wire: TcpProxy;
beforeEach(async () => {
  stage = await Stage.open();
  wire = await startProxy(NATS, 'participant, broker');
});
afterEach(async () => {
  await stage.close();
  await wire.close();
});

type Verb = 'work' | 'prepare';

/** A participant behind the wire, whose answers wait until `hold` is opened. */
async function participant() {
  const begun = gate();
  const hold = gate();
  const { connection } = await stage.participant(
    {
      prepare: async () => {
        begun.open();
        await hold.opened;
        return {
          kind: 'vote',
          vote: { kind: 'prepared' },
          outputs: ['p'],
          instance: instanceId(1),
        };
      },
      work: async () => {
        begun.open();
        await hold.opened;
        return { result: { kind: 'done', outputs: ['w'] }, instance: instanceId(1) };
      },
    },
    { connect: { servers: wire.inFrontOf(stage.broker.url) } },
  );
  return { connection, begun, hold };
}

async function ask(verb: Verb, timeLeftMs = LONG_MS, to = branch()) {
  const channel = await stage.commander();
  const asked: Promise<Answer<PrepareAnswer | WorkAnswer>> =
    verb === 'work'
      ? channel.work(workRequest({ to, timeLeftMs }))
      : channel.prepare(prepareRequest({ to, timeLeftMs }));
  return { channel, asked };
}

const branch = () => ({ transaction: newTransaction(), branch: FIRST, participant: EAST });

const SAID = {
  work: { kind: 'answered', answer: { result: { kind: 'done', outputs: ['w'] } } },
  prepare: { kind: 'answered', answer: { vote: { kind: 'prepared' }, outputs: ['p'] } },
} as const;

const VERBS = [['prepare'], ['work']] as const;

describe('An answer that a participant gives', () => {
  it.each(VERBS)('to %s while its link is down is received once the link is back', async (verb) => {
    const { connection, begun, hold } = await participant();
    const { asked } = await ask(verb);
    await begun.opened;
    wire.clog();
    wire.cutAll();
    await waitFor(() => connection.unusable, { what: 'the participant to notice' });
    hold.open();
    await waitFor(() => stage.count('answer-lost') === 1, { what: 'the answer to be lost' });
    wire.unclog();
    expect(await asked).toMatchObject(SAID[verb]);
  });

  it.each(VERBS)('to %s and that is lost on its way with the link is received', async (verb) => {
    const { hold } = await participant();
    const lost = wire.rule('the answer', ANSWER, 'cut-before');
    const { asked } = await ask(verb);
    hold.open();
    await lost.waitForHit();
    expect(await asked).toMatchObject(SAID[verb]);
    expect(stage.count('answer-lost')).toBe(0); // It had been written to the socket.
  });

  it.each(VERBS)('to %s and that came before the link broke counts once', async (verb) => {
    const { connection, hold } = await participant();
    const cut = wire.rule('the answer', ANSWER, 'cut-after');
    const { asked } = await ask(verb);
    hold.open();
    expect(await asked).toMatchObject(SAID[verb]);
    await cut.waitForHit();
    await waitFor(() => stage.count('unawaited-answer') === 1, { what: 'the second answer' });
    expect(connection.unusable).toBeUndefined();
  });

  it('to prepare is not said again after its coordinator went on to the second round', async () => {
    const { connection, hold } = await participant();
    hold.open();
    const to = branch();
    const { channel, asked } = await ask('prepare', LONG_MS, to);
    expect(await asked).toMatchObject(SAID.prepare);
    expect(await channel.finish(finishRequest({ to }))).toMatchObject({ kind: 'answered' });
    await breakLink(connection);
    expect(stage.count('answer-repeated')).toBe(0);
  });

  it('to prepare is not said again after the time of its transaction', async () => {
    const { connection, begun, hold } = await participant();
    const { asked } = await ask('prepare', 300);
    await begun.opened;
    const heardBy = performance.now();
    wire.clog();
    wire.cutAll();
    await waitFor(() => connection.unusable, { what: 'the participant to notice' });
    hold.open();
    expect(await asked).toMatchObject({ kind: 'no-answer' });
    await waitFor(() => performance.now() > heardBy + 300, { what: 'the end of its time there' });
    wire.unclog();
    await connection.ready();
    expect(stage.count('answer-repeated')).toBe(0);
  });

  it('to commit is not said again: it is asked for again', async () => {
    const { connection } = await participant();
    const channel = await stage.commander();
    expect(await channel.finish(finishRequest())).toMatchObject({ kind: 'answered' });
    await breakLink(connection);
    expect(stage.count('answer-repeated')).toBe(0);
  });
});

it('A prepare that is lost with the link of its participant has not come, as it says; said again it has', async () => {
  const { begun, hold } = await participant();
  hold.open();
  const channel = await stage.commander();
  const to = branch();
  const gid = formatGid({ cluster: stage.cluster, ...to });
  const lost = wire.rule('the prepare', delivered(/\.prepare$/), 'cut-before');
  const first = channel.prepare(prepareRequest({ to, timeLeftMs: LONG_MS }));
  await lost.waitForHit();
  lost.lift();
  const told = async () => {
    const [one] = await channel.whoHeard([gid]);
    return one;
  };
  await waitFor(async () => (await told()) !== undefined, { what: 'the link to be back' });
  const itself = { participant: EAST, instance: instanceId(1), listeningMs: expect.any(Number) };
  expect(await told()).toEqual({ ...itself, heard: [] });
  const again = channel.prepare(prepareRequest({ to, timeLeftMs: LONG_MS }));
  await begun.opened;
  expect(await again).toMatchObject(SAID.prepare);
  expect(await told()).toEqual({ ...itself, heard: [gid] });
  expect(await Promise.race([first, Promise.resolve('awaited')])).toBe('awaited');
});

it('A participant keeps 8 MB of answers to say again, the last ones', async () => {
  const outputs = ['x'.repeat(1_000_000)];
  const { connection } = await stage.participant(
    {
      prepare: async () => ({
        kind: 'vote',
        vote: { kind: 'prepared' },
        outputs,
        instance: instanceId(1),
      }),
    },
    { connect: { servers: wire.inFrontOf(stage.broker.url) } },
  );
  const channel = await stage.commander();
  const again: string[] = [];
  for (let n = 0; n < 10; n++) {
    const prepared = await channel.prepare(prepareRequest({ timeLeftMs: LONG_MS }));
    expect(prepared).toMatchObject({ kind: 'answered' });
  }
  const repeated: Predicate = (frame) => ANSWER(frame) && again.push(frame.about) > 0;
  wire.rule('an answer', repeated, 'watch');
  await breakLink(connection);
  await waitFor(() => again.length === 8, { what: 'eight answers to be said again' });
  expect(stage.count('answer-repeated')).toBe(8);
});

/** Breaks the link and waits until it is back. */
async function breakLink(connection: { unusable: string | undefined; ready(): Promise<void> }) {
  const noticed = waitFor(() => connection.unusable, { what: 'the participant to notice' });
  wire.clog();
  wire.cutAll();
  await noticed;
  wire.unclog();
  await connection.ready();
}
