/**
 * The wire over a real broker: what every request can come back with, who gets a command, and what
 * is refused before it leaves or before it is run.
 */
import { MessageTooLarge } from '@concordat/engine';
import type { WorkAnswer } from '@concordat/engine';
import { NoCode } from '@concordat/protocol';
import { waitFor } from '@concordat/testing';
import { headers } from '@nats-io/nats-core';
import {
  CLUSTER,
  EAST,
  finishRequest,
  FIRST,
  gate,
  instanceId,
  newTransaction,
  OWNER,
  prepareRequest,
  Stage,
  WEST,
  workRequest,
} from './channel-stage.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  await stage.close();
});

const json = (data: Uint8Array): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>;

describe('a request', () => {
  it('proves within 50 ms that no process received it', async () => {
    const channel = await stage.commander();
    const took: number[] = [];
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      expect(await channel.prepare(prepareRequest())).toEqual({ kind: 'no-responders' });
      took.push(performance.now() - start);
    }
    // The quickest of five: a busy machine may delay any one of them, the wire delays none.
    expect(Math.min(...took)).toBeLessThan(50);
  });

  it('that is received and not answered is distinguished from one that reached no process', async () => {
    const received = gate();
    await stage.participant({
      prepare: () => {
        received.open();
        return new Promise(() => undefined);
      },
    });
    const channel = await stage.commander();
    const answer = await channel.prepare(prepareRequest({ timeLeftMs: 100 }));
    await received.opened;
    expect(answer).toEqual({ kind: 'no-answer', why: 'no answer within 100 ms' });
  });

  it('is never answered before its time is over by a time-out, and soon after', async () => {
    await stage.participant({ prepare: () => new Promise(() => undefined) });
    const channel = await stage.commander();
    const start = performance.now();
    const waits = [40, 80, 200];
    const ends = await Promise.all(
      waits.map(async (timeLeftMs) => {
        await channel.prepare(prepareRequest({ timeLeftMs }));
        return performance.now() - start;
      }),
    );
    ends.forEach((end, i) => {
      expect(end).toBeGreaterThanOrEqual(waits[i] as number);
      expect(end).toBeLessThan((waits[i] as number) + 1_000);
    });
  });

  it('carries work, prepare, commit and abort with all their fields, and brings answers back', async () => {
    const seen: unknown[] = [];
    const { instance } = await stage.participant({
      work: async (request) => {
        seen.push(request);
        return {
          result: { kind: 'done', outputs: [{ balance: 1 }, null] },
          instance: instanceId(1),
        };
      },
      prepare: async (request) => {
        seen.push(request);
        const vote = {
          kind: 'no',
          code: 'INSUFFICIENT_FUNDS',
          reason: 'alice has 3',
          retryable: false,
          details: { account: 'alice' },
        } as const;
        return { kind: 'vote', vote, outputs: [], instance: instanceId(1) };
      },
      finish: async (request) => {
        seen.push(request);
        return request.decision === 'commit'
          ? { kind: 'acknowledged', outcome: { kind: 'committed' } }
          : { kind: 'not-yet', reason: 'the branch is still running' };
      },
    });
    const channel = await stage.commander();
    const trace = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=b',
    };
    const work = workRequest({ trace, call: 7, timeLeftMs: 1234.5, ageMs: 0 });
    const later = { operations: undefined, ageMs: 250 };
    const onInstance = prepareRequest({ to: { ...work.to, instance }, ...later });
    expect(await channel.work(work)).toEqual({
      kind: 'answered',
      answer: { result: { kind: 'done', outputs: [{ balance: 1 }, null] }, instance },
    });
    expect(await channel.prepare(onInstance)).toMatchObject({
      kind: 'answered',
      answer: { kind: 'vote', vote: { code: 'INSUFFICIENT_FUNDS', details: { account: 'alice' } } },
    });
    const commit = finishRequest({ to: work.to });
    expect(await channel.finish(commit)).toEqual({
      kind: 'answered',
      answer: { kind: 'acknowledged', outcome: { kind: 'committed' } },
    });
    const abort = finishRequest({ to: work.to, decision: 'abort' });
    expect(await channel.finish(abort)).toEqual({
      kind: 'answered',
      answer: { kind: 'not-yet', reason: 'the branch is still running' },
    });
    expect(seen).toEqual([{ ...work, timeLeftMs: 1235 }, onInstance, commit, abort]);
    expect(seen[1]).not.toHaveProperty('operations');
  });

  it('reads trace headers with any case of their names', async () => {
    const seen = gate<unknown>();
    await stage.participant({
      finish: async ({ trace }) => {
        seen.open(trace);
        return { kind: 'acknowledged', outcome: { kind: 'committed' } };
      },
    });
    const stranger = await stage.stranger();
    const carried = headers();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    carried.set('Traceparent', traceparent);
    carried.set('TRACESTATE', 'vendor=1');
    const { transaction } = finishRequest().to;
    stranger.publish(
      stage.subjects.command(EAST, 'commit'),
      JSON.stringify({
        ...{ v: 1, type: 'commit', cluster: CLUSTER, transaction, branch: '1' },
        ...{ participant: EAST, epoch: OWNER, timeLeftMs: 1000 },
      }),
      { reply: stage.subjects.replyToCommand(EAST, OWNER, 'token000'), headers: carried },
    );
    expect(await seen.opened).toEqual({ traceparent, tracestate: 'vendor=1' });
  });

  it('counts its first answer only; a second one is noticed and ignored', async () => {
    const stranger = await stage.stranger();
    const channel = await stage.commander();
    const request = finishRequest();
    const { transaction, branch, participant } = request.to;
    stranger.subscribe(stage.subjects.command(EAST, 'commit'), {
      callback: (_error, message) => {
        const about = { v: 1, type: 'acknowledged', transaction, branch, participant };
        const instance = instanceId(9);
        message.respond(JSON.stringify({ ...about, instance, outcome: { kind: 'committed' } }));
        message.respond(JSON.stringify({ ...about, instance, outcome: { kind: 'aborted' } }));
      },
    });
    await stranger.flush();
    expect(await channel.finish(request)).toEqual({
      kind: 'answered',
      answer: { kind: 'acknowledged', outcome: { kind: 'committed' } },
    });
    await waitFor(() => stage.count('unawaited-answer') === 1, { what: 'the second answer' });
  });

  it('takes an answer about another branch, or an unreadable one, for no answer', async () => {
    const stranger = await stage.stranger();
    const channel = await stage.commander();
    const request = finishRequest();
    const { branch, participant } = request.to;
    const answers = [
      'not JSON',
      JSON.stringify({
        ...{ v: 1, type: 'acknowledged', transaction: newTransaction(), branch, participant },
        ...{ instance: instanceId(1), outcome: { kind: 'committed' } },
      }),
      JSON.stringify({ v: 1, type: 'commit' }),
      JSON.stringify({ v: 2, type: 'acknowledged' }),
    ];
    let next = 0;
    stranger.subscribe(stage.subjects.command(EAST, 'commit'), {
      callback: (_error, message) => {
        message.respond(answers[next++]);
      },
    });
    await stranger.flush();
    for (let i = 0; i < answers.length; i++) {
      expect(await channel.finish(request)).toMatchObject({ kind: 'no-answer' });
    }
    expect(stage.count('unreadable')).toBe(answers.length);
  });
});

