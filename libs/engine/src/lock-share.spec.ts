/** Which branches give their session back while they wait for a lock. */
import { stuckQueues, waitersToRecall, type LockWaiter } from './lock-share.js';

/** `held*8` is eight that wait for the same, the first of them for the longest. */
function waiters(
  queues: Readonly<Record<string, number>>,
  rest: Partial<LockWaiter> = {},
): LockWaiter[] {
  let arrival = 0;
  return Object.entries(queues).flatMap(([behind, length]) =>
    Array.from({ length }, () => {
      arrival += 1;
      return { arrival, behind, waitedMs: 40, behindMs: 40, canRunAgain: true, ...rest };
    }),
  );
}

const STUCK = { waitedMs: 1_000, behindMs: 1_000 };
const arrivals = (chosen: readonly LockWaiter[]) => chosen.map((one) => one.arrival);

describe('Sessions that wait for locks', () => {
  it('stay with their branches while no other branch could use them', () => {
    const none = { share: 4, demand: { fresh: 0, again: 0 } };
    expect(waitersToRecall(waiters({ hot: 8 }, STUCK), none)).toEqual([]);
  });

  it('are recalled beyond the share, as many as others could use, and the last that came first', () => {
    const recalled = (fresh: number) =>
      arrivals(waitersToRecall(waiters({ hot: 8 }), { share: 4, demand: { fresh, again: 0 } }));
    expect(recalled(2)).toEqual([8, 7]);
    expect(recalled(100)).toEqual([8, 7, 6, 5]);
  });

  it('are recalled from the longest queue, so that each lock keeps its first waiters', () => {
    const demand = { fresh: 3, again: 0 };
    const recalled = waitersToRecall(waiters({ hot: 6, warm: 2 }), { share: 4, demand });
    expect(arrivals(recalled)).toEqual([6, 5, 4]);
  });

  it('are recalled from what does not move, but for one, where others wait to be tried', () => {
    const share = { share: 4, demand: { fresh: 0, again: 10 } };
    expect(arrivals(waitersToRecall(waiters({ held: 4 }, STUCK), share))).toEqual([4, 3, 2]);
    expect(waitersToRecall(waiters({ held: 1 }, STUCK), share)).toEqual([]);
    expect(waitersToRecall(waiters({ hot: 4 }), share)).toEqual([]);
  });

  it('cost a transaction only where no other can give way, and not at once', () => {
    const share = { share: 1, demand: { fresh: 1, again: 0 } };
    const [first, ...others] = waiters({ hot: 3 }, { canRunAgain: false });
    const all = [{ ...(first as LockWaiter), canRunAgain: true }, ...others];
    expect(arrivals(waitersToRecall(all, share))).toEqual([1]);
    expect(waitersToRecall(others, share)).toEqual([]);
    const patient = others.map((one) => ({ ...one, waitedMs: 250 }));
    expect(arrivals(waitersToRecall(patient, share))).toEqual([3]);
  });

  it('count as stuck by queue, whoever joined it last', () => {
    const [first, second] = waiters({ held: 2 });
    expect(stuckQueues([{ ...(first as LockWaiter), behindMs: 100 }, second as LockWaiter])).toBe(
      1,
    );
    expect(stuckQueues(waiters({ hot: 2, warm: 1 }))).toBe(0);
  });
});
