/**
 * Nothing is skipped: the windows of a search adjoin each other, a search that took too long says how far it
 * came, and going on from there finds the rest.
 */
import { Clock } from '@concordat/engine';
import { lowestTransactionIdAt, madeAtMs, type TransactionId } from '@concordat/protocol';
import { mayHardlyMeet, search, SEARCH_MS, type Window } from './search.js';

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const from = lowestTransactionIdAt(NOW_MS - 30 * DAY_MS);
const until = lowestTransactionIdAt(NOW_MS);
const WHOLE = { above: '', below: '~' };

/** Time passes only while somebody looks. */
class PassingClock extends Clock {
  passed = 0;

  override now(): number {
    return this.passed;
  }

  override wallNow(): number {
    return NOW_MS;
  }

  override after(): () => void {
    throw new Error('a search waits for nothing');
  }
}

async function windowsOf(
  whole: Window,
  { oldestFirst = false, eachMs = 1 }: { oldestFirst?: boolean; eachMs?: number } = {},
): Promise<{ windows: Window[]; to: TransactionId | undefined }> {
  const clock = new PassingClock();
  const windows: Window[] = [];
  const { to } = await search(whole, { clock, oldestFirst, from, until }, (window) => {
    windows.push(window);
    clock.passed += eachMs;
    return Promise.resolve('more');
  });
  return { windows, to };
}

describe('A search through time', () => {
  it('covers the whole range, newest first, each window beginning where the last ended', async () => {
    const { windows, to } = await windowsOf(WHOLE);
    expect(to).toBeUndefined();
    expect(windows[0]?.below).toBe('~');
    expect(windows.at(-1)?.above).toBe('');
    windows.slice(1).forEach((one, at) => expect(one.below).toBe(windows[at]?.above));
    expect(windows.length).toBeLessThan(12);
  });

  it('covers it oldest first, too', async () => {
    const { windows, to } = await windowsOf(WHOLE, { oldestFirst: true });
    expect(to).toBeUndefined();
    expect(windows[0]?.above).toBe('');
    expect(windows.at(-1)?.below).toBe('~');
    windows.slice(1).forEach((one, at) => expect(one.above).toBe(windows[at]?.below));
  });

  it.each([[false], [true]])(
    'stops when it has taken too long and goes on from there (oldest first: %s)',
    async (oldestFirst) => {
      const all: Window[] = [];
      let most = 0;
      let rest: Window = WHOLE;
      for (let answers = 1; ; answers++) {
        const { windows, to } = await windowsOf(rest, { oldestFirst, eachMs: SEARCH_MS / 3 });
        most = Math.max(most, windows.length);
        all.push(...windows);
        if (to === undefined) break;
        if (answers === 100_000) throw new Error('it does not end');
        rest = oldestFirst ? { above: to, below: '~' } : { above: '', below: to };
      }
      expect(most).toBeLessThanOrEqual(3);
      const [first, last] = [all[0] as Window, all.at(-1) as Window];
      expect(oldestFirst ? [first.above, last.below] : [first.below, last.above]).toEqual(
        oldestFirst ? ['', '~'] : ['~', ''],
      );
      // A hundred thousand windows: checked without the search, which takes less than a minute.
      const torn = all.slice(1).filter((one, at) => {
        const before = all[at] as Window;
        return oldestFirst ? one.above !== before.below : one.below !== before.above;
      });
      expect(torn).toEqual([]);
    },
  );

  it('looks no further once it has enough', async () => {
    let looks = 0;
    const clock = new PassingClock();
    const found = await search(WHOLE, { clock, oldestFirst: false, from, until }, () => {
      looks += 1;
      return Promise.resolve(looks === 2 ? 'enough' : 'more');
    });
    expect(found).toEqual({});
    expect(looks).toBe(2);
  });

  it('looks again in pieces at what took too long, and passes over none of it', async () => {
    const clock = new PassingClock();
    const done: Window[] = [];
    const slowMs = 10 * 60_000;
    let rest: Window | undefined = WHOLE;
    while (rest) {
      const { to } = await search(rest, { clock, oldestFirst: false, from, until }, (window) => {
        const newest = window.below === '~' ? until : window.below;
        const span =
          madeAtMs(newest as TransactionId) - madeAtMs((window.above || from) as TransactionId);
        if (span > slowMs) {
          clock.passed += SEARCH_MS;
          return Promise.resolve('too-long');
        }
        clock.passed += 1;
        done.push(window);
        return Promise.resolve('more');
      });
      rest = to && { above: '', below: to };
    }
    expect([done[0]?.below, done.at(-1)?.above]).toEqual(['~', '']);
    done.slice(1).forEach((one, at) => expect(one.below).toBe(done[at]?.above));
  });

  it('keeps within bounds that are given, and within what was made at all', async () => {
    const below = lowestTransactionIdAt(NOW_MS - DAY_MS);
    const { windows } = await windowsOf({ above: '', below });
    expect(windows[0]?.below).toBe(below);
    const edges = windows.slice(0, -1).map((one) => madeAtMs(one.above as TransactionId));
    expect(Math.min(...edges)).toBeGreaterThan(NOW_MS - 31 * DAY_MS);
  });

  it('is for conditions of which each may hold for many', () => {
    expect(mayHardlyMeet({ label: 'a', principal: 'b' })).toBe(true);
    expect(mayHardlyMeet({ label: 'a', status: 'aborted' })).toBe(true);
    expect(mayHardlyMeet({ label: 'a', view: 'recent-aborts' })).toBe(true);
    expect(mayHardlyMeet({ label: 'a' })).toBe(false);
    expect(mayHardlyMeet({ view: 'recent-aborts' })).toBe(false);
    expect(mayHardlyMeet({ view: 'stuck', label: 'a', principal: 'b' })).toBe(false);
    expect(mayHardlyMeet({ status: 'committing', label: 'a', principal: 'b' })).toBe(false);
  });
});