describe('sizes', () => {
  it('refuses a message that does not fit before anything is sent', async () => {
    let heard = 0;
    await stage.participant({
      prepare: async () => {
        heard += 1;
        return { kind: 'refused', code: 'x', reason: 'x' };
      },
    });
    const channel = await stage.commander();
    const input = { text: 'x'.repeat(1024 * 1024) };
    const request = prepareRequest({ operations: [{ name: 'note', input }] });
    expect(() => channel.assertFits(request)).toThrow(MessageTooLarge);
    await expect(channel.prepare(request)).rejects.toThrow(MessageTooLarge);
    expect(channel.counters().sent).toBe(0);
    const fitting = { text: 'x'.repeat(1024 * 1024 - 2048) };
    const small = prepareRequest({ operations: [{ name: 'note', input: fitting }] });
    expect(() => channel.assertFits(small)).not.toThrow();
    expect(await channel.prepare(small)).toMatchObject({ kind: 'answered' });
    expect(heard).toBe(1);
  });

  it('turns a vote whose outputs cannot be sent into a no', async () => {
    const outputs: unknown[][] = [
      ['x'.repeat(2 * 1024 * 1024)],
      [nested(40)],
      [{ rows: [{ amount: 1n }] }],
      [1, { total: Number.NaN }],
      [{ total: Number.POSITIVE_INFINITY }],
    ];
    const said = [
      /bytes/,
      /nests/,
      /outputs\.0\.rows\.0\.amount is a bigint/,
      /outputs\.1\.total is NaN/,
      /outputs\.0\.total is Infinity/,
    ];
    let next = 0;
    await stage.participant({
      prepare: async () => ({
        kind: 'vote',
        vote: { kind: 'prepared' },
        outputs: outputs[next++] as unknown[],
        instance: instanceId(1),
      }),
    });
    const channel = await stage.commander();
    for (const why of said) {
      expect(await channel.prepare(prepareRequest())).toMatchObject({
        kind: 'answered',
        answer: {
          kind: 'vote',
          vote: {
            ...{ kind: 'no', code: NoCode.outputsUnsendable, retryable: false },
            reason: expect.stringMatching(why) as string,
          },
        },
      });
    }
    expect(stage.count('answer-reduced')).toBe(said.length);
  });

  it.each<[string, unknown]>([
    ['a bigint', 10n],
    ['no number', Number.NaN],
    ['a function', () => 1],
    ['more than fits', 'x'.repeat(2 * 1024 * 1024)],
  ])('drops details of a no that hold %s, and keeps the no', async (_what, given) => {
    const no = { kind: 'no', code: 'BAD_NAME', reason: 'it is bad', retryable: true } as const;
    const vote = { ...no, details: { given } };
    const instance = instanceId(1);
    await stage.participant({
      prepare: async () => ({ kind: 'vote', vote, outputs: [], instance }),
      work: async () => ({ result: vote, instance }),
    });
    const channel = await stage.commander();
    expect(await channel.prepare(prepareRequest())).toMatchObject({ answer: { vote: no } });
    const worked = await channel.work(workRequest());
    expect(worked).toMatchObject({ answer: { result: no } });
    expect(JSON.stringify(worked)).not.toContain('details');
    expect(stage.count('answer-reduced')).toBe(2);
  });
});

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

