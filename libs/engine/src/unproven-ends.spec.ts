import { makeTransactionId, tokenFrom, type TransactionId } from '@concordat/protocol';
import type { LiveTransaction } from './live-transaction.js';
import { Clock, type HistoryWriter, type TransactionHistory } from './ports/index.js';
import { UnprovenEnds } from './unproven-ends.js';

class HandClock extends Clock {
  nowMs = 0;
  now = () => this.nowMs;
  wallNow = () => this.nowMs;
  after = () => () => undefined;
}

describe('Ends that are only in the history', () => {
  const owner = tokenFrom(new Uint8Array(8));

  /** So many ends that are due, of which the history lacks these. */
  function ended(count: number, lacking: ReadonlySet<number> = new Set()) {
    const clock = new HandClock();
    const ids = Array.from({ length: count }, (_, at) =>
      makeTransactionId(at + 1, new Uint8Array(10), owner),
    );
    const lost = new Set([...lacking].map((at) => ids[at] as TransactionId));
    const noted: unknown[] = [];
    const writer = { note: (view: unknown) => void noted.push(view) } as unknown as HistoryWriter;
    const withoutEnd = (asked: readonly TransactionId[]) =>
      Promise.resolve(asked.filter((one) => lost.has(one)));
    const history = { withoutEnd } as unknown as TransactionHistory;
    const ends = new UnprovenEnds(clock, writer, history);
    for (const id of ids) {
      const live = { id, standsNowhere: () => true, view: () => id };
      ends.ended(live as unknown as LiveTransaction);
    }
    clock.nowMs = 5_000;
    return { ends, ids, noted };
  }

  it('are all proven in one pass, however many a coordinator ends between two', async () => {
    const { ends, ids, noted } = ended(5_000);
    await ends.prove();
    expect(ids.filter((id) => ends.has(id))).toEqual([]);
    expect(noted).toEqual([]);
  });

  it('are kept, and noted again once, where the history lacks them', async () => {
    const { ends, ids, noted } = ended(4_500, new Set([3, 2_100]));
    await ends.prove();
    expect(ids.filter((id) => ends.has(id))).toEqual([ids[3], ids[2_100]]);
    expect(noted).toEqual([ids[3], ids[2_100]]);
  });
});
