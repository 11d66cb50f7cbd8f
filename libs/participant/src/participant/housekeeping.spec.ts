/** How old an outcome row is by the register's clock, whatever its own database says. */
import {
  lowestTransactionIdAt,
  makeTransactionId,
  type ClusterId,
  type Incarnation,
} from '@concordat/protocol';
import { Clock, type Pacing } from '@concordat/engine';
import { Housekeeping, lowestPastRetention, type HousekeepingPorts } from './housekeeping.js';

const DAY = 24 * 3_600_000;
const RETENTION = 7 * DAY;

describe('Forgetting outcomes', () => {
  const now = Date.now();
  const mark = lowestTransactionIdAt(now);
  const madeAt = (ms: number) =>
    makeTransactionId(ms, new Uint8Array(10).fill(255), '0wner000' as Incarnation);

  it('takes none that is young by the mark, however old its own database takes it for', () => {
    expect(madeAt(now - RETENTION) < lowestPastRetention(mark, RETENTION)).toBe(true);
    expect(madeAt(now - RETENTION + 1) < lowestPastRetention(mark, RETENTION)).toBe(false);
  });

  it('takes everything below the mark where nothing is to be retained', () => {
    expect(lowestPastRetention(madeAt(now), 0) > madeAt(now)).toBe(true);
  });
});

/** The first timer of each kind fires when it is told to; rests last until they are cut short. */
class HeldClock extends Clock {
  readonly armed: (() => void)[] = [];
  now = () => 0;
  wallNow = () => 0;
  after(_ms: number, task: () => void): () => void {
    this.armed.push(task);
    return () => undefined;
  }
}

describe('A participant that stops', () => {
  it('does not wait until all that may be forgotten is forgotten', async () => {
    const clock = new HeldClock();
    let goesOn: boolean | undefined;
    const prune = async (_marks: unknown, pace: Pacing): Promise<number> => {
      goesOn = await pace.rest();
      return 0;
    };
    const mark = lowestTransactionIdAt(DAY);
    const lowWaterMark = () =>
      Promise.resolve({ kind: 'answered', answer: { below: mark } } as const);
    const ports = {
      clock,
      resource: { prune, onMarkLost: () => undefined },
      coordinators: { lowWaterMark },
    };
    const housekeeping = new Housekeeping(ports as unknown as HousekeepingPorts, {
      ...{ cluster: 'c0000000' as ClusterId, retentionMs: 0 },
      ...{ prunePeriodMs: 1, hookPatienceMs: 1 },
    });
    housekeeping.start();
    const [pruning] = clock.armed;
    const before = clock.armed.length;
    pruning?.();
    while (clock.armed.length === before) await Promise.resolve(); // It rests.
    await housekeeping.stop();
    expect(goesOn).toBe(false);
  });
});
