/**
 * S32, S40: links that are half-open, and links that clog one by one. The link to the broker is no case, for the
 * fault there comes before any transaction; nor are links that clog, which is about a load.
 */
import { waitFor } from '@concordat/testing';
import { transferBody } from '../stage/product.js';
import { itHolds, onStage } from '../cases/run.js';
import { HALF_OPEN } from './network.cases.js';

onStage('When the network fails', {}, (stage) => {
  itHolds(stage, HALF_OPEN);

  it('S32: a half-open connection to the broker is noticed by its silence, and another is made', async () => {
    const { broker } = stage().wire('ledger-west');
    // The next message is dropped, pings included.
    const line = broker.rule('anything', ({ from }) => from === 'client', 'half-open');
    await line.waitForHit();
    await waitFor(
      async () => {
        const answer = await stage().post(transferBody(1, { timeoutMs: 1_000 }));
        return answer.status === 200;
      },
      { what: 'the participant to answer again', timeoutMs: 20_000 },
    );
    expect(await stage().moved()).toBeGreaterThanOrEqual(1);
  });

  it('S40: links that clog one by one and clear in another order leave every transfer whole, within the bound', async () => {
    const seed = Date.now() % 1_000_000;
    console.info(`seed ${seed}`);
    const random = generator(seed);
    const links = shuffled(stage().allWires.all, random);
    let stopped = false;
    const statuses: number[] = [];
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stopped) {
          const body = transferBody(1, { timeoutMs: 2_000 });
          const path = '/v1/transactions?wait=4s';
          const answer = await stage()
            .product.request('POST', path, { body })
            .catch(() => undefined);
          statuses.push(answer?.status ?? 0);
        }
      }),
    );
    const some = (count: number) =>
      waitFor(() => statuses.length >= count, { what: 'answers to come', timeoutMs: 60_000 });
    await some(20);
    for (const link of links) {
      link.clog();
      await some(statuses.length + 2); // Of any kind: aborts, refusals, silence.
    }
    for (const link of shuffled(links, random)) {
      link.unclog();
      await some(statuses.length + 1);
    }
    stopped = true;
    await load;
    const moved = await stage().moved();
    const told = (status: number) => statuses.filter((one) => one === status).length;
    // What was answered "committed" is there; what was answered 202 or not at all may be.
    expect(moved).toBeGreaterThanOrEqual(told(200));
    expect(moved).toBeLessThanOrEqual(statuses.length - told(409) - told(503));
    await waitFor(async () => (await stage().post()).status === 200, {
      what: 'a transfer to commit',
    });
  });
});

/** A small generator (mulberry32): the same seed gives the same order. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
