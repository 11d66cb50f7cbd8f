/** Which branches give their session back while they wait for a lock. */
import {
  keptMaxOf,
  lockShareOf,
  stuckQueues,
  waitersToRecall,
  type LockWaiter,
  type SessionDemand,
} from './lock-share.js';

/** `held*8` is eight that wait for the same, the first of them for the longest. */
function waiters(
  queues: Readonly<Record<string, number>>,
  rest: Partial<LockWaiter> = {},
): LockWaiter[] {
  let place = 0;
  return Object.entries(queues).flatMap(([behind, length]) =>
    Array.from({ length }, () => {
      place += 1;
      const times = { waitedMs: 40, behindMs: 40 };
      return { place, behind, ...times, canRunAgain: true, isKept: false, ...rest };
    }),
  );
}

const STUCK = { waitedMs: 1_000, behindMs: 1_000 };
const NONE: SessionDemand = { fresh: 0, again: 0, suspected: 0 };
const placesOf = (chosen: readonly LockWaiter[]) => chosen.map((one) => one.place);

describe('Sessions that wait for locks', () => {
  it('stay with their branches while no other branch could use them', () => {
    const none = { share: 4, demand: NONE };
    expect(waitersToRecall(waiters({ hot: 8 }, STUCK), none)).toEqual([]);
  });

  it('are recalled beyond the share once another could use one, the youngest first', () => {
    const recalled = (some: readonly LockWaiter[], fresh: number) =>
      placesOf(waitersToRecall(some, { share: 4, demand: { ...NONE, fresh } }));
    expect(recalled(waiters({ hot: 8 }), 1)).toEqual([8, 7, 6, 5]);
    expect(recalled(waiters({ hot: 8 }), 100)).toEqual([8, 7, 6, 5]);
    // What loses its transaction by it gives way to one, and not for those that may come.
    expect(recalled(waiters({ hot: 8 }, { ...STUCK, canRunAgain: false }), 1)).toEqual([8]);
  });

  it('are recalled from the longest queue, so that each lock keeps its first waiters', () => {
    const demand = { ...NONE, fresh: 3 };
    const recalled = waitersToRecall(waiters({ hot: 6, warm: 2 }), { share: 4, demand });
    expect(placesOf(recalled)).toEqual([6, 5, 4, 3]);
  });

  it('are recalled from what does not move, but for one, where others wait to be tried', () => {
    const share = { share: 4, demand: { ...NONE, again: 10 } };
    expect(placesOf(waitersToRecall(waiters({ held: 4 }, STUCK), share))).toEqual([4, 3, 2]);
    expect(waitersToRecall(waiters({ held: 1 }, STUCK), share)).toEqual([]);
    expect(waitersToRecall(waiters({ hot: 4 }), share)).toEqual([]);
  });

  it('cost a transaction only where no other can give way, and not at once', () => {
    const share = { share: 1, demand: { ...NONE, fresh: 1 } };
    const [first, ...others] = waiters({ hot: 3 }, { canRunAgain: false });
    const all = [{ ...(first as LockWaiter), canRunAgain: true }, ...others];
    expect(placesOf(waitersToRecall(all, share))).toEqual([1]);
    expect(waitersToRecall(others, share)).toEqual([]);
    const patient = others.map((one) => ({ ...one, waitedMs: 250 }));
    expect(placesOf(waitersToRecall(patient, share))).toEqual([3]);
  });

  it('go to those that may be in a cycle of waits, also within the share, but cost no transaction for it', () => {
    const share = { share: 4, demand: { ...NONE, suspected: 1 } };
    expect(placesOf(waitersToRecall(waiters({ hot: 3 }), share))).toEqual([3]);
    const cannot = waiters({ hot: 3 }, { ...STUCK, canRunAgain: false });
    expect(waitersToRecall(cannot, share)).toEqual([]);
  });

  it('stay with those that may be in a cycle of waits, until it was looked for', () => {
    const [first, second, third] = waiters({ hot: 3 }) as [LockWaiter, LockWaiter, LockWaiter];
    const kept = [first, second, { ...third, isKept: true }];
    const recalled = (fresh: number) =>
      placesOf(waitersToRecall(kept, { share: 1, demand: { ...NONE, fresh } }));
    expect(recalled(1)).toEqual([2, 1]);
    expect(recalled(9)).toEqual([2, 1]);
  });

  it('are half of all by default; half of the rest stays free for others, however many are suspected', () => {
    const shares = [1, 2, 3, 4, 16, 17].map((all) => [
      lockShareOf(all),
      keptMaxOf(all, lockShareOf(all)),
    ]);
    expect(shares).toEqual([
      [1, 1],
      [1, 1],
      [1, 2],
      [2, 3],
      [8, 12],
      [8, 12],
    ]);
    expect(keptMaxOf(4, 4)).toBe(4);
  });

  it('count as stuck by queue, whichever branch joined it last', () => {
    const [first, second] = waiters({ held: 2 });
    expect(stuckQueues([{ ...(first as LockWaiter), behindMs: 100 }, second as LockWaiter])).toBe(
      1,
    );
    expect(stuckQueues(waiters({ hot: 2, warm: 1 }))).toBe(0);
  });
});