describe('a participant', () => {
  it('with three instances gets each command exactly once', async () => {
    const taken = new Map<string, number[]>();
    for (const ordinal of [1, 2, 3]) {
      const instance = instanceId(ordinal);
      await stage.participant(
        {
          prepare: async ({ to }) => {
            taken.set(to.transaction, [...(taken.get(to.transaction) ?? []), ordinal]);
            return { kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance };
          },
        },
        { ordinal },
      );
    }
    const channel = await stage.commander();
    const requests = Array.from({ length: 300 }, () => prepareRequest());
    await Promise.all(requests.map((request) => channel.prepare(request)));
    expect(taken.size).toBe(300);
    expect([...taken.values()].every((by) => by.length === 1)).toBe(true);
    const instances = new Set([...taken.values()].flat());
    expect(instances.size).toBe(3);
  });

  it('gets what is addressed to one instance at that instance alone', async () => {
    const heard: number[] = [];
    for (const ordinal of [1, 2, 3]) {
      const instance = instanceId(ordinal);
      await stage.participant(
        {
          work: async (): Promise<WorkAnswer> => {
            heard.push(ordinal);
            return { result: { kind: 'done', outputs: [] }, instance };
          },
        },
        { ordinal },
      );
    }
    const channel = await stage.commander();
    const request = workRequest();
    const to = { ...request.to, instance: instanceId(2) };
    for (let call = 1; call <= 20; call++) await channel.work({ ...request, to, call });
    expect(heard).toEqual(Array.from({ length: 20 }, () => 2));
    const gone = { ...request.to, instance: instanceId(7) };
    expect(await channel.work({ ...request, to: gone })).toEqual({ kind: 'no-responders' });
  });

  it('finishes branches at once while every place for prepares is taken', async () => {
    const hang = gate();
    const limits = { opening: { running: 2, waiting: 2 } };
    await stage.participant(
      {
        prepare: async () => {
          await hang.opened;
          return { kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance: instanceId(1) };
        },
      },
      { limits },
    );
    const channel = await stage.commander();
    const prepares = Array.from({ length: 5 }, () => channel.prepare(prepareRequest()));
    const turnedAway = await Promise.race(prepares);
    expect(turnedAway).toMatchObject({
      answer: { kind: 'vote', vote: { kind: 'no', code: NoCode.overloaded, retryable: true } },
    });
    expect(await channel.finish(finishRequest())).toMatchObject({
      answer: { kind: 'acknowledged' },
    });
    hang.open();
    const votes = (await Promise.all(prepares)).map((one) =>
      one.kind === 'answered' && one.answer.kind === 'vote' ? one.answer.vote.kind : one.kind,
    );
    expect(votes.sort()).toEqual(['no', 'prepared', 'prepared', 'prepared', 'prepared']);
  });

  it('never runs a prepare whose time was over before its turn came', async () => {
    const hang = gate();
    let ran = 0;
    const { server } = await stage.participant(
      {
        prepare: async () => {
          ran += 1;
          await hang.opened;
          return { kind: 'vote', vote: { kind: 'prepared' }, outputs: [], instance: instanceId(1) };
        },
      },
      { limits: { opening: { running: 1, waiting: 10 } } },
    );
    const channel = await stage.commander();
    const first = channel.prepare(prepareRequest());
    const second = await channel.prepare(prepareRequest({ timeLeftMs: 60 }));
    expect(second).toMatchObject({ kind: 'no-answer' });
    // The participant counts from its arrival, which may be later than the coordinator's patience.
    await waitFor(() => server.waiting().opening === 1, { what: 'the second to wait its turn' });
    const waitsSince = performance.now();
    await waitFor(() => performance.now() - waitsSince > 100, { what: 'its time to be over' });
    hang.open();
    await first;
    await waitFor(() => stage.count('unawaited-answer') === 1, { what: 'the late no' });
    expect(ran).toBe(1);
  });

  it('whose handler throws has said nothing about the branch', async () => {
    const broken = () => Promise.reject(new Error('secret detail'));
    await stage.participant({ prepare: broken, finish: broken, work: broken });
    const channel = await stage.commander();
    const prepared = await channel.prepare(prepareRequest());
    expect(prepared).toMatchObject({ answer: { kind: 'refused', code: 'internal-error' } });
    const finished = await channel.finish(finishRequest());
    expect(finished).toMatchObject({ answer: { kind: 'not-yet' } });
    expect(await channel.work(workRequest())).toMatchObject({ kind: 'no-answer' });
    expect(JSON.stringify([prepared, finished])).not.toContain('secret');
    expect(stage.count('handler-failed')).toBe(3);
  });

  it.each([
    ['another version', { v: 2 }, 'unsupported-version', 'v'],
    ['no version', { v: undefined }, 'malformed-message', 'v'],
    ['another verb inside', { type: 'abort' }, 'malformed-message', 'type'],
    ['an id that is none', { transaction: "x'; --" }, 'malformed-message', 'transaction'],
    ['a negative time', { timeLeftMs: -1 }, 'malformed-message', 'timeLeftMs'],
    ['another cluster', { cluster: 'other001' }, 'wrong-cluster', 'cluster'],
    ['another participant', { participant: WEST }, 'wrong-participant', 'participant'],
    ['another instance', { instance: 'other001' }, 'wrong-instance', 'instance'],
  ])('refuses a message with %s and names the field', async (_what, change, code, field) => {
    let heard = 0;
    await stage.participant({
      finish: async () => {
        heard += 1;
        return { kind: 'acknowledged', outcome: { kind: 'committed' } };
      },
    });
    const stranger = await stage.stranger();
    const reply = stage.subjects.replyToCommand(EAST, OWNER, 'token000');
    const answered = gate<Record<string, unknown>>();
    stranger.subscribe(reply, { callback: (_e, message) => answered.open(json(message.data)) });
    const sound = {
      ...{ v: 1, type: 'commit', cluster: CLUSTER, transaction: newTransaction(), branch: FIRST },
      ...{ participant: EAST, epoch: OWNER, timeLeftMs: 1000, someday: 'a new field' },
    };
    const payload = JSON.stringify({ ...sound, ...change });
    stranger.publish(stage.subjects.command(EAST, 'commit'), payload, { reply });
    expect(await answered.opened).toMatchObject({ v: 1, type: 'refused', code, field });
    expect(heard).toBe(0);
    const again = gate<Record<string, unknown>>();
    stranger.subscribe(`${reply}1`, { callback: (_e, message) => again.open(json(message.data)) });
    stranger.publish(stage.subjects.command(EAST, 'commit'), JSON.stringify(sound), {
      reply: `${reply}1`,
    });
    expect(await again.opened).toMatchObject({ type: 'acknowledged' });
  });
});
